import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.CreateTopicsOptions;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.GroupIdNotFoundException;
import org.apache.kafka.common.errors.GroupNotEmptyException;
import org.apache.kafka.common.errors.InvalidConfigurationException;
import org.apache.kafka.common.errors.InvalidPartitionsException;
import org.apache.kafka.common.errors.InvalidReplicationFactorException;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.OffsetOutOfRangeException;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.TopicExistsException;

/** Administration: topics, partitions, configs, records, groups, cluster. */
final class Administration {
    private Administration() {}

    static void register(Map<String, Program.Scenario> scenarios) {
        scenarios.put("create_topic", Administration::createTopic);
        scenarios.put("admin", Administration::admin);
    }

    private static void createTopic(Context context) throws Exception {
        String topic = context.topic();
        try (Admin admin = Kit.admin(context)) {
            var asked = new NewTopic(topic, 3, (short) 1).configs(Map.of("retention.ms", "3600000"));
            var created = admin.createTopics(List.of(asked));
            Kit.get(created.all());
            Kit.equal(Kit.get(created.numPartitions(topic)), 3, "partitions in the answer");
            Kit.equal(Kit.get(created.replicationFactor(topic)), 1, "replicas in the answer");
            Kit.equal(Kit.get(created.config(topic)).get("retention.ms").value(), "3600000", "config in the answer");
            var id = Kit.get(created.topicId(topic));
            for (int partition = 0; partition < 3; partition++) {
                Kit.fill(context, topic, partition, 0, 1);
            }
            NewerCalls.topicId(admin, topic, id);

            fails(TopicExistsException.class, admin, new NewTopic(topic, 1, (short) 1));
            fails(InvalidTopicException.class, admin, new NewTopic("not a name", 1, (short) 1));
            fails(InvalidReplicationFactorException.class, admin, new NewTopic(context.topic("rf"), 1, (short) 5));
            fails(InvalidPartitionsException.class, admin, new NewTopic(context.topic("p"), 0, (short) 1));
            var soon = new NewTopic(context.topic("c"), 1, (short) 1).configs(Map.of("retention.ms", "soon"));
            fails(InvalidConfigurationException.class, admin, soon);
            var unknown = new NewTopic(context.topic("u"), 1, (short) 1).configs(Map.of("no.such.config", "1"));
            fails(InvalidConfigurationException.class, admin, unknown);

            var tried = new NewTopic(context.topic("tried"), 1, (short) 1);
            Kit.get(admin.createTopics(List.of(tried), new CreateTopicsOptions().validateOnly(true)).all());
            Kit.check(!Kit.get(admin.listTopics().names()).contains(tried.name()), "validateOnly has created a topic");
            var defaults = new NewTopic(context.topic("defaults"), Optional.empty(), Optional.empty());
            Kit.equal(Kit.get(admin.createTopics(List.of(defaults)).numPartitions(defaults.name())), 1, "default partitions");
        }
    }

    private static void fails(Class<? extends Throwable> expected, Admin admin, NewTopic topic) {
        Kit.fails(expected, () -> Kit.get(admin.createTopics(List.of(topic)).all()), "creating " + topic.name());
    }

