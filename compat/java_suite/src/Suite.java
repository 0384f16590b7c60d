import static org.junit.platform.engine.discovery.DiscoverySelectors.selectClass;

import java.util.Arrays;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.support.descriptor.MethodSource;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/** Runs the classes it is told, and says of each test how it ended. */
public final class Suite implements TestExecutionListener {
    private TestPlan plan;

    public static void main(String[] classes) throws Exception {
        OutsideCluster.remember();
        var request = LauncherDiscoveryRequestBuilder.request()
            .selectors(Arrays.stream(classes).map(name -> selectClass("org.apache.kafka.clients." + name)).toList())
            .configurationParameter("junit.jupiter.extensions.autodetection.enabled", "true")
            // Its own way to a cluster: one in this process.
            .configurationParameter("junit.jupiter.extensions.autodetection.exclude", "org.apache.kafka.*")
            .configurationParameter("junit.jupiter.execution.timeout.default", "90 s")
            .build();
        LauncherFactory.create().execute(request, new Suite());
        System.exit(0);
    }

    @Override
    public void testPlanExecutionStarted(TestPlan started) {
        plan = started;
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        say("skipped", test, reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        Throwable error = result.getThrowable().orElse(null);
        switch (result.getStatus()) {
            case SUCCESSFUL -> say("passed", test, "");
            case ABORTED -> say("skipped", test, String.valueOf(error.getMessage()));
            default -> {
                if (test.isTest() || !plan.getChildren(test).isEmpty() || error != null) {
                    say("failed", test, String.valueOf(error));
                    error.printStackTrace();
                }
            }
        }
    }

    private void say(String outcome, TestIdentifier test, String reason) {
        if (outcome.equals("passed") && !test.isTest()) {
            return;
        }
        String name = test.getSource()
            .map(source -> source instanceof MethodSource method
                ? method.getJavaClass().getSimpleName() + "." + method.getMethodName()
                : test.getLegacyReportingName())
            .orElse(test.getDisplayName());
        String which = test.getUniqueId().replaceAll(".*#(\\d+)\\]$", "/$1");
        System.out.println("@" + outcome + "\t" + name + (which.startsWith("/") ? which : "") + "\t" + reason.split("\n", 2)[0]);
    }
}
