package bench;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The figures of one measurement. */
final class Result {
    private final Peer peer;
    private final Settings settings;
    private final double cpuSeconds;
    private long records;
    private double seconds;
    private String latency = "null";

    /** Takes the figures from the reports: of the producers for append, else of the consumers. */
    Result(Peer peer, Settings settings, List<Map<String, Long>> reports, double cpuSeconds) {
        this.peer = peer;
        this.settings = settings;
        this.cpuSeconds = cpuSeconds;
        if (settings.is("append")) {
            total(reports);
        } else {
            slowest(reports);
        }
        if (records <= 0 || seconds <= 0) {
            throw new IllegalStateException("nothing was measured: no record came in the measured time");
        }
        if (settings.is("latency")) {
            Map<String, Long> r = reports.get(0);
            latency = String.format("{\"count\":%d,\"p50\":%d,\"p90\":%d,\"p99\":%d,\"p999\":%d,\"p9999\":%d,\"max\":%d}",
                    r.get("count"), r.get("p50"), r.get("p90"), r.get("p99"), r.get("p999"), r.get("p9999"), r.get("max"));
        }
    }

    /** All records, from the first start to the last end. */
    private void total(List<Map<String, Long>> reports) {
        long start = Long.MAX_VALUE;
        long end = Long.MIN_VALUE;
        for (Map<String, Long> r : reports) {
            start = Math.min(start, r.get("start"));
            end = Math.max(end, r.get("end"));
            records += r.get("records");
        }
        seconds = (end - start) / 1e9;
    }

    /** The records of the slowest consumer. */
    private void slowest(List<Map<String, Long>> reports) {
        for (Map<String, Long> r : reports) {
            double took = (r.get("end") - r.get("start")) / 1e9;
            if (seconds == 0 || r.get("records") / took < records / seconds) {
                records = r.get("records");
                seconds = took;
            }
        }
    }

    String json() {
        double rate = settings.is("latency") ? settings.rate : Math.round(records / seconds);
        return String.format(Locale.ROOT, "{%s,\"records\":%d,\"seconds\":%.6f,\"rate\":%.0f,\"latency_ns\":%s,"
                + "\"cpu_seconds\":%.3f,\"notes\":%s}", head(peer, settings), records, seconds, rate, latency,
                cpuSeconds, quote(peer.notes(settings)));
    }

    /** Returns a result without figures: key is "skipped" or "inapplicable". */
    static String without(Peer peer, Settings settings, String key, String reason) {
        return "{" + head(peer, settings) + "," + quote(key) + ":" + quote(reason) + "}";
    }

    private static String head(Peer peer, Settings s) {
        return String.format("\"peer\":%s,\"version\":%s,\"work\":%s,\"size\":%d,\"producers\":%d,\"consumers\":%d,"
                + "\"durable\":%b,\"spin\":%b,\"pin\":%s,\"batch\":%d", quote(peer.name()), quote(peer.version()),
                quote(s.work), s.size, s.producers, s.consumers, s.durable, s.spin, quote(s.pin), s.batch);
    }

    private static String quote(String text) {
        StringBuilder b = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                b.append('\\').append(c);
            } else if (c < ' ') {
                b.append(String.format("\\u%04x", (int) c));
            } else {
                b.append(c);
            }
        }
        return b.append('"').toString();
    }
}
