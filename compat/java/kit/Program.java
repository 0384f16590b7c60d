import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import org.apache.kafka.common.utils.AppInfoParser;

/** A program's side of the conversation of compat/programs.py. */
final class Program {
    private Program() {}

    /** Passes by returning, fails by throwing. */
    interface Scenario {
        void run(Context context) throws Exception;
    }

    /** Answer the runner until it closes our standard input. */
    static void serve(Map<String, Scenario> scenarios) throws IOException {
        var input = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        say("client", AppInfoParser.getVersion());
        say("scenarios", String.join("\t", scenarios.keySet()));
        String line;
        while ((line = input.readLine()) != null) {
            // run, scenario, kind of broker, bootstrap, prefix
            String[] words = line.split("\t");
            var context = new Context(words[1], words[2], words[3], words[4], input);
            try {
                scenarios.get(words[1]).run(context);
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
