import static java.util.stream.Collectors.toMap;

import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.apache.kafka.common.security.auth.SecurityProtocol;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.ClusterConfigProperty;
import org.apache.kafka.common.test.api.ClusterFeature;
import org.apache.kafka.common.test.api.ClusterTemplate;
import org.apache.kafka.common.test.api.ClusterTest;
import org.apache.kafka.common.test.api.ClusterTestDefaults;
import org.apache.kafka.common.test.api.ClusterTests;
import org.junit.jupiter.api.extension.AfterEachCallback;
import org.junit.jupiter.api.extension.BeforeEachCallback;
import org.junit.jupiter.api.extension.Extension;
import org.junit.jupiter.api.extension.ExtensionContext;
import org.junit.jupiter.api.extension.ParameterContext;
import org.junit.jupiter.api.extension.ParameterResolver;
import org.junit.jupiter.api.extension.TestTemplateInvocationContext;
import org.junit.jupiter.api.extension.TestTemplateInvocationContextProvider;
import org.opentest4j.TestAbortedException;

/** Runs tests that ask for clusters against the one outside; skips those it is no cluster for. */
public final class Outside implements TestTemplateInvocationContextProvider {
    // How large the cluster is, and how fast it tidies up.
    private static final Set<String> FREE = Set.of(
        "offsets.topic.num.partitions", "offsets.topic.replication.factor",
        "transaction.state.log.num.partitions", "transaction.state.log.replication.factor", "transaction.state.log.min.isr",
        "share.coordinator.state.topic.num.partitions", "share.coordinator.state.topic.replication.factor",
        "share.coordinator.state.topic.min.isr",
        "default.replication.factor", "auto.leader.rebalance.enable", "controlled.shutdown.enable",
        "log.initial.task.delay.ms", "log.segment.delete.delay.ms", "file.delete.delay.ms",
        "group.initial.rebalance.delay.ms", "group.max.session.timeout.ms",
        "group.consumer.heartbeat.interval.ms", "group.consumer.min.heartbeat.interval.ms",
        "unclean.leader.election.enable");

    // Their names tell which group protocol they use, and nothing else does.
    private static final Pattern CONSUMER_PROTOCOL = Pattern.compile("AsyncConsum|Re2J|ProtocolConsumer");

    @Override
    public boolean supportsTestTemplate(ExtensionContext context) {
        return Stream.of(ClusterTest.class, ClusterTests.class, ClusterTemplate.class)
            .anyMatch(context.getRequiredTestMethod()::isAnnotationPresent);
    }

    @Override
    public Stream<TestTemplateInvocationContext> provideTestTemplateInvocationContexts(ExtensionContext context) {
        Method method = context.getRequiredTestMethod();
        return configs(context.getRequiredTestClass(), method).map(config -> new Invocation(method.getName(), config));
    }

    /** The clusters that a test asks for. */
    private static Stream<ClusterConfig> configs(Class<?> tests, Method method) {
        var template = method.getAnnotation(ClusterTemplate.class);
        if (template != null) {
            return generated(tests, template.value());
        }
        var defaults = tests.getAnnotation(ClusterTestDefaults.class);
        var several = method.getAnnotation(ClusterTests.class);
        var asked = several == null ? List.of(method.getAnnotation(ClusterTest.class)) : List.of(several.value());
        return asked.stream().map(each -> {
            Map<String, String> properties = new HashMap<>();
            if (defaults != null) {
                put(properties, defaults.serverProperties());
            }
            put(properties, each.serverProperties());
            return ClusterConfig.defaultBuilder()
                .setServerProperties(properties)
                .setBrokerSecurityProtocol(each.brokerSecurityProtocol())
                .setFeatures(Arrays.stream(each.features()).collect(toMap(ClusterFeature::feature, ClusterFeature::version)))
                .build();
        });
    }

    private static Stream<ClusterConfig> generated(Class<?> tests, String generator) {
        try {
            Method method = tests.getDeclaredMethod(generator);
            method.setAccessible(true);
            return ((List<?>) method.invoke(null)).stream().map(ClusterConfig.class::cast);
        } catch (ReflectiveOperationException error) {
            throw new IllegalStateException(error);
        }
    }

    private static void put(Map<String, String> properties, ClusterConfigProperty[] all) {
        for (var each : all) {
            properties.put(each.key(), each.value());
        }
    }

    private record Invocation(String test, ClusterConfig config) implements TestTemplateInvocationContext {
        @Override
        public List<Extension> getAdditionalExtensions() {
            return List.of(new Around(this), new Cluster(new OutsideCluster(config)));
        }

        private void check() throws Exception {
            if (config.brokerSecurityProtocol() != SecurityProtocol.PLAINTEXT) {
                throw new TestAbortedException("needs " + config.brokerSecurityProtocol());
            }
            if (!config.features().isEmpty()) {
                throw new TestAbortedException("needs " + config.features());
            }
            if (CONSUMER_PROTOCOL.matcher(test).find() && !OutsideCluster.hasConsumerProtocol()) {
                throw new TestAbortedException("needs the consumer protocol");
            }
            var settings = OutsideCluster.settings();
            for (var each : config.serverProperties().entrySet()) {
                if (!FREE.contains(each.getKey()) && !each.getValue().equals(settings.get(each.getKey()))) {
                    throw new TestAbortedException("needs " + each);
                }
            }
        }
    }

    private record Around(Invocation invocation) implements BeforeEachCallback, AfterEachCallback {
        @Override
        public void beforeEach(ExtensionContext context) throws Exception {
            invocation.check();
        }

        @Override
        public void afterEach(ExtensionContext context) throws Exception {
            OutsideCluster.clean();
        }
    }

    private record Cluster(OutsideCluster cluster) implements ParameterResolver {
        @Override
        public boolean supportsParameter(ParameterContext parameter, ExtensionContext context) {
            return parameter.getParameter().getType() == ClusterInstance.class;
        }

        @Override
        public Object resolveParameter(ParameterContext parameter, ExtensionContext context) {
            return cluster;
        }
    }
}
