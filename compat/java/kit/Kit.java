import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.StringDeserializer;
import org.apache.kafka.common.serialization.StringSerializer;

/** Small words the scenarios are written in: make, send, read, check. */
final class Kit {
    private Kit() {}

    static void check(boolean condition, String message) {
        if (!condition) {
            throw new AssertionError(message);
        }
    }

    static void equal(Object found, Object expected, String what) {
        if (!Objects.equals(found, expected)) {
            throw new AssertionError(what + ": expected " + cut(expected) + ", found " + cut(found));
        }
    }

    static void eventually(Callable<Boolean> condition, String what, int seconds) throws Exception {
        long deadline = System.nanoTime() + seconds * 1_000_000_000L;
        while (!condition.call()) {
            check(System.nanoTime() < deadline, "not within " + seconds + " s: " + what);
            Thread.sleep(50);
        }
    }

    /** The exception that something must fail with. */
    static Throwable fails(Class<? extends Throwable> expected, Callable<?> action, String what) {
        try {
            action.call();
        } catch (Throwable error) {
            Throwable cause = error instanceof ExecutionException ? error.getCause() : error;
            check(expected.isInstance(cause), what + ": expected " + expected.getSimpleName() + ", found " + cause);
            return cause;
        }
        throw new AssertionError(what + ": expected " + expected.getSimpleName() + ", but it worked");
    }

    /** Pairs of name and value as settings. */
    static Map<String, Object> settings(Context context, Object... pairs) {
        Map<String, Object> settings = new HashMap<>();
        settings.put("bootstrap.servers", context.bootstrap());
        settings.put("reconnect.backoff.max.ms", 200);
        for (int index = 0; index < pairs.length; index += 2) {
            settings.put((String) pairs[index], pairs[index + 1]);
        }
        return settings;
    }

    static Admin admin(Context context) {
        return Admin.create(settings(context));
    }

    static String createTopic(Context context, String name, int partitions, String... configs) throws Exception {
        Map<String, String> settings = new HashMap<>();
        for (int index = 0; index < configs.length; index += 2) {
            settings.put(configs[index], configs[index + 1]);
        }
        try (Admin admin = admin(context)) {
            admin.createTopics(List.of(new NewTopic(name, partitions, (short) 1).configs(settings))).all().get();
            if (context.kind().equals("kafka")) {
                // Apache Kafka answers before its partitions are served; this waits for them.
                Map<TopicPartition, OffsetSpec> latest = new HashMap<>();
                IntStream.range(0, partitions)
                    .forEach(partition -> latest.put(new TopicPartition(name, partition), OffsetSpec.latest()));
                eventually(() -> served(admin, latest), name + " is served", 20);
            }
        }
        return name;
    }

    private static boolean served(Admin admin, Map<TopicPartition, OffsetSpec> latest) throws InterruptedException {
        try {
            admin.listOffsets(latest).all().get();
            return true;
        } catch (ExecutionException notYet) {
            return false;
        }
    }

    static KafkaProducer<String, String> producer(Context context, Object... pairs) {
        return new KafkaProducer<>(settings(context, pairs), new StringSerializer(), new StringSerializer());
    }

    static ProducerRecord<String, String> record(String topic, int partition, String value) {
        return new ProducerRecord<>(topic, partition, null, value);
    }

    /** Send all and wait; where each was placed. Throws the first failure. */
    static List<RecordMetadata> send(
            Context context, List<ProducerRecord<String, String>> records, Object... pairs) throws Exception {
        List<Future<RecordMetadata>> futures = new ArrayList<>();
        try (var producer = producer(context, pairs)) {
            records.forEach(record -> futures.add(producer.send(record)));
        }
        List<RecordMetadata> placed = new ArrayList<>();
        for (var future : futures) {
            placed.add(future.get());
        }
        return placed;
    }

    /** `count` numbered records into one partition. */
    static void fill(Context context, String topic, int partition, int from, int to) throws Exception {
        send(context, IntStream.range(from, to).mapToObj(n -> record(topic, partition, "" + n)).toList(), "batch.size", 200);
    }

    static KafkaConsumer<String, String> consumer(Context context, String group, Object... pairs) {
        var settings = settings(context, "group.id", group, "enable.auto.commit", false, "auto.offset.reset", "earliest");
        settings.putAll(settings(context, pairs));
        return new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer());
    }

    /** Exactly `count` records. */
    static List<ConsumerRecord<String, String>> poll(KafkaConsumer<String, String> consumer, int count) {
        List<ConsumerRecord<String, String>> found = new ArrayList<>();
        long deadline = System.nanoTime() + 20_000_000_000L;
        while (found.size() < count) {
            check(System.nanoTime() < deadline, found.size() + " of " + count + " records within 20 s");
            consumer.poll(Duration.ofMillis(200)).forEach(found::add);
        }
        equal(found.size(), count, "records polled");
        return found;
    }

    static void silent(KafkaConsumer<String, String> consumer) {
        check(consumer.poll(Duration.ofSeconds(1)).isEmpty(), "records where none were due");
    }

    /** All records of some partitions, without a group. */
    static List<ConsumerRecord<String, String>> read(
            Context context, String topic, int count, int partitions, Object... pairs) {
        try (var consumer = consumer(context, context.group("reader"), pairs)) {
            var assigned = IntStream.range(0, partitions).mapToObj(p -> new TopicPartition(topic, p)).toList();
            consumer.assign(assigned);
            consumer.seekToBeginning(assigned);
            var found = poll(consumer, count);
            check(consumer.poll(Duration.ofMillis(300)).isEmpty(), "more than " + count + " records");
            return found;
        }
    }

    static List<String> values(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::value).toList();
    }

    static List<Long> offsets(List<ConsumerRecord<String, String>> records) {
        return records.stream().map(ConsumerRecord::offset).toList();
    }

    static List<Long> range(long from, long to) {
        return java.util.stream.LongStream.range(from, to).boxed().toList();
    }

    static List<String> numbers(int from, int to) {
        return IntStream.range(from, to).mapToObj(Integer::toString).toList();
    }

    static <T> T get(KafkaFuture<T> future) throws Exception {
        return future.get(20, java.util.concurrent.TimeUnit.SECONDS);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String cut(Object value) {
        String text = value instanceof byte[] array ? Arrays.toString(array) : String.valueOf(value);
        return text.length() <= 300 ? text : text.substring(0, 200) + "… (" + text.length() + " characters)";
    }
}
