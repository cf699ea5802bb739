package bench;

import java.lang.reflect.Field;
import sun.misc.Unsafe;

/** Memory outside the heap, by address, which is what both Chronicle Queue and Aeron hand out. */
final class Memory {
    static final Unsafe UNSAFE = unsafe();
    static final long BYTES = Unsafe.ARRAY_BYTE_BASE_OFFSET;

    private Memory() {
    }

    private static Unsafe unsafe() {
        try {
            Field field = Unsafe.class.getDeclaredField("theUnsafe");
            field.setAccessible(true);
            return (Unsafe) field.get(null);
        } catch (ReflectiveOperationException e) {
            throw new ExceptionInInitializerError(e);
        }
    }
}
