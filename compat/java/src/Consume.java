import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.consumer.OffsetOutOfRangeException;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.InvalidTopicException;
import org.apache.kafka.common.errors.TimeoutException;
import org.apache.kafka.common.errors.UnknownTopicOrPartitionException;

/** Consuming by hand: where to begin, pausing, seeking, what is not there. */
final class Consume {
    private static final long NOW_MS = 1_700_000_000_000L;

    private Consume() {}

    static void register(Map<String, Program.Scenario> scenarios) {
        scenarios.put("consume_beginning", Consume::beginning);
        scenarios.put("consume_end", Consume::end);
        scenarios.put("consume_offset", Consume::offset);
        scenarios.put("consume_timestamp", Consume::timestamp);
        scenarios.put("pause_resume", Consume::pauseResume);
        scenarios.put("seek", Consume::seek);
        scenarios.put("unknown_topic", Consume::unknownTopic);
        scenarios.put("bad_partition", Consume::badPartition);
    }

    private static TopicPartition filled(Context context, int count) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 1);
        Kit.fill(context, topic, 0, 0, count);
        return new TopicPartition(topic, 0);
    }

    private static KafkaConsumer<String, String> assigned(Context context, TopicPartition partition, Object... pairs) {
        var consumer = Kit.consumer(context, context.group("reader"), pairs);
        consumer.assign(List.of(partition));
        return consumer;
    }

    private static void beginning(Context context) throws Exception {
        var partition = filled(context, 100);
        try (var consumer = assigned(context, partition)) {
            consumer.seekToBeginning(List.of(partition));
            Kit.equal(Kit.offsets(Kit.poll(consumer, 100)), Kit.range(0, 100), "offsets");
            Kit.equal(consumer.beginningOffsets(List.of(partition)), Map.of(partition, 0L), "beginning");
            Kit.equal(consumer.endOffsets(List.of(partition)), Map.of(partition, 100L), "end");
            NewerCalls.lag(consumer, partition, 0L);
        }
    }

    private static void end(Context context) throws Exception {
        var partition = filled(context, 50);
        try (var consumer = assigned(context, partition)) {
            consumer.seekToEnd(List.of(partition));
            Kit.silent(consumer);
            Kit.fill(context, partition.topic(), 0, 50, 51);
            Kit.equal(Kit.offsets(Kit.poll(consumer, 1)), List.of(50L), "what came after");
        }
    }

    private static void offset(Context context) throws Exception {
        var partition = filled(context, 100);
        try (var consumer = assigned(context, partition)) {
            consumer.seek(partition, 42);
            Kit.equal(Kit.offsets(Kit.poll(consumer, 58)), Kit.range(42, 100), "offsets");
            consumer.seek(partition, 5000);
            Kit.equal(Kit.offsets(Kit.poll(consumer, 100)), Kit.range(0, 100), "after a reset to the earliest");
        }
        try (var strict = assigned(context, partition, "auto.offset.reset", "none")) {
            strict.seek(partition, 5000);
            Kit.fails(OffsetOutOfRangeException.class, () -> Kit.poll(strict, 1), "out of range");
        }
    }

    private static void timestamp(Context context) throws Exception {
        // Old records, which retention must not take away.
        String topic = Kit.createTopic(context, context.topic(), 2, "retention.ms", "-1");
        var first = new TopicPartition(topic, 0);
        var empty = new TopicPartition(topic, 1);
        // One batch a record, so that the index has something to find.
        Kit.send(
            context,
            IntStream.range(0, 100)
                .mapToObj(n -> new ProducerRecord<String, String>(topic, 0, NOW_MS + n * 1000L, null, "" + n))
                .toList(),
            "batch.size", 0);
        try (var consumer = assigned(context, first)) {
            Kit.equal(offsetAt(consumer, first, NOW_MS + 40_000), 40L, "the exact time");
            Kit.equal(offsetAt(consumer, first, NOW_MS + 40_001), 41L, "between two records");
            Kit.equal(offsetAt(consumer, first, NOW_MS - 1), 0L, "before all");
            Kit.equal(offsetAt(consumer, first, NOW_MS + 99_001), null, "after all");
            Kit.equal(offsetAt(consumer, empty, NOW_MS), null, "an empty partition");
            consumer.seek(first, offsetAt(consumer, first, NOW_MS + 90_000));
            Kit.equal(
                Kit.poll(consumer, 10).stream().map(ConsumerRecord::timestamp).toList(),
                IntStream.range(90, 100).mapToObj(n -> NOW_MS + n * 1000L).toList(),
                "timestamps");
        }
        String stamped = Kit.createTopic(context, context.topic("append-time"), 1, "message.timestamp.type", "LogAppendTime");
        long before = System.currentTimeMillis();
        Kit.send(context, List.of(new ProducerRecord<>(stamped, 0, NOW_MS, null, "v")));
        long at = Kit.read(context, stamped, 1, 1).get(0).timestamp();
        Kit.check(at >= before - 1000 && at <= System.currentTimeMillis() + 1000, "LogAppendTime gave " + at);
    }

    private static Long offsetAt(KafkaConsumer<String, String> consumer, TopicPartition partition, long timestamp) {
        var found = consumer.offsetsForTimes(Map.of(partition, timestamp)).get(partition);
        return found == null ? null : found.offset();
    }

    private static void pauseResume(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 2);
        var paused = new TopicPartition(topic, 0);
        var other = new TopicPartition(topic, 1);
        try (var consumer = Kit.consumer(context, context.group())) {
            consumer.assign(List.of(paused, other));
            Kit.fill(context, topic, 0, 0, 50);
            Kit.fill(context, topic, 1, 0, 50);
            Kit.poll(consumer, 100);
            consumer.pause(List.of(paused));
            Kit.fill(context, topic, 0, 50, 100);
            Kit.fill(context, topic, 1, 50, 100);
            Kit.check(Kit.poll(consumer, 50).stream().allMatch(record -> record.partition() == 1), "a paused partition spoke");
            Kit.silent(consumer);
            consumer.resume(List.of(paused));
            Kit.equal(Kit.offsets(Kit.poll(consumer, 50)), Kit.range(50, 100), "after the pause");
        }
    }

    private static void seek(Context context) throws Exception {
        var partition = filled(context, 200);
        try (var consumer = assigned(context, partition, "max.poll.records", 20)) {
            consumer.seekToBeginning(List.of(partition));
            Kit.poll(consumer, 140);
            for (int target : new int[] {10, 180, 0, 120}) {
                consumer.seek(partition, target);
                Kit.equal(Kit.offsets(Kit.poll(consumer, 20)), Kit.range(target, target + 20), "after a seek to " + target);
            }
            Kit.equal(consumer.position(partition), 140L, "position");
        }
    }

    private static void unknownTopic(Context context) throws Exception {
        String absent = context.topic("absent");
        try (var consumer = Kit.consumer(context, context.group(), "allow.auto.create.topics", false)) {
            var found = consumer.partitionsFor(absent, Duration.ofSeconds(5));
            Kit.equal(found, NewerCalls.NO_PARTITIONS, "partitions of what is not there");
        }
        try (var admin = Kit.admin(context)) {
            Kit.fails(
                UnknownTopicOrPartitionException.class,
                () -> NewerCalls.describe(admin, absent),
                "describing what is not there");
            Kit.fails(
                UnknownTopicOrPartitionException.class,
                () -> Kit.get(admin.deleteTopics(List.of(absent)).all()),
                "deleting what is not there");
            Kit.check(!Kit.get(admin.listTopics().names()).contains(absent), "asking for a topic has created it");
        }
        String wanted = context.topic("wanted");
        Kit.send(context, List.of(new ProducerRecord<>(wanted, "creates its topic")));
        Kit.equal(Kit.values(Kit.read(context, wanted, 1, 1)), List.of("creates its topic"), "the auto-created topic");
        Kit.fails(
            InvalidTopicException.class,
            () -> Kit.send(context, List.of(new ProducerRecord<>("no such name/", "v"))),
            "a bad name");
    }

    private static void badPartition(Context context) throws Exception {
        var partition = filled(context, 10);
        Kit.fails(
            TimeoutException.class,
            () -> Kit.send(context, List.of(Kit.record(partition.topic(), 99, "v")), "max.block.ms", 3000),
            "producing");
        var absent = new TopicPartition(partition.topic(), 99);
        try (var consumer = assigned(context, partition, "default.api.timeout.ms", 5000)) {
            Kit.fails(TimeoutException.class, () -> consumer.endOffsets(List.of(absent)), "asking");
            Kit.fails(
                Exception.class,
                () -> {
                    consumer.commitSync(Map.of(absent, new OffsetAndMetadata(0)));
                    return null;
                },
                "committing");
            consumer.seekToBeginning(List.of(partition));
            Kit.equal(Kit.poll(consumer, 10).size(), 10, "records of the partition that is there");
        }
    }
}
