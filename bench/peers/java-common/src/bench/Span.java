package bench;

import com.sun.management.OperatingSystemMXBean;
import java.lang.management.ManagementFactory;

/** What one producer or consumer did while it was measured. */
final class Span {
    private static final OperatingSystemMXBean SYSTEM =
            (OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();

    private long seen = Control.WAIT;
    private boolean finished;
    private long start;
    private long end;
    private long first;
    private long records;
    private long used;
    private long cpu;

    /** Counts from now on, with this many records before. */
    void begin(long recordsBefore) {
        start = System.nanoTime();
        first = recordsBefore;
        used = SYSTEM.getProcessCpuTime();
    }

    /**
     * Begins anew at each phase up to the measured one. There are many short ones while warming up: if the first time
     * that this branch is taken were in the measured time, the virtual machine would throw away the compiled code then.
     */
    void look(long phase, long recordsBefore) {
        if (phase != seen) {
            seen = phase;
            if (phase <= Control.MEASURE) {
                begin(recordsBefore);
            }
        }
    }

    /** Counts until now. Only the first call does. */
    void finish(long recordsNow) {
        if (!finished) {
            finished = true;
            end = System.nanoTime();
            records = recordsNow - first;
            cpu = SYSTEM.getProcessCpuTime() - used;
        }
    }

    String report() {
        return "start=" + start + " end=" + end + " records=" + records + " cpu=" + cpu;
    }
}
