package bench;

import java.io.IOException;
import java.nio.ByteOrder;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.locks.LockSupport;

/** Words that the processes of one measurement share: the parent sets them, the others read them. */
final class Control {
    /** Phases count up: WAIT, one after the other while warming up, MEASURE, STOP, and END when consumers have all. */
    static final long WAIT = 0;
    static final long MEASURE = 1_000_000;
    static final long STOP = MEASURE + 1;
    static final long END = STOP + 1;

    private static final int BYTES = 4096;
    private static final VarHandle WORD =
            MethodHandles.byteBufferViewVarHandle(long[].class, ByteOrder.nativeOrder());

    private final MappedByteBuffer map;

    Control(Path file) throws IOException {
        try (FileChannel channel = FileChannel.open(file, StandardOpenOption.CREATE, StandardOpenOption.READ,
                StandardOpenOption.WRITE)) {
            map = channel.map(FileChannel.MapMode.READ_WRITE, 0, BYTES);
        }
    }

    long phase() {
        return (long) WORD.getOpaque(map, 0);
    }

    void phase(long phase) {
        WORD.setVolatile(map, 0, phase);
    }

    /** The time of {@link System#nanoTime}, which is CLOCK_MONOTONIC, from which the first record is due. */
    long start() {
        return (long) WORD.getVolatile(map, 8);
    }

    void start(long at) {
        WORD.setVolatile(map, 8, at);
    }

    /** Returns when the phase is this one or a later one. */
    void await(long phase) {
        while (phase() < phase) {
            LockSupport.parkNanos(20_000);
        }
    }
}
