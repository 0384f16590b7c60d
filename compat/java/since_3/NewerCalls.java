import java.util.List;
import java.util.Map;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;

/** Calls that kafka-clients has since 3.x, and what must come of them. */
final class NewerCalls {
    static final List<PartitionInfo> NO_PARTITIONS = List.of();

    private NewerCalls() {}

    static TopicDescription describe(Admin admin, String topic) throws Exception {
        return Kit.get(admin.describeTopics(List.of(topic)).topicNameValues().get(topic));
    }

    static void topicId(Admin admin, String topic, Uuid expected) throws Exception {
        var all = Kit.get(admin.describeTopics(List.of(topic)).allTopicNames());
        Kit.equal(all.get(topic).topicId(), expected, "topic id");
    }

    static void quorum(Admin admin) throws Exception {
        Kit.equal(Kit.get(admin.describeMetadataQuorum().quorumInfo()).leaderId(), 1, "leader of the quorum");
    }

    static void latestTimestamp(Admin admin, TopicPartition partition, long expected) throws Exception {
        var listed = admin.listOffsets(Map.of(partition, OffsetSpec.maxTimestamp()));
        Kit.equal(Kit.get(listed.partitionResult(partition)).offset(), expected, "the offset of the latest timestamp");
    }

    static void producers(Admin admin, TopicPartition partition) throws Exception {
        var producers = Kit.get(admin.describeProducers(List.of(partition)).partitionResult(partition)).activeProducers();
        Kit.check(!producers.isEmpty(), "no producer is known");
    }

    static void lag(KafkaConsumer<String, String> consumer, TopicPartition partition, long expected) {
        Kit.equal(consumer.currentLag(partition).orElse(-1), expected, "lag");
    }
}
