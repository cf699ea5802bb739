package bench;

/** The schedule of a latency measurement. */
final class Schedule {
    private Schedule() {
    }

    /** Returns how many records are sent before those that are counted. */
    static long warm(Settings s) {
        return (long) (s.rate * s.warm);
    }
}
