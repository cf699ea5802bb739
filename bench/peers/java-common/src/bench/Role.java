package bench;

import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;

/** One process of a measurement: a producer, a consumer or the server. It ends when its parent does. */
final class Role {
    /** Begins each line to the parent, so that what libraries print is told apart. */
    static final String MARK = "@bench ";

    final Control control;
    private final PrintStream out;
    private AutoCloseable server;

    private Role(Control control, PrintStream out) {
        this.control = control;
        this.out = out;
    }

    /** Plays the role that the parent asked for, as "kind:index". */
    static void play(Peer peer, Settings settings, String which) {
        PrintStream out = System.out;
        System.setOut(System.err);
        String kind = which.substring(0, which.indexOf(':'));
        int index = Integer.parseInt(which.substring(which.indexOf(':') + 1));
        try {
            Path shared = Path.of(System.getProperty("bench.shared"));
            Env env = new Env(settings, Path.of(System.getProperty("bench.dir")), shared,
                    Boolean.getBoolean("bench.ownDir"));
            Role role = new Role(new Control(shared.resolve("control")), out);
            role.endWithParent(env);
            sharpTimers();
            out.println(MARK + role.play(peer, env, kind, index));
            out.flush();
            Runtime.getRuntime().halt(0);
        } catch (Throwable e) {
            e.printStackTrace();
            out.println(MARK + "error " + e.toString().lines().findFirst().orElse("unknown"));
            out.flush();
            Runtime.getRuntime().halt(1);
        }
    }

    private String play(Peer peer, Env env, String kind, int index) throws Exception {
        switch (kind) {
            case "producer":
                Producer producer = new Producer(index, env.settings, peer, this);
                peer.produce(env, producer);
                return "report " + producer.report();
            case "consumer":
                Consumer consumer = new Consumer(index, env.settings, peer, this);
                peer.consume(env, consumer);
                return "report " + consumer.report();
            default:
                server = peer.serve(env);
                out.println(MARK + "ready");
                Thread.currentThread().join(); // until the parent is gone
                return "";
        }
    }

    /** Says that this role is set up, and returns at the common start. */
    void ready() {
        out.println(MARK + "ready");
        out.flush();
        control.await(Control.WAIT + 1);
    }

    /** Ends this process when the parent closes its end of the standard input, which its death does too. */
    private void endWithParent(Env env) {
        Thread watcher = new Thread(() -> {
            try {
                while (System.in.read() >= 0) {
                    continue;
                }
            } catch (IOException e) {
                // ends as well
            }
            try {
                if (server != null) {
                    server.close();
                }
            } catch (Exception e) {
                e.printStackTrace();
            }
            if (parentIsGone()) {
                Bench.remove(env.shared); // else it does so itself
                if (env.ownDir) {
                    Bench.remove(env.dir);
                }
            }
            Runtime.getRuntime().halt(0);
        });
        watcher.setDaemon(true);
        watcher.start();
    }

    private static boolean parentIsGone() {
        return !Objects.equals(ProcessHandle.current().parent().map(ProcessHandle::pid).orElse(null),
                Long.getLong("bench.parent"));
    }

    /** Has this thread's sleeps end without the usual 50 µs of slack. */
    private static void sharpTimers() {
        try {
            Files.writeString(Path.of("/proc/thread-self/timerslack_ns"), "1");
        } catch (IOException e) {
            // it sleeps longer, and that is all
        }
    }
}
