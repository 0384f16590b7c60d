import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import kafka.server.ControllerServer;
import kafka.server.KafkaBroker;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.Node;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.TopicExistsException;
import org.apache.kafka.common.network.ListenerName;
import org.apache.kafka.common.test.ClusterInstance;
import org.apache.kafka.common.test.api.ClusterConfig;
import org.apache.kafka.common.test.api.Type;
import org.apache.kafka.server.fault.FaultHandlerException;
import org.opentest4j.TestAbortedException;

/**
 * The cluster that tests are given: one broker that somebody else started.
 *
 * <p>Several replicas are cut to one. A test that must reach into a broker's objects, or end it, is skipped.
 */
final class OutsideCluster implements ClusterInstance {
    static final String BOOTSTRAP = System.getProperty("suite.bootstrap");
    // What was there before is not the tests'.
    private static final Set<String> TOPICS_BEFORE = new HashSet<>();
    private static final Set<String> GROUPS_BEFORE = new HashSet<>();

    private final ClusterConfig config;

    OutsideCluster(ClusterConfig config) {
        this.config = config;
    }

    static Admin client() {
        return Admin.create(Map.of("bootstrap.servers", BOOTSTRAP));
    }

    /** What is there now is not to be removed. */
    static void remember() throws Exception {
        try (Admin admin = client()) {
            TOPICS_BEFORE.addAll(get(admin.listTopics().names()));
            GROUPS_BEFORE.addAll(groups(admin));
        }
    }

    /** Remove what tests have left, so that each finds the empty cluster it expects. */
    static void clean() throws Exception {
        try (Admin admin = client()) {
            Set<String> topics = new HashSet<>(get(admin.listTopics().names()));
            topics.removeAll(TOPICS_BEFORE);
            get(admin.deleteTopics(topics).all());
            Set<String> groups = groups(admin);
            groups.removeAll(GROUPS_BEFORE);
            for (var deleted : admin.deleteConsumerGroups(groups).deletedGroups().values()) {
                try {
                    get(deleted);
                } catch (ExecutionException stillInUse) {
                    continue; // By a member that has not said goodbye.
                }
            }
        }
    }

    private static Set<String> groups(Admin admin) throws Exception {
        return get(admin.listGroups().valid()).stream().map(GroupListing::groupId).collect(Collectors.toSet());
    }

    /** The broker's own settings. */
    static Map<String, String> settings() throws Exception {
        try (Admin admin = client()) {
            var broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
            Map<String, String> settings = new HashMap<>();
            get(admin.describeConfigs(List.of(broker)).all()).get(broker)
                .entries().forEach(entry -> settings.put(entry.name(), entry.value()));
            return settings;
        }
    }

    /** Whether groups of the newer protocol can be joined. */
    static boolean hasConsumerProtocol() throws Exception {
        try (Admin admin = client()) {
            var group = get(admin.describeFeatures().featureMetadata()).finalizedFeatures().get("group.version");
            return group != null && group.maxVersionLevel() > 0;
        }
    }

    private static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(30, TimeUnit.SECONDS);
    }

    private static <T> T inside(String what) {
        throw new TestAbortedException(what + " a broker of its own");
    }

    @Override
    public Type type() {
        return Type.KRAFT;
    }

    @Override
    public Map<Integer, KafkaBroker> brokers() {
        return inside("looks into");
    }

    @Override
    public Map<Integer, ControllerServer> controllers() {
        return inside("looks into");
    }

    @Override
    public Set<Integer> controllerIds() {
        return Set.of(1);
    }

    @Override
    public Set<Integer> brokerIds() {
        return Set.of(1);
    }

    @Override
    public ClusterConfig config() {
        return config;
    }

    @Override
    public ListenerName clientListener() {
        return ListenerName.normalised("PLAINTEXT");
    }

    @Override
    public ListenerName controllerListenerName() {
        return inside("asks for the controller of");
    }

    @Override
    public String bootstrapServers() {
        return BOOTSTRAP;
    }

    @Override
    public String bootstrapControllers() {
        return inside("asks for the controller of");
    }

    @Override
    public List<Integer> brokerBoundPorts() {
        return List.of(Integer.valueOf(BOOTSTRAP.substring(BOOTSTRAP.lastIndexOf(':') + 1)));
    }

    @Override
    public String clusterId() {
        try (Admin admin = client()) {
            return get(admin.describeCluster().clusterId());
        } catch (Exception error) {
            throw new IllegalStateException(error);
        }
    }

    @Override
    public Optional<FaultHandlerException> firstFatalException() {
        return Optional.empty();
    }

    @Override
    public Optional<FaultHandlerException> firstNonFatalException() {
        return Optional.empty();
    }

    @Override
    public void start() {}

    @Override
    public boolean started() {
        return true;
    }

    @Override
    public void stop() {
        inside("stops");
    }

    @Override
    public boolean stopped() {
        return false;
    }

    @Override
    public void shutdownBroker(int id) {
        inside("stops");
    }

    @Override
    public void startBroker(int id) {
        inside("starts");
    }

    @Override
    public void waitForReadyBrokers() {}

    @Override
    public void createTopic(String topic, int partitions, short replicas, Map<String, String> configs)
            throws InterruptedException {
        try (Admin admin = client()) {
            get(admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all());
        } catch (InterruptedException | RuntimeException error) {
            throw error;
        } catch (Exception error) {
            // As Apache Kafka's own: some tests create what their preparation, or the broker, has created.
            if (!(error.getCause() instanceof TopicExistsException)) {
                throw new IllegalStateException(error);
            }
            return;
        }
        waitTopicCreation(topic, partitions);
    }

    @Override
    public void createTopic(String topic, int partitions, short replicas) throws InterruptedException {
        createTopic(topic, partitions, replicas, Map.of());
    }

    @Override
    public void createTopicWithAssignment(String topic, Map<Integer, List<Integer>> assignment)
            throws InterruptedException {
        createTopic(topic, assignment.size(), (short) 1);
    }

    @Override
    public void waitTopicCreation(String topic, int partitions) throws InterruptedException {
        eventually(topic, partitions);
    }

    @Override
    public void waitTopicDeletion(String topic) throws InterruptedException {
        eventually(topic, 0);
    }

    @Override
    public void ensureConsistentMetadata() {}

    @Override
    public void ensureConsistentMetadata(Collection<KafkaBroker> brokers, Collection<ControllerServer> controllers) {}

    private static void eventually(String topic, int partitions) throws InterruptedException {
        long deadline = System.nanoTime() + 30_000_000_000L;
        try (Admin admin = client()) {
            while (led(admin, topic) != partitions) {
                if (System.nanoTime() > deadline) {
                    throw new AssertionError(topic + " does not come to " + partitions + " partitions");
                }
                Thread.sleep(20);
            }
        }
    }

    /** Partitions that have a leader. */
    private static long led(Admin admin, String topic) throws InterruptedException {
        try {
            var described = admin.describeTopics(List.of(topic)).topicNameValues().get(topic).get();
            return described.partitions().stream().filter(each -> !Node.noNode().equals(each.leader())).count();
        } catch (ExecutionException unknown) {
            return 0;
        }
    }
}
