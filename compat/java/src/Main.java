import java.util.LinkedHashMap;
import java.util.Map;

/** The program: kafka-clients' scenarios by name. */
public final class Main {
    private static final Map<String, Program.Scenario> SCENARIOS = new LinkedHashMap<>();

    static {
        Produce.register(SCENARIOS);
        Consume.register(SCENARIOS);
        Groups.register(SCENARIOS);
        Administration.register(SCENARIOS);
        SCENARIOS.put("restart_in_the_middle", Restarts::restartInTheMiddle);
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            Member.main(arguments);
            return;
        }
        Program.serve(SCENARIOS);
    }
}
