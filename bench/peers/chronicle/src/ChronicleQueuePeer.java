import bench.Bench;
import bench.Consumer;
import bench.Env;
import bench.Peer;
import bench.Producer;
import bench.Settings;
import net.openhft.chronicle.bytes.Bytes;
import net.openhft.chronicle.bytes.SyncMode;
import net.openhft.chronicle.queue.ChronicleQueue;
import net.openhft.chronicle.queue.ExcerptAppender;
import net.openhft.chronicle.queue.ExcerptTailer;
import net.openhft.chronicle.queue.impl.single.SingleChronicleQueueBuilder;
import net.openhft.chronicle.queue.rollcycles.LargeRollCycles;
import net.openhft.chronicle.threads.Pauser;
import net.openhft.chronicle.wire.DocumentContext;

/** Chronicle Queue, the open-source one: appenders and tailers of one queue, each in a process of its own. */
public final class ChronicleQueuePeer implements Peer {
    public static void main(String[] args) {
        Bench.main(new ChronicleQueuePeer(), args);
    }

    @Override
    public String name() {
        return "chronicle";
    }

    @Override
    public String version() {
        return "Chronicle Queue " + System.getProperty("bench.version") + ", Java " + System.getProperty("java.version");
    }

    @Override
    public boolean keeps() {
        return true;
    }

    private static ChronicleQueue open(Env env) {
        return SingleChronicleQueueBuilder.binary(env.dir.toFile())
                .rollCycle(LargeRollCycles.LARGE_DAILY)
                .syncMode(env.settings.durable ? SyncMode.SYNC : SyncMode.NONE)
                .build();
    }

    @Override
    public void produce(Env env, Producer producer) {
        int size = env.settings.size;
        try (ChronicleQueue queue = open(env); ExcerptAppender appender = queue.createAppender()) {
            producer.ready();
            while (producer.more()) {
                try (DocumentContext document = appender.writingDocument()) {
                    Bytes<?> bytes = document.wire().bytes();
                    long position = bytes.writePosition();
                    producer.fill(bytes.addressForWrite(position));
                    bytes.writePosition(position + size);
                }
                if (env.settings.durable) {
                    appender.sync();
                }
            }
        }
    }

    @Override
    public void consume(Env env, Consumer consumer) {
        for (int i = 0; env.settings.is("replay") && i < 3; i++) {
            consumer.rehearse();
            try (ChronicleQueue queue = open(env)) { // each time anew: only the compiled code is to be warm
                read(queue, env.settings, consumer);
            }
        }
        try (ChronicleQueue queue = open(env)) {
            consumer.ready();
            read(queue, env.settings, consumer);
        }
    }

    private static void read(ChronicleQueue queue, Settings settings, Consumer consumer) {
        Pauser pauser = settings.polls() ? Pauser.busy() : Pauser.balanced();
        try (ExcerptTailer tailer = queue.createTailer()) {
            while (!consumer.done()) {
                try (DocumentContext document = tailer.readingDocument()) {
                    if (document.isPresent()) {
                        Bytes<?> bytes = document.wire().bytes();
                        consumer.take(bytes.addressForRead(bytes.readPosition()), (int) bytes.readRemaining());
                        pauser.reset();
                        continue;
                    }
                }
                pauser.pause();
            }
        }
    }
}
