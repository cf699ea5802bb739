package bench;

import java.util.SplittableRandom;
import net.openhft.hashing.LongHashFunction;

/**
 * Makes the records of one producer. A record is, little-endian,
 * <pre>
 *    0  8  xxhash64 (seed 0) of all that follows, or 0 if nobody is to check it
 *    8  8  producer &lt;&lt; 48 | sequence number from 0
 *   16  8  time due in ns (latency) or 0; the top bit marks the producer's last record
 *   24     filler, which differs from record to record
 * </pre>
 */
final class RecordMaker {
    static final int HEADER_BYTES = 24;
    static final int MAX_SIZE = 1 << 20;
    static final int SEQUENCE_BITS = 48;
    static final long LAST_MARK = 1L << 63;

    private static final int FILLER_BLOCK = 1 << 16;
    private static final int FILLER_STEP = 4093 * 8; // odd multiple of 8: visits every eighth place of the block
    private static final LongHashFunction XX = LongHashFunction.xx();

    private final int size;
    private final boolean hash;
    private final byte[] filler;

    RecordMaker(int size, boolean hash) {
        this.size = size;
        this.hash = hash;
        filler = new byte[FILLER_BLOCK + size];
        SplittableRandom random = new SplittableRandom(1);
        for (int i = 0; i < filler.length; i++) {
            filler[i] = (byte) random.nextInt();
        }
    }

    /** Writes a record to memory outside the heap. */
    void put(long address, int producer, long sequence, long due, boolean last) {
        put(null, address, producer, sequence, due, last);
        Memory.UNSAFE.putLong(address, hash ? XX.hashMemory(address + 8, size - 8) : 0);
    }

    /** Writes a record into an array, without a hash. */
    void put(byte[] array, int producer, long sequence, long due, boolean last) {
        put(array, Memory.BYTES, producer, sequence, due, last);
        Memory.UNSAFE.putLong(array, Memory.BYTES, 0);
    }

    private void put(Object base, long at, int producer, long sequence, long due, boolean last) {
        Memory.UNSAFE.putLong(base, at + 8, (long) producer << SEQUENCE_BITS | sequence);
        Memory.UNSAFE.putLong(base, at + 16, last ? due | LAST_MARK : due);
        long from = Memory.BYTES + (sequence * FILLER_STEP & FILLER_BLOCK - 1);
        Memory.UNSAFE.copyMemory(filler, from, base, at + HEADER_BYTES, size - HEADER_BYTES);
    }
}
