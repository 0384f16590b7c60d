import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import org.apache.kafka.clients.consumer.ConsumerRebalanceListener;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.errors.FencedInstanceIdException;
import org.apache.kafka.common.serialization.StringDeserializer;

/** A consumer in a process of its own, so that it can be killed: both ends of it. */
final class Member {
    private final Child process;
    private volatile Set<Integer> assigned = Set.of();
    private volatile int rebalances;
    private volatile String error = "";
    private final List<String> values = new CopyOnWriteArrayList<>();

    /** Start one; pairs are settings of its consumer. */
    Member(Context context, String group, String topic, String... pairs) throws IOException {
        List<String> arguments = new ArrayList<>(List.of(context.bootstrap(), group, topic));
        arguments.addAll(List.of(pairs));
        process = new Child(this::heard, arguments);
    }

    Set<Integer> assigned() {
        return assigned;
    }

    int rebalances() {
        return rebalances;
    }

    String error() {
        return error;
    }

    List<String> values() {
        return values;
    }

    /** End it by closing its consumer. */
    void leave() throws Exception {
        process.end();
    }

    /** SIGKILL. */
    void kill() throws InterruptedException {
        process.kill();
    }

    private void heard(String word, String text) {
        switch (word) {
            case "assigned" -> {
                assigned = text.isEmpty()
                    ? Set.of()
                    : List.of(text.split(",")).stream().map(Integer::valueOf).collect(Collectors.toSet());
                rebalances++;
            }
            case "record" -> values.add(text);
            default -> error = text;
        }
    }

    /** Wait until the members share all partitions evenly, each owned once. */
    static void settled(List<Member> members, int partitions) throws Exception {
        Kit.eventually(
            () -> {
                List<Integer> owned = members.stream().flatMap(member -> member.assigned().stream()).sorted().toList();
                var sizes = members.stream().mapToInt(member -> member.assigned().size()).summaryStatistics();
                return owned.size() == partitions
                    && Set.copyOf(owned).size() == partitions
                    && sizes.getMax() - sizes.getMin() <= 1;
            },
            members.size() + " members share " + partitions + " partitions evenly",
            60);
    }

    /** The other end: bootstrap, group, topic, settings. Ends when its standard input does. */
    public static void main(String[] arguments) throws Exception {
        Map<String, Object> settings = new HashMap<>(Map.of(
            "bootstrap.servers", arguments[0], "group.id", arguments[1], "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "session.timeout.ms", 6000, "heartbeat.interval.ms", 500));
        for (int index = 3; index < arguments.length; index += 2) {
            settings.put(arguments[index], arguments[index + 1]);
        }
        Set<Integer> owned = new TreeSet<>();
        try (var consumer = new KafkaConsumer<>(settings, new StringDeserializer(), new StringDeserializer())) {
            consumer.subscribe(List.of(arguments[2]), new ConsumerRebalanceListener() {
                @Override
                public void onPartitionsRevoked(Collection<TopicPartition> partitions) {
                    partitions.forEach(partition -> owned.remove(partition.partition()));
                    tell();
                }

                @Override
                public void onPartitionsAssigned(Collection<TopicPartition> partitions) {
                    partitions.forEach(partition -> owned.add(partition.partition()));
                    tell();
                }

                private void tell() {
                    System.out.println("assigned " + owned.stream().map(String::valueOf).collect(Collectors.joining(",")));
                }
            });
            var told = new Thread(() -> {
                Child.untilTold();
                consumer.wakeup();
            });
            told.setDaemon(true);
            told.start();
            while (told.isAlive()) {
                for (var record : consumer.poll(Duration.ofMillis(100))) {
                    System.out.println("record " + record.value());
                }
                consumer.commitAsync();
            }
        } catch (FencedInstanceIdException error) {
            System.out.println("error fenced");
        } catch (org.apache.kafka.common.errors.WakeupException told) {
            // The consumer has been closed on the way here.
        }
        System.exit(0);
    }
}
