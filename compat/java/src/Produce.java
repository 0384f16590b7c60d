import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.errors.RecordTooLargeException;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.common.header.Header;
import org.apache.kafka.common.header.internals.RecordHeader;

/** Producing: codecs, keys, headers, sizes, acknowledgements. */
final class Produce {
    // Bytes of an uncompressed batch around one value: 61 of header, 11 of record.
    private static final int BATCH_OVERHEAD = 72;
    private static final int MAX_BATCH = 1_048_588;

    private Produce() {}

    static void register(Map<String, Program.Scenario> scenarios) {
        for (String codec : List.of("none", "gzip", "snappy", "lz4", "zstd")) {
            scenarios.put("produce_" + codec, context -> produce(context, codec));
        }
        scenarios.put("keyed_and_unkeyed", Produce::keyedAndUnkeyed);
        scenarios.put("headers", Produce::headers);
        scenarios.put("message_size_boundary", Produce::messageSizeBoundary);
        scenarios.put("idempotent", Produce::idempotent);
        scenarios.put("acks_0_1_all", Produce::acks);
        scenarios.put("transactional_refused", Produce::transactionalRefused);
    }

    private static void produce(Context context, String codec) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 3);
        List<ProducerRecord<String, String>> sent = new ArrayList<>();
        for (int number = 0; number < 600; number++) {
            sent.add(Kit.record(topic, number % 3, number + "the quick brown fox ".repeat(number % 200)));
        }
        Kit.send(context, sent, "compression.type", codec, "linger.ms", 20);
        var found = Kit.read(context, topic, sent.size(), 3, "check.crcs", true);
        for (int partition = 0; partition < 3; partition++) {
            int mine = partition;
            Kit.equal(
                found.stream().filter(record -> record.partition() == mine).map(record -> record.value()).toList(),
                sent.stream().filter(record -> record.partition() == mine).map(record -> record.value()).toList(),
                "partition " + partition);
        }
    }

    private static void keyedAndUnkeyed(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 6);
        List<ProducerRecord<String, String>> sent = new ArrayList<>();
        for (int number = 0; number < 200; number++) {
            sent.add(new ProducerRecord<>(topic, "key-" + number % 20, "" + number));
            sent.add(new ProducerRecord<>(topic, null, "unkeyed-" + number));
        }
        sent.add(new ProducerRecord<>(topic, "", "empty key"));
        sent.add(new ProducerRecord<>(topic, "tombstone", null));
        sent.add(new ProducerRecord<>(topic, "empty value", ""));
        Kit.send(context, sent);
        var found = Kit.read(context, topic, sent.size(), 6);
        for (int number = 0; number < 20; number++) {
            String key = "key-" + number;
            var mine = found.stream().filter(record -> key.equals(record.key())).toList();
            Kit.equal(mine.stream().map(record -> record.partition()).distinct().count(), 1L, "partitions of " + key);
            var order = mine.stream().map(record -> Integer.parseInt(record.value())).toList();
            Kit.equal(order, order.stream().sorted().toList(), "order of " + key);
            Kit.equal(order.size(), 10, "records of " + key);
        }
        Set<List<String>> pairs = new HashSet<>();
        found.forEach(record -> pairs.add(java.util.Arrays.asList(record.key(), record.value())));
        sent.forEach(record -> Kit.check(
            pairs.contains(java.util.Arrays.asList(record.key(), record.value())), record + " did not come back"));
    }

    private static void headers(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 1);
        List<List<Header>> cases = List.of(
            List.of(new RecordHeader("one", Kit.bytes("1"))),
            List.of(
                new RecordHeader("same", Kit.bytes("first")),
                new RecordHeader("other", Kit.bytes("x")),
                new RecordHeader("same", Kit.bytes("second"))),
            List.of(
                new RecordHeader("null", (byte[]) null),
                new RecordHeader("empty", new byte[0]),
                new RecordHeader("binary", new byte[] {0, 1, (byte) 255}),
                new RecordHeader("ünïcode", Kit.bytes("✓"))),
            List.of());
        List<ProducerRecord<String, String>> sent = new ArrayList<>();
        cases.forEach(headers -> sent.add(new ProducerRecord<>(topic, 0, (String) null, "v", headers)));
        Kit.send(context, sent);
        var found = Kit.read(context, topic, cases.size(), 1);
        for (int index = 0; index < cases.size(); index++) {
            Kit.equal(List.of(found.get(index).headers().toArray()), cases.get(index), "headers");
        }
    }

    private static void messageSizeBoundary(Context context) throws Exception {
        Object[] settings = {"max.request.size", 10_000_000, "compression.type", "none"};
        String topic = Kit.createTopic(context, context.topic(), 1);
        String largest = "x".repeat(MAX_BATCH - BATCH_OVERHEAD);
        Kit.send(context, List.of(Kit.record(topic, 0, largest)), settings);
        Kit.fails(
            RecordTooLargeException.class,
            () -> Kit.send(context, List.of(Kit.record(topic, 0, largest + "x")), settings),
            "one byte more");
        Kit.equal(Kit.values(Kit.read(context, topic, 1, 1)), List.of(largest), "the largest record");

        String roomy = Kit.createTopic(context, context.topic("roomy"), 1, "max.message.bytes", "5000000");
        String big = "y".repeat(4_000_000);
        Kit.send(context, List.of(Kit.record(roomy, 0, big)), settings);
        // At least one batch comes, however small the limits of the consumer are.
        var found = Kit.read(context, roomy, 1, 1, "max.partition.fetch.bytes", 1000, "fetch.max.bytes", 1000);
        Kit.equal(Kit.values(found), List.of(big), "a large record");

        String narrow = Kit.createTopic(context, context.topic("narrow"), 1, "max.message.bytes", "1000");
        Kit.send(context, List.of(Kit.record(narrow, 0, "x".repeat(930))), settings);
        Kit.fails(
            RecordTooLargeException.class,
            () -> Kit.send(context, List.of(Kit.record(narrow, 0, "x".repeat(1000))), settings),
            "above the topic's limit");
    }

    private static void idempotent(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 6);
        var sent = IntStream.range(0, 6000).mapToObj(n -> Kit.record(topic, n % 6, "" + n)).toList();
        var placed = Kit.send(context, sent, "enable.idempotence", true, "batch.size", 500, "linger.ms", 1);
        Map<Integer, List<Long>> offsets = placed.stream().collect(
            Collectors.groupingBy(RecordMetadata::partition, Collectors.mapping(RecordMetadata::offset, Collectors.toList())));
        var found = Kit.read(context, topic, sent.size(), 6);
        for (int partition = 0; partition < 6; partition++) {
            int mine = partition;
            Kit.equal(offsets.get(partition), Kit.range(0, 1000), "acknowledged offsets of partition " + partition);
            Kit.equal(
                found.stream().filter(record -> record.partition() == mine).map(record -> record.value()).toList(),
                sent.stream().filter(record -> record.partition() == mine).map(record -> record.value()).toList(),
                "partition " + partition);
        }
    }

    private static void acks(Context context) throws Exception {
        String topic = Kit.createTopic(context, context.topic(), 3);
        String[] all = {"0", "1", "all"};
        for (int partition = 0; partition < all.length; partition++) {
            String acks = all[partition];
            int mine = partition;
            var sent = IntStream.range(0, 300).mapToObj(n -> Kit.record(topic, mine, acks + "-" + n)).toList();
            var placed = Kit.send(context, sent, "acks", acks, "enable.idempotence", false, "batch.size", 500);
            if (!acks.equals("0")) {
                Kit.equal(placed.stream().map(RecordMetadata::offset).toList(), Kit.range(0, 300), "offsets with acks=" + acks);
            }
        }
        var found = Kit.read(context, topic, 900, 3);
        for (int partition = 0; partition < all.length; partition++) {
            int mine = partition;
            String acks = all[partition];
            Kit.equal(
                found.stream().filter(record -> record.partition() == mine).map(record -> record.value()).toList(),
                IntStream.range(0, 300).mapToObj(n -> acks + "-" + n).toList(),
                "acks=" + acks);
        }
    }

    private static void transactionalRefused(Context context) {
        long started = System.nanoTime();
        try (var producer = Kit.producer(context, "transactional.id", context.group(), "max.block.ms", 30_000)) {
            Throwable error = Kit.fails(
                Exception.class,
                () -> {
                    producer.initTransactions();
                    return null;
                },
                "a transactional producer");
            Kit.check(System.nanoTime() - started < 5_000_000_000L, "the error took more than 5 s: " + error);
            Kit.check(!(error instanceof RetriableException), "an error that clients retry: " + error);
        }
    }
}
