package bench;

import java.util.concurrent.locks.LockSupport;

/** Makes the records of one producer. It is for one thread. */
public final class Producer {
    private static final long SPIN_NS = 200_000; // before a record is due, for sleeping is later than asked for
    private static final long WARM_BYTES = 1L << 30; // of all producers, where they are kept

    /** The number of this producer, from 0. */
    public final int index;
    private final Settings settings;
    private final Role role;
    private final RecordMaker maker;
    private final Span span = new Span();
    private final double interval; // ns
    private final long scheduled; // records
    private final long warmRecords; // at most, before the measured time
    private long start;
    private long sequence;
    private long due;
    private boolean ended;

    Producer(int index, Settings settings, Peer peer, Role role) {
        this.index = index;
        this.settings = settings;
        this.role = role;
        maker = new RecordMaker(settings.size, settings.verify && !peer.checksums());
        interval = 1e9 / settings.rate;
        scheduled = Schedule.warm(settings) + Math.max(1, (long) (settings.rate * settings.seconds));
        warmRecords = peer.keeps() ? Math.max(1, WARM_BYTES / settings.size / settings.producers) : Long.MAX_VALUE;
    }

    /** Says that this producer is connected, and returns at the common start. */
    public void ready() {
        role.ready();
        start = role.control.start();
        span.begin(0);
    }

    /** Reports whether another record is to be sent, when it is due; then {@link #fill} must be called. */
    public boolean more() {
        if (ended) {
            return false;
        }
        long phase = role.control.phase();
        if (settings.is("latency")) {
            due = start + (long) (sequence * interval);
            await();
            ended = sequence + 1 >= scheduled;
        } else if (settings.count > 0) {
            ended = sequence + 1 >= settings.count || phase >= Control.STOP;
        } else {
            if (sequence >= warmRecords && phase < Control.MEASURE) {
                phase = pause();
            }
            ended = phase >= Control.STOP;
        }
        span.look(phase, sequence);
        return true;
    }

    /** Writes the record to this address, where there must be room for its size. */
    public void fill(long address) {
        maker.put(address, index, sequence, due, ended);
        sequence++;
    }

    /** Writes the record into this array of its size. */
    public void fill(byte[] array) {
        maker.put(array, index, sequence, due, ended);
        sequence++;
    }

    private void await() {
        if (settings.pin.equals("same")) { // the consumer is to run on this core
            for (long left = due - System.nanoTime(); left > 0; left = due - System.nanoTime()) {
                LockSupport.parkNanos(left);
            }
            return;
        }
        long left = due - System.nanoTime();
        if (left > 2 * SPIN_NS) {
            LockSupport.parkNanos(left - SPIN_NS);
        }
        while (System.nanoTime() < due) {
            Thread.onSpinWait();
        }
    }

    /** Waits for the measured time: what warms up is not to fill the memory that the rest is measured with. */
    private long pause() {
        role.control.await(Control.MEASURE);
        return role.control.phase();
    }

    /** Says that everything is acknowledged, for producers that have something else to do before they return. */
    public void finish() {
        span.finish(sequence);
    }

    /** Waits until the consumers have all. */
    public void awaitEnd() {
        role.control.await(Control.END);
    }

    String report() {
        finish();
        return span.report();
    }
}
