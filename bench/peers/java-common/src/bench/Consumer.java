package bench;

import org.HdrHistogram.Histogram;

/** Checks the records that one consumer gets. It is for one thread. */
public final class Consumer {
    private static final long LONGEST_NS = 60_000_000_000L; // what is later counts as this

    /** The number of this consumer, from 0. */
    public final int index;
    private final Settings settings;
    private final Peer peer;
    private final Role role;
    private final Span span = new Span();
    private final Histogram histogram; // for latency
    private final long warm; // records of the schedule that are not counted
    private RecordChecker checker;
    private boolean rehearsing;

    Consumer(int index, Settings settings, Peer peer, Role role) {
        this.index = index;
        this.settings = settings;
        this.peer = peer;
        this.role = role;
        histogram = settings.is("latency") ? new Histogram(1, LONGEST_NS, 3) : null;
        warm = Schedule.warm(settings);
        checker = newChecker();
    }

    private RecordChecker newChecker() {
        return new RecordChecker(settings.size, settings.producers, settings.verify && !peer.checksums());
    }

    /** Starts a pass over the records that only warms up: it checks, but does not count. For replay. */
    public void rehearse() {
        checker = newChecker();
        rehearsing = true;
    }

    /** Says that this consumer is set up to get all that is sent from now on, and returns at the common start. */
    public void ready() {
        rehearsing = false;
        checker = newChecker();
        role.ready();
        span.begin(0);
    }

    /** Checks a record and returns true after the last one of the last producer. */
    public boolean take(long address, int length) {
        look();
        return taken(checker.take(address, length));
    }

    /** Checks a record and returns true after the last one of the last producer. */
    public boolean take(byte[] array) {
        look();
        return taken(checker.take(array));
    }

    private void look() {
        if (histogram == null && !rehearsing) {
            span.look(role.control.phase(), checker.count());
        }
    }

    private boolean taken(long due) {
        if (histogram != null) {
            late(due);
        }
        if (!checker.done()) {
            return false;
        }
        if (!rehearsing) {
            span.finish(checker.count());
        }
        return true;
    }

    private void late(long due) {
        long now = System.nanoTime();
        if (checker.count() == warm + 1) {
            histogram.reset();
            span.begin(checker.count() - 1);
        }
        histogram.recordValue(Math.min(Math.max(now - due, 1), LONGEST_NS));
    }

    /** Returns whether the last record of the last producer was taken. */
    public boolean done() {
        return checker.done();
    }

    String report() {
        if (!checker.done()) {
            throw new IllegalStateException("it ended after " + checker.count() + " records, before the last");
        }
        if (histogram == null) {
            return span.report();
        }
        return span.report() + String.format(" count=%d p50=%d p90=%d p99=%d p999=%d p9999=%d max=%d",
                histogram.getTotalCount(), at(50), at(90), at(99), at(99.9), at(99.99), histogram.getMaxValue());
    }

    private long at(double percentile) {
        return histogram.getValueAtPercentile(percentile);
    }
}
