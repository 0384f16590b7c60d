import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;

/** A word count over a repartition topic, with changelogs. */
final class Counting {
    private static final int PARTITIONS = 2;
    private static final int VOCABULARY = 50;
    private static final int WORDS_PER_LINE = 10;
    private static final String AT_LEAST_ONCE = "at_least_once";

    private final Context context;
    private final String input;
    private final String output;
    private final Path directory;
    private final List<Instance> instances = new ArrayList<>();
    private final Map<String, Long> expected = new TreeMap<>();
    private int lines;

    private Counting(Context context) throws Exception {
        this.context = context;
        input = Kit.createTopic(context, context.topic("lines"), PARTITIONS);
        output = Kit.createTopic(context, context.topic("counts"), PARTITIONS);
        directory = Files.createTempDirectory("compat-streams-");
    }

    private interface Story {
        void tell(Counting counting) throws Exception;
    }

    private static void with(Context context, Story story) throws Exception {
        var counting = new Counting(context);
        try {
            story.tell(counting);
        } finally {
            for (Instance instance : counting.instances) {
                instance.kill();
            }
            delete(counting.directory);
        }
    }

    /** Two instances share the work; every count is told, once and in order. */
    static void wordCount(Context context) throws Exception {
        with(context, counting -> {
            counting.start(AT_LEAST_ONCE).running();
            counting.write(200);
            counting.settled();
            var second = counting.start(AT_LEAST_ONCE);
            second.running();
            counting.write(1000);
            counting.settled();
            counting.everyCountOnce();
            counting.internalTopics();
            counting.purged();
            second.leave();
            counting.write(200);
            counting.settled();
            counting.everyCountOnce();
            counting.instances.get(0).leave();
        });
    }

    /** The state comes back from the changelog; a killed broker loses none of it. */
    static void restart(Context context) throws Exception {
        with(context, counting -> {
            var first = counting.start(AT_LEAST_ONCE);
            first.running();
            counting.write(500);
            counting.settled();
            first.kill();
            delete(counting.directory.resolve("0"));
            var second = counting.start(AT_LEAST_ONCE);
            second.running();
            long updates = 500 * WORDS_PER_LINE;
            Kit.equal(second.restored(WordCount.COUNTS), updates, "records restored from the changelog");
            Kit.equal(second.restored(WordCount.HOURLY), updates, "records restored from the windowed changelog");
            counting.write(500);
            counting.settled();
            counting.everyCountOnce();
            int rebalances = second.rebalances();
            for (String action : List.of("kill", "stop")) {
                counting.write(100);
                context.broker(action);
                context.broker("start");
                counting.write(100);
                counting.settled();
            }
            if (second.rebalances() == rebalances) {
                // Else a task may have gone back to what it had committed.
                counting.everyCountOnce();
            }
            second.leave();
        });
    }

    /** An application that must have transactions ends at once, and says why. */
    static void exactlyOnceRefused(Context context) throws Exception {
        with(context, counting -> {
            long started = System.nanoTime();
            var instance = counting.start("exactly_once_v2");
            Kit.eventually(() -> instance.state().equals("ERROR"), "the application has failed", 60);
            Kit.check(instance.error().contains("Transactional"), "the error says little: " + instance.error());
            Kit.check(System.nanoTime() - started < 30_000_000_000L, "the error took more than 30 s: " + instance.error());
        });
    }

    private Instance start(String guarantee) throws Exception {
        var instance = new Instance(
            context, input, output, directory.resolve("" + instances.size()), guarantee);
        instances.add(instance);
        return instance;
    }

    private void write(int count) throws Exception {
        List<ProducerRecord<String, String>> records = new ArrayList<>();
        for (int number = lines; number < lines + count; number++) {
            int line = number;
            List<String> words = IntStream.range(0, WORDS_PER_LINE)
                .mapToObj(word -> "word-" + (line * 7 + word * word) % VOCABULARY)
                .toList();
            words.forEach(word -> expected.merge(word, 1L, Long::sum));
            records.add(Kit.record(input, number % PARTITIONS, String.join(" ", words)));
        }
        lines += count;
        Kit.send(context, records);
    }

