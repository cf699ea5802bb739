import bench.Bench;
import bench.Consumer;
import bench.Env;
import bench.Peer;
import bench.Producer;
import bench.Settings;
import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.aeron.Publication;
import io.aeron.Subscription;
import io.aeron.driver.MediaDriver;
import io.aeron.driver.ThreadingMode;
import io.aeron.logbuffer.BufferClaim;
import io.aeron.logbuffer.FragmentHandler;
import org.agrona.LangUtil;
import org.agrona.concurrent.BackoffIdleStrategy;
import org.agrona.concurrent.BusySpinIdleStrategy;
import org.agrona.concurrent.IdleStrategy;
import org.agrona.concurrent.YieldingIdleStrategy;

/** Aeron over shared memory: a media driver, publications and subscriptions, each in a process of its own. */
public final class AeronIpc implements Peer {
    static final String CHANNEL = "aeron:ipc";
    static final int STREAM = 1001;
    /** Large: a producer may be half of it ahead, and is held up if the driver does not run in time to move that on. */
    private static final int TERM_BYTES = 64 << 20;
    private static final int FRAGMENTS = 256; // at most, for each poll

    public static void main(String[] args) {
        Bench.main(new AeronIpc(), args);
    }

    @Override
    public String name() {
        return "aeron-ipc";
    }

    @Override
    public String version() {
        return "Aeron " + System.getProperty("bench.version") + ", Java " + System.getProperty("java.version");
    }

    @Override
    public boolean keeps() {
        return false;
    }

    @Override
    public String inapplicable(Settings s) {
        if (s.durable || s.is("append") || s.is("replay")) {
            return "Aeron IPC keeps nothing";
        }
        return null;
    }

    @Override
    public boolean hasServer() {
        return true;
    }

    @Override
    public AutoCloseable serve(Env env) {
        return MediaDriver.launch(driver(env));
    }

    static MediaDriver.Context driver(Env env) {
        return new MediaDriver.Context()
                .aeronDirectoryName(env.shared.resolve("aeron").toString())
                .dirDeleteOnStart(true)
                .dirDeleteOnShutdown(true)
                .threadingMode(ThreadingMode.SHARED)
                .sharedIdleStrategy(backoff())
                .ipcTermBufferLength(TERM_BYTES)
                .ipcMtuLength(65504) // so that 16 KiB go in one fragment, which tryClaim needs
                .termBufferSparseFile(false);
    }

    static Aeron connect(Env env) {
        return Aeron.connect(new Aeron.Context()
                .aeronDirectoryName(env.shared.resolve("aeron").toString())
                .preTouchMappedMemory(true)
                .subscriberErrorHandler(LangUtil::rethrowUnchecked) // else what is wrong with a record is only logged
                .idleStrategy(backoff()));
    }

    /** Between polls: spins if there is a core for each side, yields if not, backs off where it is to block. */
    static IdleStrategy idle(Settings s) {
        if (s.polls()) {
            return new BusySpinIdleStrategy();
        }
        return s.is("latency") ? backoff() : new YieldingIdleStrategy();
    }

    static IdleStrategy backoff() {
        return new BackoffIdleStrategy(10, 20, 1_000, 1_000_000);
    }

    @Override
    public void produce(Env env, Producer producer) {
        try (Aeron aeron = connect(env); ExclusivePublication publication = aeron.addExclusivePublication(CHANNEL, STREAM)) {
            while (!publication.isConnected()) {
                Thread.yield();
            }
            producer.ready();
            send(publication, env.settings, producer);
            producer.finish();
            producer.awaitEnd(); // what was published is there only while the publication is
        }
    }

    static void send(ExclusivePublication publication, Settings settings, Producer producer) {
        IdleStrategy idle = idle(settings);
        BufferClaim claim = new BufferClaim();
        while (producer.more()) {
            claim(publication, settings.size, claim, idle);
            producer.fill(claim.buffer().addressOffset() + claim.offset());
            claim.commit();
        }
    }

    static void claim(ExclusivePublication publication, int size, BufferClaim claim, IdleStrategy idle) {
        long position = publication.tryClaim(size, claim);
        while (position < 0) {
            if (position != Publication.BACK_PRESSURED && position != Publication.ADMIN_ACTION) {
                throw new IllegalStateException("tryClaim: " + Publication.errorString(position));
            }
            idle.idle();
            position = publication.tryClaim(size, claim);
        }
        idle.reset();
    }

    @Override
    public void consume(Env env, Consumer consumer) {
        try (Aeron aeron = connect(env); Subscription subscription = aeron.addSubscription(CHANNEL, STREAM)) {
            while (subscription.imageCount() < env.settings.producers) {
                Thread.yield();
            }
            consumer.ready();
            receive(subscription, env.settings, consumer);
        }
    }

    static void receive(Subscription subscription, Settings settings, Consumer consumer) {
        IdleStrategy idle = idle(settings);
        FragmentHandler handler = (buffer, offset, length, header) -> consumer.take(buffer.addressOffset() + offset, length);
        while (!consumer.done()) {
            int fragments = subscription.poll(handler, FRAGMENTS);
            if (fragments == 0 && subscription.imageCount() < settings.producers) {
                throw new IllegalStateException("a producer is gone before its last record");
            }
            idle.idle(fragments);
        }
    }
}
