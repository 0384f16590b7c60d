import java.util.LinkedHashMap;
import java.util.Map;

/** The program: scenarios by name; with arguments, the application they watch. */
public final class Main {
    private static final Map<String, Program.Scenario> SCENARIOS = new LinkedHashMap<>();

    static {
        SCENARIOS.put("streams_word_count", Counting::wordCount);
        SCENARIOS.put("streams_restart", Counting::restart);
        SCENARIOS.put("streams_exactly_once_refused", Counting::exactlyOnceRefused);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            WordCount.main(arguments);
            return;
        }
        Program.serve(SCENARIOS);
    }
}
