package bench;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;

/** A process of a measurement, as its parent sees it. */
final class Child implements AutoCloseable {
    private static final double TICKS = 100; // a second, in /proc/PID/stat

    private final String name;
    private final Process process;
    private final BufferedReader lines;
    private final Path errors;

    /** Starts a virtual machine like this one for the role. */
    Child(String role, List<String> args, Settings settings, Env env, String main) throws IOException {
        name = role;
        errors = env.shared.resolve(role.replace(':', '-') + ".err");
        List<String> command = new ArrayList<>();
        if (!settings.pin.equals("none") && !role.startsWith("server")) {
            boolean second = settings.pin.equals("apart") && role.startsWith("consumer");
            command.addAll(List.of("taskset", "-c", second ? "1" : "0"));
        }
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        env.values().forEach((key, value) -> command.add("-D" + Env.PREFIX + key + "=" + value));
        command.addAll(List.of("-Dbench.role=" + role, "-Dbench.parent=" + ProcessHandle.current().pid(),
                "-Dbench.dir=" + env.dir, "-Dbench.ownDir=" + env.ownDir,
                "-Dbench.shared=" + env.shared,
                "-cp", System.getProperty("java.class.path"), main));
        command.addAll(args);
        process = new ProcessBuilder(command).redirectError(errors.toFile()).start();
        lines = process.inputReader();
    }

    /** Waits for the line that begins with this word and returns the rest of it. */
    String await(String word) throws IOException {
        for (String line = lines.readLine(); line != null; line = lines.readLine()) {
            if (line.startsWith(Role.MARK + word)) {
                return line.substring(Role.MARK.length() + word.length());
            }
            if (line.startsWith(Role.MARK + "error ")) {
                throw new IOException(name + ": " + line.substring((Role.MARK + "error ").length()));
            }
        }
        String why = Files.readString(errors).strip();
        throw new IOException(name + " ended early: " + why.substring(why.lastIndexOf('\n') + 1));
    }

    /** Waits for the report. */
    Map<String, Long> report() {
        String line;
        try {
            line = await("report ");
        } catch (IOException e) {
            throw new UncheckedIOException(e.getMessage(), e);
        }
        Map<String, Long> values = new HashMap<>();
        for (String pair : line.split(" ")) {
            int equals = pair.indexOf('=');
            values.put(pair.substring(0, equals), Long.parseLong(pair.substring(equals + 1)));
        }
        return values;
    }

    /** Returns the CPU time that the process has used, in seconds. */
    double cpuSeconds() throws IOException {
        String stat = Files.readString(Path.of("/proc/" + process.pid() + "/stat"));
        String[] fields = stat.substring(stat.lastIndexOf(')') + 2).split(" ");
        return (Long.parseLong(fields[11]) + Long.parseLong(fields[12])) / TICKS;
    }

    /** Ends the process: by the end of its input first, as it may have things to put away. */
    @Override
    public void close() {
        try {
            process.getOutputStream().close();
            if (!process.waitFor(2, TimeUnit.SECONDS)) {
                process.destroyForcibly().waitFor();
            }
        } catch (IOException | InterruptedException e) {
            process.destroyForcibly();
        }
    }
}