    /** Wait until all that was written is counted, and committed as read. */
    private void settled() throws Exception {
        try (Admin admin = Kit.admin(context); var consumer = Kit.consumer(context, context.group("reader"))) {
            var partitions = IntStream.range(0, PARTITIONS).mapToObj(n -> new TopicPartition(output, n)).toList();
            consumer.assign(partitions);
            consumer.seekToBeginning(partitions);
            Map<String, Long> counts = new HashMap<>();
            Kit.eventually(
                () -> {
                    instances.forEach(instance -> Kit.check(instance.error().isEmpty(), instance.error()));
                    consumer.poll(java.time.Duration.ofMillis(100))
                        .forEach(record -> counts.put(record.key(), Long.valueOf(record.value())));
                    return counts.keySet().equals(expected.keySet())
                        && expected.entrySet().stream().allMatch(each -> counts.get(each.getKey()) >= each.getValue());
                },
                "all words are counted",
                60);
            Kit.eventually(() -> committed(admin), "all that was read is committed", 30);
        }
    }

    private boolean committed(Admin admin) throws Exception {
        var offsets = Kit.get(admin.listConsumerGroupOffsets(context.group()).partitionsToOffsetAndMetadata());
        var latest = offsets.keySet().stream().collect(Collectors.toMap(each -> each, each -> OffsetSpec.latest()));
        var ends = Kit.get(admin.listOffsets(latest).all());
        return offsets.size() == 2 * PARTITIONS
            && offsets.entrySet().stream().allMatch(each -> each.getValue().offset() == ends.get(each.getKey()).offset());
    }

    /** The output names 1, 2, 3 … for each word, up to its number. */
    private void everyCountOnce() throws Exception {
        long updates = (long) lines * WORDS_PER_LINE;
        var found = Kit.read(context, output, (int) updates, PARTITIONS);
        for (var each : expected.entrySet()) {
            Kit.equal(
                found.stream().filter(record -> record.key().equals(each.getKey())).map(record -> Long.valueOf(record.value())).toList(),
                Kit.range(1, each.getValue() + 1),
                "counts of " + each.getKey());
        }
    }

    private void internalTopics() throws Exception {
        String prefix = context.group() + "-";
        String repartition = prefix + "words-repartition";
        String counts = prefix + WordCount.COUNTS + "-changelog";
        String hourly = prefix + WordCount.HOURLY + "-changelog";
        try (Admin admin = Kit.admin(context)) {
            var mine = Kit.get(admin.listTopics().names()).stream()
                .filter(name -> name.startsWith(prefix) && !name.equals(input) && !name.equals(output))
                .collect(Collectors.toSet());
            Kit.equal(mine, Set.of(repartition, counts, hourly), "topics that the application made");
            Kit.equal(config(admin, repartition, "cleanup.policy"), "delete", "policy of the repartition topic");
            Kit.equal(config(admin, repartition, "retention.ms"), "-1", "retention of the repartition topic");
            Kit.equal(config(admin, counts, "cleanup.policy"), "compact", "policy of the changelog");
            Kit.equal(Set.of(config(admin, hourly, "cleanup.policy").split(",")), Set.of("compact", "delete"), "of the windowed one");
            for (var topic : Kit.get(admin.describeTopics(mine).allTopicNames()).values()) {
                Kit.equal(topic.partitions().size(), PARTITIONS, "partitions of " + topic.name());
            }
        }
    }

    private static String config(Admin admin, String topic, String name) throws Exception {
        var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic);
        return Kit.get(admin.describeConfigs(List.of(resource)).all()).get(resource).get(name).value();
    }

    /** What was read of a repartition topic is deleted by the application. */
    private void purged() throws Exception {
        var partitions = IntStream.range(0, PARTITIONS)
            .mapToObj(n -> new TopicPartition(context.group() + "-words-repartition", n))
            .toList();
        try (var consumer = Kit.consumer(context, context.group("reader"))) {
            Kit.eventually(
                () -> consumer.beginningOffsets(partitions).equals(consumer.endOffsets(partitions)),
                "the repartition topic is purged",
                30);
            consumer.endOffsets(partitions).forEach((partition, end) -> Kit.check(end > 0, partition + " was never used"));
        }
    }

    private static void delete(Path folder) throws Exception {
        try (var files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        }
    }
}
