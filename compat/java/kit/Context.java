import java.io.BufferedReader;
import java.io.IOException;

/** One scenario's world. Everything it creates carries its prefix. */
record Context(String scenario, String kind, String bootstrap, String prefix, BufferedReader runner) {
    /** The runner can not do what the scenario needs. */
    static final class Skip extends RuntimeException {
        private static final long serialVersionUID = 1L;

        Skip(String reason) {
            super(reason);
        }
    }

    String topic(String... suffix) {
        return prefix + "-" + scenario + (suffix.length == 0 ? "" : "-" + suffix[0]);
    }

    String group(String... suffix) {
        return topic(suffix);
    }

    /** Have the runner kill, stop or start the broker. */
    void broker(String action) throws IOException {
        Program.say("broker", action);
        String[] answer = runner.readLine().split("\t", 2);
        if (answer[0].equals("refused")) {
            throw new Skip(answer[1]);
        }
        Kit.check(answer[0].equals("done"), "the runner could not " + action + " the broker");
    }
}
