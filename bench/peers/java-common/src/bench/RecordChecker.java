package bench;

import net.openhft.hashing.LongHashFunction;

/** Checks that each producer's records come unchanged, once, and in order. */
final class RecordChecker {
    private static final LongHashFunction XX = LongHashFunction.xx();

    private final int size;
    private final boolean hash;
    private final long[] next; // sequence number, by producer; -1 after the last one
    private int waiting; // producers whose last record is to come
    private long count;

    RecordChecker(int size, int producers, boolean hash) {
        this.size = size;
        this.hash = hash;
        next = new long[producers];
        waiting = producers;
    }

    long count() {
        return count;
    }

    boolean done() {
        return waiting == 0;
    }

    /** Checks a record outside the heap and returns the time at which it was due. */
    long take(long address, int length) {
        if (length != size) {
            throw wrongLength(length);
        }
        if (hash && XX.hashMemory(address + 8, size - 8) != Memory.UNSAFE.getLong(address)) {
            throw new IllegalStateException("record " + count + " is corrupt: its hash differs");
        }
        return take(null, address);
    }

    /** Checks a record in an array, but no hash, and returns the time at which it was due. */
    long take(byte[] array) {
        if (array.length != size) {
            throw wrongLength(array.length);
        }
        return take(array, Memory.BYTES);
    }

    private long take(Object base, long at) {
        long word = Memory.UNSAFE.getLong(base, at + 8);
        int producer = (int) (word >>> RecordMaker.SEQUENCE_BITS);
        long sequence = word & (1L << RecordMaker.SEQUENCE_BITS) - 1;
        if (producer >= next.length) {
            throw new IllegalStateException("record " + count + " is corrupt: there is no producer " + producer);
        }
        if (sequence != next[producer]) {
            throw misplaced(producer, sequence);
        }
        next[producer]++;
        count++;
        long due = Memory.UNSAFE.getLong(base, at + 16);
        if (due < 0) {
            next[producer] = -1;
            waiting--;
        }
        return due & ~RecordMaker.LAST_MARK;
    }

    private IllegalStateException wrongLength(int length) {
        return new IllegalStateException("record " + count + " has " + length + " bytes instead of " + size);
    }

    private IllegalStateException misplaced(int producer, long sequence) {
        long expected = next[producer];
        String what = expected < 0 ? "record " + sequence + " after the last one"
                : sequence < expected ? "record " + sequence + " again or out of order, expected " + expected
                : "records " + expected + " to " + (sequence - 1) + " are lost or out of order";
        return new IllegalStateException("producer " + producer + ": " + what);
    }
}
