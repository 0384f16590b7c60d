import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.util.*;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.admin.*;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.errors.ApiException;
import org.apache.kafka.common.protocol.Errors;

/**
 * Asks a running Apache Kafka broker to describe configurations and to refuse bad ones, and prints what it answered.
 * Arguments: bootstrap server, and a file of cases, one per line: "resource type, resource name, key, value", tab-separated.
 */
public class ConfigAnswers {
    static Admin admin;

    static List<Map<String, Object>> describe(ConfigResource.Type type, String name) throws Exception {
        ConfigResource resource = new ConfigResource(type, name);
        DescribeConfigsOptions options = new DescribeConfigsOptions().includeSynonyms(true);
        Config config = admin.describeConfigs(List.of(resource), options).all().get().get(resource);
        List<Map<String, Object>> out = new ArrayList<>();
        for (ConfigEntry entry : config.entries()) {
            Map<String, Object> one = new LinkedHashMap<>();
            one.put("name", entry.name());
            one.put("value", entry.value());
            one.put("source", entry.source().name());
            one.put("type", entry.type().name());
            one.put("read_only", entry.isReadOnly());
            one.put("sensitive", entry.isSensitive());
            List<List<String>> synonyms = new ArrayList<>();
            for (ConfigEntry.ConfigSynonym synonym : entry.synonyms())
                synonyms.add(Arrays.asList(synonym.name(), synonym.value(), synonym.source().name()));
            one.put("synonyms", synonyms);
            out.add(one);
        }
        out.sort(Comparator.comparing(entry -> (String) entry.get("name")));
        return out;
    }

    static Map<String, Object> alter(ConfigResource resource, String key, String value, AlterConfigOp.OpType op) throws Exception {
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("type", resource.type().name());
        out.put("resource", resource.name());
        out.put("key", key);
        out.put("value", value);
        try {
            AlterConfigOp change = new AlterConfigOp(new ConfigEntry(key, value), op);
            admin.incrementalAlterConfigs(Map.of(resource, List.of(change)), new AlterConfigsOptions().validateOnly(true)).all().get();
            out.put("error", 0);
            out.put("message", null);
        } catch (ExecutionException e) {
            out.put("error", (int) Errors.forException(e.getCause()).code());
            out.put("message", e.getCause().getMessage());
        }
        return out;
    }

    static void set(ConfigResource.Type type, String name, String key, String value) throws Exception {
        AlterConfigOp change = new AlterConfigOp(new ConfigEntry(key, value), AlterConfigOp.OpType.SET);
        admin.incrementalAlterConfigs(Map.of(new ConfigResource(type, name), List.of(change))).all().get();
    }

    public static void main(String[] args) throws Exception {
        admin = Admin.create(Map.of("bootstrap.servers", args[0]));
        if (!admin.listTopics().names().get().contains("plain"))
            admin.createTopics(List.of(new NewTopic("plain", 1, (short) 1))).all().get();
        Map<String, Object> out = new LinkedHashMap<>();
        List<Map<String, Object>> answers = new ArrayList<>();
        for (String line : java.nio.file.Files.readAllLines(java.nio.file.Path.of(args[1]))) {
            String[] parts = line.split("\t", -1);
            ConfigResource resource = new ConfigResource(ConfigResource.Type.valueOf(parts[0]), parts[1]);
            answers.add(alter(resource, parts[2], parts[3], AlterConfigOp.OpType.SET));
        }
        out.put("alter", answers);
        set(ConfigResource.Type.BROKER, "", "log.retention.ms", "7200000");
        set(ConfigResource.Type.BROKER, "1", "log.retention.ms", "3600000");
        set(ConfigResource.Type.BROKER, "", "log.cleaner.min.cleanable.ratio", "0.75");
        set(ConfigResource.Type.BROKER, "", "log.roll.ms", "100000");
        set(ConfigResource.Type.BROKER, "1", "leader.replication.throttled.rate", "12345");
        set(ConfigResource.Type.BROKER, "", "log.flush.interval.ms", "1000");
        set(ConfigResource.Type.TOPIC, "plain", "cleanup.policy", "compact,delete");
        set(ConfigResource.Type.TOPIC, "plain", "segment.bytes", "2097152");
        set(ConfigResource.Type.TOPIC, "plain", "min.cleanable.dirty.ratio", "0.10");
        set(ConfigResource.Type.GROUP, "workers", "consumer.session.timeout.ms", "50000");
        set(ConfigResource.Type.CLIENT_METRICS, "all", "interval.ms", "60000");
        Thread.sleep(1500);
        out.put("topic", describe(ConfigResource.Type.TOPIC, "plain"));
        out.put("broker", describe(ConfigResource.Type.BROKER, "1"));
        out.put("broker_default", describe(ConfigResource.Type.BROKER, ""));
        out.put("group", describe(ConfigResource.Type.GROUP, "workers"));
        out.put("client_metrics", describe(ConfigResource.Type.CLIENT_METRICS, "all"));
        System.out.println(new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(out));
        admin.close();
    }
}
