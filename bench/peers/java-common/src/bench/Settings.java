package bench;

import java.util.List;

/** The flags of one measurement: those that all peers have. */
public final class Settings {
    public String work = "stream";
    public int size = 256;
    public int producers = 1;
    public int consumers = 1;
    public boolean durable;
    public double seconds = 1;
    /** Seconds before the measured time. The least is what the peer needs. */
    public double warm;
    /** Records that each producer writes, instead of by time; 0 for by time. */
    public long count;
    /** Records a second, for latency. */
    public double rate = 10_000;
    public int batch = 1;
    /** Whether each record is hashed on both sides. */
    public boolean verify = true;
    /** Whether both sides poll, for latency. */
    public boolean spin;
    public String pin = "none";
    /** Directory for what is kept; empty for a temporary one. */
    public String dir = "";
    /** Seconds after which the measurement is given up. */
    public double limit = 60;

    private static final int REPLAY_RECORDS = 1_000_000; // of 256 bytes

    /** Reads flags of the forms -name value, -name=value and, for switches, -name. */
    static Settings parse(List<String> args, double warmSeconds) {
        Settings s = new Settings();
        s.warm = warmSeconds;
        for (int i = 0; i < args.size(); i++) {
            String flag = args.get(i).replaceFirst("^--?", "");
            int equals = flag.indexOf('=');
            if (!args.get(i).startsWith("-")) {
                throw new IllegalArgumentException("unexpected argument \"" + args.get(i) + "\"");
            }
            if (equals >= 0) {
                s.set(flag.substring(0, equals), flag.substring(equals + 1));
            } else if (flag.equals("durable") || flag.equals("verify") || flag.equals("spin")) {
                s.set(flag, "true");
            } else if (++i < args.size()) {
                s.set(flag, args.get(i));
            } else {
                throw new IllegalArgumentException("-" + flag + " needs a value");
            }
        }
        s.complete();
        return s;
    }

    private void set(String flag, String value) {
        switch (flag) {
            case "work": work = value; break;
            case "size": size = Integer.parseInt(value); break;
            case "producers": producers = Integer.parseInt(value); break;
            case "consumers": consumers = Integer.parseInt(value); break;
            case "durable": durable = Boolean.parseBoolean(value); break;
            case "seconds": seconds = Double.parseDouble(value); break;
            case "warm": warm = Math.max(warm, Double.parseDouble(value)); break;
            case "count": count = Long.parseLong(value); break;
            case "rate": rate = Double.parseDouble(value); break;
            case "batch": batch = Integer.parseInt(value); break;
            case "verify": verify = Boolean.parseBoolean(value); break;
            case "spin": spin = Boolean.parseBoolean(value); break;
            case "pin": pin = value; break;
            case "dir": dir = value; break;
            case "limit": limit = Double.parseDouble(value.replaceFirst("s$", "")); break;
            default: throw new IllegalArgumentException("unknown flag -" + flag);
        }
    }

    private void complete() {
        if (!List.of("append", "stream", "latency", "replay").contains(work)) {
            throw new IllegalArgumentException("-work " + work + ": not append, stream, latency or replay");
        }
        if (!List.of("none", "same", "apart").contains(pin)) {
            throw new IllegalArgumentException("-pin " + pin + ": not none, same or apart");
        }
        if (size < RecordMaker.HEADER_BYTES || size > RecordMaker.MAX_SIZE) {
            throw new IllegalArgumentException("-size " + size + ": not from " + RecordMaker.HEADER_BYTES
                    + " to " + RecordMaker.MAX_SIZE);
        }
        if (producers < 1 || producers > 64 || consumers < 1 || consumers > 64) {
            throw new IllegalArgumentException("from 1 to 64 producers and consumers");
        }
        if ((is("latency") || is("replay")) && (producers != 1 || consumers != 1)) {
            throw new IllegalArgumentException("-work " + work + " has one producer and one consumer");
        }
        if (spin && !is("latency")) {
            throw new IllegalArgumentException("-spin is for -work latency");
        }
        if (batch < 1 || !(rate > 0) || count < 0 || !(seconds > 0) || !(limit > 0)) {
            throw new IllegalArgumentException("-batch, -rate, -seconds and -limit must be above 0, -count not below");
        }
        if (is("replay") && count == 0) {
            count = Math.min(REPLAY_RECORDS, REPLAY_RECORDS * 256L / size);
        }
    }

    /** Reports whether this is the work to be measured. */
    public boolean is(String name) {
        return work.equals(name);
    }

    /**
     * Reports whether a side that has nothing to do may poll without giving way: if asked for, or if there is a core
     * for each producer and consumer, and the figure is a rate.
     */
    public boolean polls() {
        if (is("latency")) {
            return spin;
        }
        int roles = is("stream") ? producers + consumers : Math.max(producers, consumers);
        return pin.equals("same") ? roles == 1 : roles <= Runtime.getRuntime().availableProcessors();
    }
}
