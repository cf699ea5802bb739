package bench;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the processes of one measurement know. */
public final class Env {
    static final String PREFIX = "bench.env.";

    public final Settings settings;
    /** A directory on a real filesystem, for what is kept. */
    public final Path dir;
    /** A directory in memory. */
    public final Path shared;
    final boolean ownDir; // dir is temporary
    private final Map<String, String> values = new LinkedHashMap<>();

    Env(Settings settings, Path dir, Path shared, boolean ownDir) {
        this.settings = settings;
        this.dir = dir;
        this.shared = shared;
        this.ownDir = ownDir;
    }

    /** Notes what the processes that are started from now on can get. */
    public void set(String key, String value) {
        values.put(key, value);
    }

    public String get(String key) {
        return System.getProperty(PREFIX + key);
    }

    Map<String, String> values() {
        return values;
    }
}
