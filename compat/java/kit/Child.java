import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BiConsumer;

/** This program with other arguments in a process of its own, so that it can be killed. */
final class Child {
    private final Process process;

    /** Start one; what it prints is told as first word and rest. */
    Child(BiConsumer<String, String> heard, List<String> arguments) throws IOException {
        List<String> command = new ArrayList<>(List.of(
            ProcessHandle.current().info().command().orElse("java"),
            "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx256m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error",
            "-cp", System.getProperty("java.class.path"), "Main"));
        command.addAll(arguments);
        process = new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.INHERIT).start();
        var reader = new Thread(() -> read(heard));
        reader.setDaemon(true);
        reader.start();
    }

    /** The other end waits here until it is told to end. */
    static void untilTold() {
        try {
            while (System.in.read() >= 0) {
                continue;
            }
        } catch (IOException ended) {
            // The same as the end.
        }
    }

    boolean isAlive() {
        return process.isAlive();
    }

    /** Tell it to end; its exit code. */
    int end() throws IOException, InterruptedException {
        process.getOutputStream().close();
        return process.waitFor();
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    private void read(BiConsumer<String, String> heard) {
        try (var lines = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            String line;
            while ((line = lines.readLine()) != null) {
                String[] words = line.split(" ", 2);
                heard.accept(words[0], words.length == 1 ? "" : words[1]);
            }
        } catch (IOException ended) {
            // By a kill.
        }
    }
}
