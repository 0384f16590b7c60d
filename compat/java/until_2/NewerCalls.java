import java.util.List;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.TopicDescription;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.PartitionInfo;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.Uuid;

/** The same where kafka-clients can not ask: nothing to be checked. */
final class NewerCalls {
    static final List<PartitionInfo> NO_PARTITIONS = null;

    private NewerCalls() {}

    static TopicDescription describe(Admin admin, String topic) throws Exception {
        return Kit.get(admin.describeTopics(List.of(topic)).values().get(topic));
    }

    static void topicId(Admin admin, String topic, Uuid expected) {}

    static void quorum(Admin admin) {}

    static void latestTimestamp(Admin admin, TopicPartition partition, long expected) {}

    static void producers(Admin admin, TopicPartition partition) {}

    static void lag(KafkaConsumer<String, String> consumer, TopicPartition partition, long expected) {}
}
