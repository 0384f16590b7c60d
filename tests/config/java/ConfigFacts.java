import java.lang.reflect.Field;
import java.util.*;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.coordinator.group.GroupConfig;
import org.apache.kafka.server.config.AbstractKafkaConfig;
import org.apache.kafka.server.config.ConfigSynonym;
import org.apache.kafka.server.config.DynamicBrokerConfig;
import org.apache.kafka.server.config.QuotaConfig;
import org.apache.kafka.server.config.ServerTopicConfigSynonyms;
import org.apache.kafka.server.metrics.ClientMetricsConfigs;
import org.apache.kafka.storage.internals.log.LogConfig;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;

/** Prints Apache Kafka's configuration facts as JSON: names, types, defaults, validators, update modes. */
public class ConfigFacts {
    static Map<String, Object> key(ConfigDef.ConfigKey key) {
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("type", key.type.name());
        out.put("required", !key.hasDefault());
        Object value = key.hasDefault() ? key.defaultValue : null;
        out.put("default", value == null ? null : ConfigDef.convertToString(value, key.type));
        out.put("importance", key.importance.name());
        out.put("validator", key.validator == null ? null : key.validator.toString());
        out.put("list_rule", listRule(key.validator));
        out.put("validator_class", key.validator == null ? null : key.validator.getClass().getSimpleName());
        out.put("internal", key.internalConfig);
        return out;
    }

    /** A list's rule: null unless restricted, else whether empty and null are allowed (duplicates never are). */
    static Map<String, Object> listRule(ConfigDef.Validator validator) {
        if (!(validator instanceof ConfigDef.ValidList)) return null;
        try {
            Map<String, Object> out = new LinkedHashMap<>();
            for (String name : List.of("isEmptyAllowed", "isNullAllowed")) {
                Field field = ConfigDef.ValidList.class.getDeclaredField(name);
                field.setAccessible(true);
                out.put(name, field.get(validator));
            }
            return out;
        } catch (ReflectiveOperationException e) {
            throw new IllegalStateException(e);
        }
    }

    static Map<String, Object> keys(ConfigDef definition) {
        Map<String, Object> out = new TreeMap<>();
        for (Map.Entry<String, ConfigDef.ConfigKey> entry : definition.configKeys().entrySet())
            out.put(entry.getKey(), key(entry.getValue()));
        return out;
    }

    @SuppressWarnings("unchecked")
    static Set<String> set(String name) throws Exception {
        Field field = DynamicBrokerConfig.class.getDeclaredField(name);
        field.setAccessible(true);
        return new TreeSet<>((Set<String>) field.get(null));
    }

    public static void main(String[] args) throws Exception {
        Map<String, Object> out = new LinkedHashMap<>();
        out.put("broker", keys(AbstractKafkaConfig.CONFIG_DEF));
        Map<String, Object> topic = keys(LogConfig.configDefCopy());
        out.put("topic", topic);
        Map<String, Object> synonyms = new TreeMap<>();
        for (Map.Entry<String, List<ConfigSynonym>> entry : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.entrySet()) {
            List<List<Object>> list = new ArrayList<>();
            for (ConfigSynonym synonym : entry.getValue()) {
                list.add(List.of(synonym.name(), synonym.converter().apply("1")));
            }
            synonyms.put(entry.getKey(), list);
        }
        out.put("topic_synonyms", synonyms);
        out.put("topic_synonym", new TreeMap<>(ServerTopicConfigSynonyms.TOPIC_CONFIG_SYNONYMS));
        out.put("group", keys(GroupConfig.CONFIG_DEF));
        Map<String, Object> groupSynonyms = new TreeMap<>();
        GroupConfig.ALL_GROUP_CONFIG_SYNONYMS.forEach((k, v) -> groupSynonyms.put(k, v.orElse(null)));
        out.put("group_synonym", groupSynonyms);
        out.put("client_metrics", keys(ClientMetricsConfigs.configDef()));
        out.put("dynamic", new TreeMap<>(DynamicBrokerConfig.dynamicConfigUpdateModes()));
        out.put("dynamic_all", new TreeSet<>(DynamicBrokerConfig.ALL_DYNAMIC_CONFIGS));
        out.put("per_broker", set("PER_BROKER_CONFIGS"));
        out.put("cluster_level_listener", set("CLUSTER_LEVEL_LISTENER_CONFIGS"));
        out.put("listener_mechanism", set("LISTENER_MECHANISM_CONFIGS"));
        Map<String, Object> brokerSynonyms = new TreeMap<>();
        for (String name : AbstractKafkaConfig.CONFIG_DEF.names()) {
            List<String> list = DynamicBrokerConfig.brokerConfigSynonyms(name, true);
            if (list.size() != 1 || !list.get(0).equals(name)) brokerSynonyms.put(name, list);
        }
        out.put("broker_synonyms", brokerSynonyms);
        out.put("quota", keys(QuotaConfig.brokerQuotaConfigs()));
        System.out.println(new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(out));
    }
}
