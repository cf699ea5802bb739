package bench;

/** What is measured. Each method but the first few runs in a process of its own. */
public interface Peer {
    String name();

    String version();

    /** Reports whether it keeps records. */
    boolean keeps();

    /** Reports whether it checks what it hands out by a checksum of its own, so that records need none. */
    default boolean checksums() {
        return false;
    }

    /** Returns why there is no such thing as what the settings ask for, or null. */
    default String inapplicable(Settings settings) {
        return null;
    }

    /** Returns a remark on how these settings are measured, or "". */
    default String notes(Settings settings) {
        return "";
    }

    /** Returns how many seconds it takes, at least, until the virtual machines have compiled what is measured. */
    default double warmSeconds() {
        return 3;
    }

    /** Runs in the parent, before anything else: makes what the processes need to know. */
    default void setup(Env env) throws Exception {
    }

    /** Reports whether there is a server. */
    default boolean hasServer() {
        return false;
    }

    /** Starts the server in this process and returns what ends it. */
    default AutoCloseable serve(Env env) throws Exception {
        throw new UnsupportedOperationException();
    }

    /** Sends while {@link Producer#more} says so. When it returns, everything is acknowledged. */
    void produce(Env env, Producer producer) throws Exception;

    /** Takes records until {@link Consumer#take} says that it was the last one. */
    void consume(Env env, Consumer consumer) throws Exception;
}
