import bench.Bench;
import bench.Consumer;
import bench.Env;
import bench.Peer;
import bench.Producer;
import bench.Settings;
import io.aeron.Aeron;
import io.aeron.ExclusivePublication;
import io.aeron.Subscription;
import io.aeron.archive.Archive;
import io.aeron.archive.ArchiveThreadingMode;
import io.aeron.archive.ArchivingMediaDriver;
import io.aeron.archive.client.AeronArchive;
import io.aeron.archive.status.RecordingPos;
import io.aeron.logbuffer.BufferClaim;
import java.util.concurrent.TimeUnit;
import org.agrona.concurrent.IdleStrategy;
import org.agrona.concurrent.YieldingIdleStrategy;
import org.agrona.concurrent.status.CountersReader;

/** Aeron Archive: what is published over shared memory is recorded, and can be replayed. */
public final class AeronArchivePeer implements Peer {
    private static final String LOCAL_CONTROL = "aeron:ipc?term-length=64k";
    private static final int REPLAY_STREAM = 2001;

    public static void main(String[] args) {
        Bench.main(new AeronArchivePeer(), args);
    }

    @Override
    public String name() {
        return "aeron-archive";
    }

    @Override
    public String version() {
        return "Aeron Archive " + System.getProperty("bench.version") + ", Java " + System.getProperty("java.version");
    }

    @Override
    public boolean keeps() {
        return true;
    }

    @Override
    public String notes(Settings s) {
        if (s.is("stream") || s.is("latency")) {
            return "consumers have the live stream, while it is recorded";
        }
        return "";
    }

    @Override
    public boolean hasServer() {
        return true;
    }

    @Override
    public AutoCloseable serve(Env env) {
        int sync = env.settings.durable ? 1 : 0;
        return ArchivingMediaDriver.launch(AeronIpc.driver(env), new Archive.Context()
                .archiveDir(env.dir.resolve("archive").toFile())
                .controlChannelEnabled(false)
                .localControlChannel(LOCAL_CONTROL)
                .archiveClientContext(new AeronArchive.Context().controlResponseChannel(LOCAL_CONTROL))
                .replicationChannel("aeron:udp?endpoint=localhost:0")
                .threadingMode(ArchiveThreadingMode.SHARED)
                .idleStrategySupplier(() -> env.settings.durable ? new YieldingIdleStrategy() : AeronIpc.backoff())
                .catalogFileSyncLevel(sync)
                .fileSyncLevel(sync));
    }

    private static AeronArchive connect(Aeron aeron, Env env, int responseStream) {
        return AeronArchive.connect(new AeronArchive.Context()
                .aeron(aeron)
                .ownsAeronClient(false)
                .controlRequestChannel(LOCAL_CONTROL)
                .controlRequestStreamId(AeronArchive.Configuration.localControlStreamId())
                .controlResponseChannel(LOCAL_CONTROL)
                .controlResponseStreamId(responseStream)
                .messageTimeoutNs(TimeUnit.SECONDS.toNanos(20)));
    }

    @Override
    public void produce(Env env, Producer producer) {
        try (Aeron aeron = AeronIpc.connect(env); AeronArchive archive = connect(aeron, env, 100 + producer.index);
                ExclusivePublication publication =
                        archive.addRecordedExclusivePublication(AeronIpc.CHANNEL, AeronIpc.STREAM)) {
            CountersReader counters = aeron.countersReader();
            int recorded = CountersReader.NULL_COUNTER_ID;
            while (recorded == CountersReader.NULL_COUNTER_ID || !publication.isConnected()) {
                Thread.yield();
                recorded = RecordingPos.findCounterIdBySession(counters, publication.sessionId(), archive.archiveId());
            }
            producer.ready();
            if (env.settings.durable) {
                sendEach(publication, env.settings, producer, counters, recorded);
            } else {
                AeronIpc.send(publication, env.settings, producer);
                awaitRecorded(publication, counters, recorded, AeronIpc.idle(env.settings));
            }
            if (!env.settings.is("append") && !env.settings.is("replay")) {
                producer.finish();
                producer.awaitEnd(); // what was published is there, for live consumers, only while the publication is
            }
        }
    }

    /** Sends, each record after the one before is recorded. */
    private static void sendEach(ExclusivePublication publication, Settings settings, Producer producer,
            CountersReader counters, int recorded) {
        IdleStrategy idle = AeronIpc.idle(settings);
        BufferClaim claim = new BufferClaim();
        while (producer.more()) {
            AeronIpc.claim(publication, settings.size, claim, idle);
            producer.fill(claim.buffer().addressOffset() + claim.offset());
            claim.commit();
            awaitRecorded(publication, counters, recorded, idle);
        }
    }

    /** Returns when the archive has written all that was published. */
    private static void awaitRecorded(ExclusivePublication publication, CountersReader counters, int recorded,
            IdleStrategy idle) {
        long position = publication.position();
        while (counters.getCounterValue(recorded) < position) {
            idle.idle();
        }
        idle.reset();
    }

    @Override
    public void consume(Env env, Consumer consumer) {
        if (!env.settings.is("replay")) {
            new AeronIpc().consume(env, consumer);
            return;
        }
        try (Aeron aeron = AeronIpc.connect(env); AeronArchive archive = connect(aeron, env, 200)) {
            long[] recording = new long[3]; // id, start, stop
            archive.listRecordingsForUri(0, 1, AeronIpc.CHANNEL, AeronIpc.STREAM, (session, correlation, id,
                    startTime, stopTime, start, stop, term, segment, termLength, mtu, sessionId, stream, stripped,
                    original, source) -> {
                recording[0] = id;
                recording[1] = start;
                recording[2] = stop;
            });
            for (int i = 0; i < 3; i++) {
                consumer.rehearse();
                replay(archive, recording, env.settings, consumer);
            }
            consumer.ready();
            replay(archive, recording, env.settings, consumer);
        }
    }

    private static void replay(AeronArchive archive, long[] recording, Settings settings, Consumer consumer) {
        try (Subscription subscription = archive.replay(recording[0], recording[1], recording[2] - recording[1],
                AeronIpc.CHANNEL, REPLAY_STREAM)) {
            while (subscription.imageCount() == 0) {
                Thread.onSpinWait();
            }
            AeronIpc.receive(subscription, settings, consumer);
        }
    }
}