    private static void admin(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 2);
        try (Admin admin = Kit.admin(context)) {
            cluster(admin, topic);
            partitions(admin, topic);
            configs(context, admin, topic);
            records(context, admin, topic);
            groups(context, admin, topic);
            Kit.get(admin.deleteTopics(List.of(topic)).all());
            Kit.eventually(() -> !Kit.get(admin.listTopics().names()).contains(topic), "the topic is gone", 20);
        }
    }

    private static void cluster(Admin admin, String topic) throws Exception {
        var cluster = admin.describeCluster();
        Kit.check(!Kit.get(cluster.clusterId()).isEmpty(), "no cluster id");
        Kit.equal(Kit.get(cluster.nodes()).stream().map(node -> node.id()).toList(), List.of(1), "nodes");
        Kit.equal(Kit.get(cluster.controller()).id(), 1, "controller");
        NewerCalls.quorum(admin);
        var features = Kit.get(admin.describeFeatures().featureMetadata());
        Kit.check(features.finalizedFeatures().containsKey("metadata.version"), "no metadata.version among the features");
        var directories = Kit.get(admin.describeLogDirs(List.of(1)).allDescriptions()).get(1).values();
        var replicas = directories.stream().flatMap(each -> each.replicaInfos().keySet().stream()).collect(Collectors.toSet());
        Kit.check(replicas.contains(new TopicPartition(topic, 0)), "the topic is in no log directory");
    }

    private static void partitions(Admin admin, String topic) throws Exception {
        Kit.get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(5))).all());
        var described = NewerCalls.describe(admin, topic).partitions();
        Kit.equal(described.size(), 5, "partitions");
        Kit.check(described.stream().allMatch(each -> each.leader().id() == 1 && each.isr().size() == 1), "leaders, replicas");
        Kit.fails(
            InvalidPartitionsException.class,
            () -> Kit.get(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(3))).all()),
            "fewer partitions");
    }

    private static void configs(Context context, Admin admin, String topic) throws Exception {
        String name = "max.message.bytes";
        Kit.equal(config(admin, topic, name).value(), "1048588", "the default");
        Kit.check(config(admin, topic, name).isDefault(), "the default is called something else");
        alter(admin, topic, name, "2000", AlterConfigOp.OpType.SET);
        becomes(admin, topic, name, "2000");
        Kit.equal(config(admin, topic, name).source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "its source");
        Kit.fails(
            RecordTooLargeException.class,
            () -> Kit.send(context, List.of(Kit.record(topic, 0, "x".repeat(3000)))),
            "the new limit");
        alter(admin, topic, name, null, AlterConfigOp.OpType.DELETE);
        becomes(admin, topic, name, "1048588");
        alter(admin, topic, "cleanup.policy", "compact", AlterConfigOp.OpType.APPEND);
        becomes(admin, topic, "cleanup.policy", "delete,compact");
        alter(admin, topic, "cleanup.policy", "compact", AlterConfigOp.OpType.SUBTRACT);
        becomes(admin, topic, "cleanup.policy", "delete");
        Kit.fails(
            InvalidConfigurationException.class,
            () -> {
                alter(admin, topic, "retention.ms", "soon", AlterConfigOp.OpType.SET);
                return null;
            },
            "a bad value");
        var broker = new ConfigResource(ConfigResource.Type.BROKER, "1");
        var entries = Kit.get(admin.describeConfigs(List.of(broker)).all()).get(broker);
        Kit.equal(entries.get("node.id").value(), "1", "node.id of the broker");
        Kit.check(entries.get("node.id").isReadOnly(), "node.id can be altered");
    }

    /** Apache Kafka's broker learns of it a moment after its controller has answered. */
    private static void becomes(Admin admin, String topic, String name, String value) throws Exception {
        Kit.eventually(() -> config(admin, topic, name).value().equals(value), name + " becomes " + value, 10);
    }

    private static ConfigEntry config(Admin admin, String topic, String name) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return Kit.get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(name);
    }

    private static void alter(Admin admin, String topic, String name, String value, AlterConfigOp.OpType operation)
            throws Exception {
        Collection<AlterConfigOp> operations = List.of(new AlterConfigOp(new ConfigEntry(name, value), operation));
        Kit.get(admin.incrementalAlterConfigs(
            Map.of(new ConfigResource(ConfigResource.Type.TOPIC, topic), operations)).all());
    }

    private static void records(Context context, Admin admin, String topic) throws Exception {
        var partition = new TopicPartition(topic, 0);
        Kit.send(
            context,
            IntStream.range(0, 50)
                .mapToObj(n -> new ProducerRecord<String, String>(topic, 0, System.currentTimeMillis() + n, null, "" + n))
                .toList(),
            "batch.size", 200);
        var deleted = admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(30)));
        Kit.equal(Kit.get(deleted.lowWatermarks().get(partition)).lowWatermark(), 30L, "low watermark");
        Kit.equal(Kit.offsets(Kit.read(context, topic, 20, 1)), Kit.range(30, 50), "what is left");
        Kit.fails(
            OffsetOutOfRangeException.class,
            () -> Kit.get(admin.deleteRecords(Map.of(partition, RecordsToDelete.beforeOffset(51))).all()),
            "beyond the end");
        Kit.equal(offset(admin, partition, OffsetSpec.earliest()), 30L, "the earliest offset");
        Kit.equal(offset(admin, partition, OffsetSpec.latest()), 50L, "the latest offset");
        NewerCalls.latestTimestamp(admin, partition, 49L);
        NewerCalls.producers(admin, partition);
    }

    private static long offset(Admin admin, TopicPartition partition, OffsetSpec spec) throws Exception {
        return Kit.get(admin.listOffsets(Map.of(partition, spec)).partitionResult(partition)).offset();
    }

    private static void groups(Context context, Admin admin, String topic) throws Exception {
        String group = context.group();
        var first = new TopicPartition(topic, 0);
        try (var member = Kit.consumer(context, group)) {
            member.subscribe(List.of(topic));
            Kit.poll(member, 20);
            member.commitSync();
            Kit.check(GroupCalls.ids(admin).contains(group), "the group is not listed");
            Kit.fails(
                GroupNotEmptyException.class,
                () -> Kit.get(admin.deleteConsumerGroups(List.of(group)).all()),
                "deleting a living group");
        }
        Kit.equal(committed(admin, group).get(first).offset(), 50L, "committed offset");
        Kit.get(admin.alterConsumerGroupOffsets(group, Map.of(first, new OffsetAndMetadata(35))).all());
        Kit.equal(committed(admin, group).get(first).offset(), 35L, "moved offset");
        Kit.get(admin.deleteConsumerGroupOffsets(group, Set.of(first)).all());
        Kit.equal(committed(admin, group).get(first), null, "deleted offset");
        Kit.get(admin.deleteConsumerGroups(List.of(group)).all());
        Kit.check(!GroupCalls.ids(admin).contains(group), "the group is still there");
        Kit.fails(
            GroupIdNotFoundException.class,
            () -> Kit.get(admin.deleteConsumerGroups(List.of(group)).all()),
            "deleting a group that is not there");
    }

    private static Map<TopicPartition, OffsetAndMetadata> committed(Admin admin, String group) throws Exception {
        return Kit.get(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata());
    }
}
