// Fills `__consumer_offsets` of an Apache Kafka broker with one group of each kind, prints what
// Kafka itself tells about them as JSON lines, and then waits to be killed with its members alive.

import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.GroupListing;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.consumer.Consumer;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

public class MakeConsumerOffsets {
    static String bootstrap;
    static final List<Consumer<String, String>> alive = new ArrayList<>();
    static final TopicPartition T0 = new TopicPartition("t", 0);
    static final TopicPartition T1 = new TopicPartition("t", 1);

    static Properties properties(String... more) {
        Properties properties = new Properties();
        properties.put("bootstrap.servers", bootstrap);
        properties.put("key.serializer", StringSerializer.class.getName());
        properties.put("value.serializer", StringSerializer.class.getName());
        properties.put("key.deserializer", StringDeserializer.class.getName());
        properties.put("value.deserializer", StringDeserializer.class.getName());
        for (int i = 0; i < more.length; i += 2) properties.put(more[i], more[i + 1]);
        return properties;
    }

    static KafkaConsumer<String, String> consumer(String group, long offset, String... more) {
        Properties properties = properties(more);
        properties.put("group.id", group);
        properties.put("client.id", "client-of-" + group);
        properties.put("enable.auto.commit", "false");
        properties.put("auto.offset.reset", "earliest");
        KafkaConsumer<String, String> consumer = new KafkaConsumer<>(properties);
        consumer.subscribe(List.of("t"));
        while (consumer.assignment().size() < 2) consumer.poll(Duration.ofMillis(100));
        consumer.commitSync(Map.of(T0, new OffsetAndMetadata(offset, "of " + group), T1, new OffsetAndMetadata(offset + 1)));
        return consumer;
    }

    static KafkaProducer<String, String> transaction(String id, String group, long offset) throws Exception {
        KafkaProducer<String, String> producer = new KafkaProducer<>(properties("transactional.id", id));
        producer.initTransactions();
        producer.beginTransaction();
        producer.sendOffsetsToTransaction(
            Map.of(T0, new OffsetAndMetadata(offset)),
            new org.apache.kafka.clients.consumer.ConsumerGroupMetadata(group));
        return producer;
    }

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        Admin admin = Admin.create(properties());
        admin.createTopics(List.of(new NewTopic("t", 2, (short) 1), new NewTopic("gone", 1, (short) 1))).all().get();

        alive.add(consumer("classic", 10));
        alive.add(consumer("classic-static", 20, "group.instance.id", "instance"));
        consumer("classic-empty", 30).close();
        admin.alterConsumerGroupOffsets("simple", Map.of(T0, new OffsetAndMetadata(40))).all().get();
        consumer("deleted", 50).close();
        admin.deleteConsumerGroups(List.of("deleted")).all().get();
        alive.add(consumer("consumer", 60, "group.protocol", "consumer"));
        consumer("consumer-empty", 70, "group.protocol", "consumer").close();

        KafkaConsumer<String, String> upgraded = consumer("upgraded", 80);
        Properties second = properties("group.id", "upgraded", "group.protocol", "consumer", "enable.auto.commit", "false");
        KafkaConsumer<String, String> native_ = new KafkaConsumer<>(second);
        native_.subscribe(List.of("t"));
        for (int i = 0; i < 30; i++) {
            upgraded.poll(Duration.ofMillis(100));
            native_.poll(Duration.ofMillis(100));
        }
        alive.add(upgraded);
        alive.add(native_);

        KafkaShareConsumer<String, String> share = new KafkaShareConsumer<>(properties("group.id", "share"));
        share.subscribe(List.of("t"));
        for (int i = 0; i < 20; i++) share.poll(Duration.ofMillis(100));

        admin.alterConsumerGroupOffsets("transactional", Map.of(T0, new OffsetAndMetadata(1))).all().get();
        transaction("committed", "transactional", 90).commitTransaction();
        transaction("aborted", "transactional", 91).abortTransaction();
        admin.alterConsumerGroupOffsets("open", Map.of(T0, new OffsetAndMetadata(100))).all().get();
        transaction("open", "open", 101);

        admin.alterConsumerGroupOffsets("of-gone", Map.of(new TopicPartition("gone", 0), new OffsetAndMetadata(1), T0, new OffsetAndMetadata(110))).all().get();
        admin.deleteTopics(List.of("gone")).all().get();
        for (Consumer<String, String> consumer : alive) consumer.poll(Duration.ofMillis(500));
        Thread.sleep(1000);

        for (GroupListing group : admin.listGroups().all().get())
            System.out.printf("group %s %s %s %s%n", group.groupId(), group.type().get(), group.groupState().get(), group.protocol());
        for (String group : List.of("classic", "classic-static", "classic-empty", "simple", "deleted", "consumer", "consumer-empty", "upgraded", "transactional", "open", "of-gone"))
            admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().forEach((partition, offset) ->
                System.out.printf("offset %s %s %d %d %d %s%n", group, partition.topic(), partition.partition(), offset.offset(), offset.leaderEpoch().orElse(-1), offset.metadata().replace(' ', '_')));
        admin.describeClassicGroups(List.of("classic", "classic-static", "classic-empty")).all().get().forEach((id, group) ->
            group.members().forEach(member ->
                System.out.printf("member %s %s %s %s %s%n", id, member.consumerId(), member.groupInstanceId().orElse("-"), member.clientId(), member.host())));
        System.out.println("done");
        System.out.flush();
        Thread.sleep(1000000);
    }
}
