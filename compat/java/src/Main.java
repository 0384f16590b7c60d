import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.kafka.common.utils.AppInfoParser;

/** The program: kafka-clients' scenarios by name, in the conversation of compat/programs.py. */
public final class Main {
    /** Passes by returning, fails by throwing. */
    interface Scenario {
        void run(Context context) throws Exception;
    }

    private static final Map<String, Scenario> SCENARIOS = new LinkedHashMap<>();

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
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("client", AppInfoParser.getVersion());
        say("scenarios", String.join("\t", SCENARIOS.keySet()));
        String line;
        while ((line = input.readLine()) != null) {
            // run, scenario, kind of broker, bootstrap, prefix
            String[] words = line.split("\t");
            var context = new Context(words[1], words[2], words[3], words[4], input);
            try {
                SCENARIOS.get(words[1]).run(context);
                say("passed", "");
            } catch (Context.Skip reason) {
                say("skipped", reason.getMessage());
            } catch (Throwable error) {
                error.printStackTrace();
                say("failed", error.toString().replace('\t', ' ').replace("\n", " | "));
            }
        }
        System.exit(0);
    }

    static void say(String word, String text) {
        System.out.println("@" + word + "\t" + text);
        System.out.flush();
    }
}
