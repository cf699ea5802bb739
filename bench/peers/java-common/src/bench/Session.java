package bench;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Collectors;

/** The parent's side of one measurement. */
final class Session implements AutoCloseable {
    private static final int WARM_PHASES = 8;

    private final Peer peer;
    private final Settings settings;
    private final Env env;
    private final List<String> args;
    private final Control control;
    private final List<Child> children = new ArrayList<>();
    private Child server;
    private double serverSeconds; // CPU time, in the last group's measured time
    private double cpuOfAll; // the same of its producers and consumers
    private final ExecutorService threads = Executors.newCachedThreadPool(task -> {
        Thread thread = new Thread(task);
        thread.setDaemon(true);
        return thread;
    });

    Session(Peer peer, Settings settings, Env env, List<String> args) throws IOException {
        this.peer = peer;
        this.settings = settings;
        this.env = env;
        this.args = args;
        control = new Control(env.shared.resolve("control"));
    }

    Result run() throws Exception {
        peer.setup(env);
        if (peer.hasServer()) {
            server = start("server:0");
            server.await("ready");
        }
        boolean apart = settings.is("append") || settings.is("replay");
        List<Map<String, Long>> reports = group(settings.producers, apart ? 0 : settings.consumers);
        if (settings.is("replay")) {
            reports = group(0, settings.consumers);
        } else if (!apart) {
            reports = reports.subList(settings.producers, reports.size());
        }
        return new Result(peer, settings, reports, cpuOfAll + serverSeconds);
    }

    private Child start(String role) throws IOException {
        Child child = new Child(role, args, settings, env, peer.getClass().getName());
        synchronized (children) {
            children.add(child);
        }
        return child;
    }

    /** Runs producers and consumers that are at work together, and returns their reports in that order. */
    private List<Map<String, Long>> group(int producers, int consumers) throws IOException, InterruptedException {
        control.phase(Control.WAIT);
        List<Child> group = new ArrayList<>();
        for (int i = 0; i < producers; i++) {
            group.add(start("producer:" + i));
        }
        for (int i = 0; i < consumers; i++) {
            group.add(start("consumer:" + i));
        }
        for (Child child : group) {
            child.await("ready");
        }
        conduct();
        double before = server == null ? 0 : server.cpuSeconds();
        if (!settings.is("latency") && settings.count == 0) {
            sleep(settings.seconds);
            control.phase(Control.STOP);
        }
        List<Map<String, Long>> reports = reports(group, producers);
        serverSeconds = server == null ? 0 : server.cpuSeconds() - before;
        cpuOfAll = reports.stream().mapToLong(r -> r.get("cpu")).sum() / 1e9;
        return reports;
    }

    /** Waits for the reports of all, or the failure of one, and says when the consumers are done. */
    private List<Map<String, Long>> reports(List<Child> group, int producers) {
        CompletableFuture<Void> failure = new CompletableFuture<>();
        List<CompletableFuture<Map<String, Long>>> reports = new ArrayList<>();
        for (Child child : group) {
            CompletableFuture<Map<String, Long>> report = CompletableFuture.supplyAsync(child::report, threads);
            report.exceptionally(e -> {
                failure.completeExceptionally(e);
                return null;
            });
            reports.add(report);
        }
        if (producers < group.size()) {
            join(reports.subList(producers, group.size()), failure);
            control.phase(Control.END);
        }
        join(reports, failure);
        return reports.stream().map(CompletableFuture::join).collect(Collectors.toList());
    }

    private static void join(List<CompletableFuture<Map<String, Long>>> reports, CompletableFuture<Void> failure) {
        try {
            CompletableFuture.anyOf(failure, CompletableFuture.allOf(reports.toArray(CompletableFuture[]::new))).join();
        } catch (CompletionException e) {
            LockSupport.parkNanos(200_000_000); // a producer may fail because a consumer did, and be first to say so
            for (int i = reports.size() - 1; i >= 0; i--) {
                if (reports.get(i).isCompletedExceptionally()) {
                    reports.get(i).join();
                }
            }
            throw e;
        }
    }

    /** Returns when the measured time begins. */
    private void conduct() throws InterruptedException {
        control.start(System.nanoTime() + 5_000_000);
        if (settings.is("latency")) {
            control.phase(1);
            sleep(settings.warm);
        } else if (settings.count == 0) {
            for (int i = 1; i <= WARM_PHASES; i++) {
                control.phase(i);
                sleep(settings.warm / WARM_PHASES);
            }
        }
        control.phase(Control.MEASURE);
    }

    private static void sleep(double seconds) throws InterruptedException {
        Thread.sleep((long) (seconds * 1e3));
    }

    /** Ends all that was started, the server last. */
    @Override
    public void close() {
        synchronized (children) {
            for (int i = children.size() - 1; i >= 0; i--) {
                children.get(i).close();
            }
            children.clear();
        }
    }
}
