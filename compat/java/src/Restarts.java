import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.kafka.common.errors.RetriableException;
import org.apache.kafka.clients.consumer.CommitFailedException;

/** The broker goes away and comes back under clients that stay. */
final class Restarts {
    private static final int PARTITIONS = 3;

    private final Context context;
    private final String topic;
    private final AtomicBoolean stop = new AtomicBoolean();
    private final AtomicInteger sent = new AtomicInteger();
    private final Map<Integer, List<Integer>> acknowledged = new ConcurrentHashMap<>();
    private final Set<String> read = ConcurrentHashMap.newKeySet();
    private final List<String> errors = new CopyOnWriteArrayList<>();

    private Restarts(Context context, String topic) {
        this.context = context;
        this.topic = topic;
        for (int partition = 0; partition < PARTITIONS; partition++) {
            acknowledged.put(partition, new CopyOnWriteArrayList<>());
        }
    }

    static void restartInTheMiddle(Context context) throws Exception {
        var load = new Restarts(context, Kit.createTopic(context, context.topic(), PARTITIONS));
        List<Thread> threads = new ArrayList<>(List.of(new Thread(load::produce)));
        for (int count = 0; count < 2; count++) {
            threads.add(new Thread(load::consume));
        }
        threads.forEach(Thread::start);
        try {
            for (String action : List.of("kill", "stop")) {
                load.progress();
                context.broker(action);
                context.broker("start");
            }
            load.progress();
        } finally {
            load.stop.set(true);
            for (Thread thread : threads) {
                thread.join(60_000);
            }
        }
        load.verify();
    }

    private void progress() throws Exception {
        int sentBefore = sent.get();
        int readBefore = read.size();
        Kit.eventually(
            () -> !errors.isEmpty() || (sent.get() >= sentBefore + 500 && read.size() >= readBefore + 500),
            "500 more records are acknowledged and read",
            45);
    }

    private void verify() {
        Kit.equal(errors, List.of(), "errors of clients");
        var found = Kit.read(context, topic, sent.get(), PARTITIONS);
        acknowledged.forEach((partition, numbers) -> Kit.equal(
            found.stream().filter(each -> each.partition() == partition).map(each -> Integer.valueOf(each.value())).toList(),
            numbers.stream().sorted().toList(),
            "records of partition " + partition));
    }

    private void produce() {
        try (var producer = Kit.producer(context, "enable.idempotence", true, "linger.ms", 2, "reconnect.backoff.ms", 20)) {
            for (int number = 0; !stop.get(); number++) {
                int mine = number;
                producer.send(Kit.record(topic, number % PARTITIONS, "" + number), (placed, error) -> {
                    if (error != null) {
                        errors.add("produce: " + error);
                    } else {
                        acknowledged.get(placed.partition()).add(mine);
                        sent.incrementAndGet();
                    }
                });
                Thread.sleep(1);
            }
        } catch (Exception error) {
            errors.add("produce: " + error);
        }
    }

    private void consume() {
        try (var consumer = Kit.consumer(context, context.group(), "heartbeat.interval.ms", 500, "reconnect.backoff.ms", 20)) {
            consumer.subscribe(List.of(topic));
            while (!stop.get()) {
                consumer.poll(Duration.ofMillis(100)).forEach(record -> read.add(record.partition() + "-" + record.offset()));
                try {
                    consumer.commitSync(Duration.ofSeconds(30));
                } catch (RetriableException | CommitFailedException away) {
                    continue; // The next commit says more.
                }
            }
        } catch (Exception error) {
            errors.add("consume: " + error);
        }
    }
}
