package bench;

import java.io.IOException;
import java.nio.file.FileVisitResult;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.SimpleFileVisitor;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.List;
import java.util.Timer;
import java.util.TimerTask;
import java.util.concurrent.CompletionException;

/** Runs one measurement of a peer: the same program plays all the roles, each in a process of its own. */
public final class Bench {
    private Bench() {
    }

    /** Is called by the main method of each peer. */
    public static void main(Peer peer, String[] args) {
        Settings settings;
        try {
            settings = Settings.parse(List.of(args), peer.warmSeconds());
        } catch (IllegalArgumentException e) {
            fail(peer, e);
            return;
        }
        String role = System.getProperty("bench.role");
        if (role != null) {
            Role.play(peer, settings, role);
            return;
        }
        String not = settings.batch > 1 ? "it takes records one by one" : peer.inapplicable(settings);
        if (not != null) {
            System.out.println(Result.without(peer, settings, "inapplicable", not));
            return;
        }
        try {
            System.out.println(measure(peer, settings, List.of(args)).json());
            System.out.flush();
            Runtime.getRuntime().halt(0);
        } catch (Exception e) {
            fail(peer, e);
        }
    }

    private static void fail(Peer peer, Exception e) {
        Throwable cause = e instanceof CompletionException && e.getCause() != null ? e.getCause() : e;
        System.err.println(peer.name() + ": " + (cause.getMessage() == null ? cause.toString() : cause.getMessage()));
        System.err.flush();
        Runtime.getRuntime().halt(1);
    }

    private static Result measure(Peer peer, Settings settings, List<String> args) throws Exception {
        Path shared = Files.createTempDirectory(Files.isDirectory(Path.of("/dev/shm")) ? Path.of("/dev/shm")
                : Path.of(System.getProperty("java.io.tmpdir")), "mlog-bench-");
        boolean own = settings.dir.isEmpty();
        Path dir = own ? Files.createTempDirectory("mlog-bench-") : Files.createDirectories(Path.of(settings.dir));
        Session session = null;
        try {
            Session s = session = new Session(peer, settings, new Env(settings, dir.toAbsolutePath(), shared, own), args);
            Runtime.getRuntime().addShutdownHook(new Thread(() -> {
                s.close();
                remove(shared);
                if (own) {
                    remove(dir);
                }
            }));
            limit(peer, settings);
            return session.run();
        } finally {
            if (session != null) {
                session.close();
            }
            remove(shared);
            if (own) {
                remove(dir);
            }
        }
    }

    private static void limit(Peer peer, Settings settings) {
        new Timer(true).schedule(new TimerTask() {
            @Override
            public void run() {
                System.err.println(peer.name() + ": not done after " + settings.limit + " s");
                System.exit(1); // by way of the shutdown hook, which ends the children
            }
        }, (long) (settings.limit * 1e3));
    }

    /** Removes a directory with all in it. What is gone already is no error. */
    static void remove(Path root) {
        try {
            Files.walkFileTree(root, new SimpleFileVisitor<>() {
                @Override
                public FileVisitResult visitFile(Path file, BasicFileAttributes attributes) throws IOException {
                    Files.deleteIfExists(file);
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult visitFileFailed(Path file, IOException e) {
                    return FileVisitResult.CONTINUE;
                }

                @Override
                public FileVisitResult postVisitDirectory(Path dir, IOException e) throws IOException {
                    Files.deleteIfExists(dir);
                    return FileVisitResult.CONTINUE;
                }
            });
        } catch (IOException e) {
            System.err.println("could not remove " + root + ": " + e.getMessage());
        }
    }
}
