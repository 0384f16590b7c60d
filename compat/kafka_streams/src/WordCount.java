import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsBuilder;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.errors.StreamsUncaughtExceptionHandler.StreamThreadExceptionResponse;
import org.apache.kafka.streams.kstream.Consumed;
import org.apache.kafka.streams.kstream.Grouped;
import org.apache.kafka.streams.kstream.Materialized;
import org.apache.kafka.streams.kstream.Produced;
import org.apache.kafka.streams.kstream.TimeWindows;
import org.apache.kafka.streams.processor.StateRestoreListener;

/**
 * The application: lines in, running counts of their words out.
 *
 * <p>Told by arguments: bootstrap, application id, input, output, directory of its state, guarantee. It prints its
 * states, the records it restored and its errors, and ends when its standard input does.
 */
final class WordCount {
    static final String COUNTS = "counts";
    static final String HOURLY = "hourly";

    private WordCount() {}

    public static void main(String[] arguments) throws Exception {
        var settings = new Properties();
        settings.putAll(Map.of(
            StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, arguments[0],
            StreamsConfig.APPLICATION_ID_CONFIG, arguments[1],
            StreamsConfig.STATE_DIR_CONFIG, arguments[4],
            StreamsConfig.PROCESSING_GUARANTEE_CONFIG, arguments[5],
            StreamsConfig.NUM_STREAM_THREADS_CONFIG, 2,
            StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 200,
            StreamsConfig.REPARTITION_PURGE_INTERVAL_MS_CONFIG, 500,
            // Every update goes out, so that none can be missing unseen.
            StreamsConfig.STATESTORE_CACHE_MAX_BYTES_CONFIG, 0));
        settings.putAll(Map.of(
            "auto.offset.reset", "earliest", "session.timeout.ms", 6000, "heartbeat.interval.ms", 500,
            "reconnect.backoff.max.ms", 200));
        var streams = new KafkaStreams(topology(arguments[2], arguments[3]), settings);
        streams.setStateListener((now, before) -> System.out.println("state " + now));
        streams.setGlobalStateRestoreListener(new Restored());
        streams.setUncaughtExceptionHandler(error -> {
            System.out.println("error " + chain(error));
            return StreamThreadExceptionResponse.SHUTDOWN_CLIENT;
        });
        streams.start();
        Child.untilTold();
        System.exit(streams.close(Duration.ofSeconds(30)) ? 0 : 1);
    }

    private static Topology topology(String input, String output) {
        var builder = new StreamsBuilder();
        var words = builder.stream(input, Consumed.with(Serdes.String(), Serdes.String()))
            .flatMapValues(line -> List.of(line.split(" ")))
            .groupBy((key, word) -> word, Grouped.with("words", Serdes.String(), Serdes.String()));
        words.count(Materialized.as(COUNTS))
            .toStream()
            .mapValues(String::valueOf)
            .to(output, Produced.with(Serdes.String(), Serdes.String()));
        words.windowedBy(TimeWindows.ofSizeWithNoGrace(Duration.ofHours(1))).count(Materialized.as(HOURLY));
        return builder.build();
    }

    private static String chain(Throwable error) {
        return error == null ? "" : error.toString().replace("\n", " ") + " / " + chain(error.getCause());
    }

    private static final class Restored implements StateRestoreListener {
        @Override
        public void onRestoreStart(TopicPartition partition, String store, long from, long to) {}

        @Override
        public void onBatchRestored(TopicPartition partition, String store, long to, long count) {}

        @Override
        public void onRestoreEnd(TopicPartition partition, String store, long total) {
            System.out.println("restored " + store + " " + total);
        }
    }
}
