import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;

/** One running instance of the application, seen from outside. */
final class Instance {
    private final Child process;
    private volatile String state = "";
    private volatile String error = "";
    private final AtomicInteger rebalances = new AtomicInteger();
    private final Map<String, Long> restored = new ConcurrentHashMap<>();

    Instance(Context context, String input, String output, Path stateDirectory, String guarantee) throws IOException {
        process = new Child(
            this::heard,
            List.of(context.bootstrap(), context.group(), input, output, stateDirectory.toString(), guarantee));
    }

    void running() throws Exception {
        Kit.eventually(() -> healthy() && state.equals("RUNNING"), "an instance is running", 60);
    }

    /** Fails when it has not gone on by itself. */
    boolean healthy() {
        Kit.equal(error, "", "error of an instance");
        Kit.check(process.isAlive(), "an instance has ended");
        return true;
    }

    String state() {
        return state;
    }

    String error() {
        return error;
    }

    int rebalances() {
        return rebalances.get();
    }

    /** Records that came back from a store's changelog. */
    long restored(String store) {
        return restored.getOrDefault(store, 0L);
    }

    void leave() throws Exception {
        Kit.equal(process.end(), 0, "exit code of an instance");
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
        process.kill();
    }

    private void heard(String word, String text) {
        switch (word) {
            case "state" -> {
                state = text;
                if (text.equals("REBALANCING")) {
                    rebalances.incrementAndGet();
                }
            }
            case "restored" -> {
                String[] words = text.split(" ");
                restored.merge(words[0], Long.valueOf(words[1]), Long::sum);
            }
            case "error" -> error = text;
            default -> { }
        }
    }
}
