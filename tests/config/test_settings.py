"""Where settings come from, what is refused, and what modes and dynamic configs change."""

import logging

import pytest

from kbroker.config import Config, ConfigError
from kbroker.config.sources import variable_to_key
from kbroker.config.topics import effective_topic_config

# What images that start a single Apache Kafka node set (testcontainers, compose files of tutorials).
SINGLE_NODE_IMAGES = [
    {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:9092",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_HEAP_OPTS": "-Xmx512m",
        "CLUSTER_ID": "4L6g3nShT-eMCtK--X86sw",
    },
    {
        "KAFKA_BROKER_ID": "7",
        "KAFKA_NODE_ID": "7",
        "KAFKA_LISTENERS": "PLAINTEXT://0.0.0.0:9092,BROKER://0.0.0.0:9093,CONTROLLER://0.0.0.0:9094",
        "KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://localhost:32768,BROKER://5c2a:9093",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "BROKER:PLAINTEXT,PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "BROKER",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "7@localhost:9094",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "1",
        "KAFKA_LOG_FLUSH_INTERVAL_MESSAGES": "9223372036854775807",
        "KAFKA_CONFLUENT_SUPPORT_METRICS_ENABLE": "false",
    },
]


def refused(properties: dict[str, str]) -> str:
    with pytest.raises(ConfigError) as caught:
        Config.from_sources(properties)
    text = str(caught.value)
    assert "\n" not in text
    return text


def test_alone_it_is_node_1_on_the_loopback_with_data_beside_it() -> None:
    config = Config.from_sources()
    assert config.mode == "dev"
    assert config.node_id == 1
    assert config.log_directory == "./kbroker-data"
    assert repr(config.listeners) == "(PLAINTEXT://127.0.0.1:9092,)"
    assert config.listeners[0].advertised is None
    assert config.admin_address == ("127.0.0.1", 9644)
    assert config.notices == []
    assert config.int("group.initial.rebalance.delay.ms") == 0
    assert config.bool("auto.create.topics.enable")


def test_kafka_mode_has_kafkas_defaults() -> None:
    config = Config.from_sources(mode="kafka")
    assert config.log_directory == "/tmp/kafka-logs"
    assert repr(config.listeners) == "(PLAINTEXT://:9092,)"
    assert config.int("group.initial.rebalance.delay.ms") == 3000
    assert config.int("socket.listen.backlog.size") == 50


def test_an_explicit_key_wins_in_both_modes() -> None:
    for mode in ("dev", "kafka"):
        config = Config.from_sources({"group.initial.rebalance.delay.ms": "77", "log.dir": "/a"}, mode=mode)
        assert config.int("group.initial.rebalance.delay.ms") == 77
        assert config.log_directory == "/a"


def test_internal_topics_fit_the_live_brokers_in_dev_mode_unless_told_otherwise() -> None:
    key = "offsets.topic.replication.factor"
    assert Config.from_sources().capped(key, 1) == 1
    assert Config.from_sources().capped(key, 2) == 2
    assert Config.from_sources().capped(key, 5) == 3
    assert Config.from_sources({key: "2"}).capped(key, 1) == 2
    assert Config.from_sources(mode="kafka").capped(key, 1) == 3


def test_override_beats_variable_beats_file() -> None:
    file, variables = {"num.partitions": "1"}, {"KAFKA_NUM_PARTITIONS": "2"}
    assert Config.from_sources(file).int("num.partitions") == 1
    assert Config.from_sources(file, variables).int("num.partitions") == 2
    assert Config.from_sources(file, variables, {"num.partitions": "3"}).int("num.partitions") == 3


def test_the_mode_may_stand_in_a_file_and_the_option_wins() -> None:
    assert Config.from_sources({"kbroker.mode": "kafka"}).mode == "kafka"
    assert Config.from_sources({"kbroker.mode": "kafka"}, mode="dev").mode == "dev"
    assert Config.from_sources({}, {"KAFKA_KBROKER_MODE": "kafka"}).mode == "kafka"


@pytest.mark.parametrize(
    ("variable", "key"),
    [
        ("KAFKA_NUM_PARTITIONS", "num.partitions"),
        ("KAFKA_A__B", "a_b"),
        ("KAFKA_A___B", "a-b"),
        ("KAFKA_A_B___C__D", "a.b-c_d"),
        ("KAFKA_KBROKER_ADMIN_LISTENER", "kbroker.admin.listener"),
    ],
)
def test_variables_are_named_as_in_kafkas_image(variable: str, key: str) -> None:
    assert variable_to_key(variable) == key


@pytest.mark.parametrize("environment", SINGLE_NODE_IMAGES)
def test_what_starts_a_single_apache_kafka_starts_kbroker(environment: dict[str, str]) -> None:
    config = Config.from_sources({}, environment)
    assert config.node_id == int(environment["KAFKA_NODE_ID"])
    assert "CONTROLLER" not in [listener.name for listener in config.listeners]
    assert all(listener.advertised for listener in config.listeners)
    assert any("controller" in text for _, text in config.notices)


def test_variables_that_are_no_settings_do_no_harm() -> None:
    environment = {
        "KAFKA_HOME": "/opt/kafka",
        "KAFKA_JMX_PORT": "9999",
        "KAFKA_LOG4J_ROOT_LOGLEVEL": "WARN",
        "KAFKA_OPTS": "-Dx",
        "KAFKA_BROKERS": "kafka:9092",
        "KAFKA_PORT": "tcp://10.0.0.1:9092",
        "KAFKA_NUM_PARTITIONS": "",
        "KAFKA_ADVERTISED_LISTENERS": "",
        "HOME": "/root",
    }
    config = Config.from_sources({}, environment)
    assert config.int("num.partitions") == 1
    assert [text.split()[0] for _, text in config.notices] == ["KAFKA_BROKERS", "port"]


def test_a_key_that_is_not_supported_yet_gives_one_line() -> None:
    config = Config.from_sources({"ssl.protocol": "TLSv1.3", "num.io.threads": "4", "num.partitions": "2"})
    assert config.notices == [
        (logging.INFO, "ssl.protocol is a Kafka setting that kbroker does not support yet"),
        (logging.INFO, "num.io.threads is a Kafka setting that has no meaning in kbroker"),
    ]


def test_settings_of_older_releases_are_named_and_ignored() -> None:
    config = Config.from_sources({"zookeeper.connect": "localhost:2181"})
    ((level, text),) = config.notices
    assert level == logging.WARNING
    assert "older Kafka" in text


def test_a_typo_names_the_nearest_key() -> None:
    assert "Did you mean num.partitions?" in refused({"num.partition": "3"})
    assert "Did you mean log.retention.ms?" in refused({"log.retention.msec": "3"})
    assert "Did you mean kbroker.admin.listener?" in refused({"kbroker.admin.listner": ""})
    assert "is no setting of Kafka or kbroker." in refused({"zzzzzzzzz": ""})
    assert "for all topics it is log.retention.ms" in refused({"retention.ms": "1"})
    with pytest.raises(ConfigError, match=r"\(KAFKA_NUM_PARTITION\).*Did you mean num\.partitions"):
        Config.from_sources({}, {"KAFKA_NUM_PARTITION": "3"})


def test_a_bad_value_says_where_it_was_written() -> None:
    assert refused({"num.partitions": "many"}) == (
        "Invalid value many for configuration num.partitions: "
        "Not a number of type INT (the configuration file)"
    )
    with pytest.raises(ConfigError, match=r"\(KAFKA_NUM_PARTITIONS\)"):
        Config.from_sources({}, {"KAFKA_NUM_PARTITIONS": "0"})


@pytest.mark.parametrize(
    ("properties", "reason"),
    [
        ({"process.roles": "controller"}, "single node so far"),
        ({"process.roles": "broker"}, "single node so far"),
        ({"node.id": "1", "broker.id": "2"}, "differ"),
        ({"controller.quorum.voters": "1@a:9093,2@b:9093"}, "several members"),
        ({"controller.quorum.voters": "2@a:9093"}, "this is node 1"),
        ({"controller.quorum.voters": "1@a"}, "host:port"),
        ({"log.dirs": "/a,/b"}, "2 directories"),
        ({"metadata.log.dir": "/b"}, "metadata.log.dir"),
        ({"authorizer.class.name": "org.apache.StandardAuthorizer"}, "access control"),
        ({"log.retention.ms": "0"}, "log.retention.ms must be unlimited"),
        ({"log.roll.ms": "0"}, "log.roll.ms must be"),
        ({"log.roll.jitter.ms": "-1"}, "log.roll.jitter.ms must be"),
        ({"queued.max.request.bytes": "10"}, "socket.request.max.bytes"),
        ({"max.connections.per.ip": "0"}, "max.connections.per.ip"),
        ({"max.connections.per.ip.overrides": "a:b"}, "address:count"),
        ({"kbroker.topics": "a:x"}, "not a count"),
        ({"kbroker.cluster.id": "a b"}, "id of a cluster"),
        ({"kbroker.admin.listener": "9644"}, "host:port"),
        ({"kbroker.mode": "prod"}, "dev, kafka"),
        ({"inter.broker.listener.name": "X"}, "listeners does not define"),
    ],
)
def test_refused_in_one_sentence(properties: dict[str, str], reason: str) -> None:
    assert reason in refused(properties)


def test_queued_bytes_come_from_kafkas_key_when_given() -> None:
    assert Config.from_sources().int("kbroker.queued.bytes.max") == 256 * 1024 * 1024
    config = Config.from_sources({"queued.max.request.bytes": "200000000"})
    assert config.int("kbroker.queued.bytes.max") == 200_000_000


def test_connections_per_address() -> None:
    config = Config.from_sources({"max.connections.per.ip.overrides": "10.0.0.1:5, [::1]:7,host:9"})
    assert config.max_connections_per_ip_overrides == {"10.0.0.1": 5, "::1": 7, "host": 9}


def test_topics_declared_by_key_and_by_variable() -> None:
    config = Config.from_sources({"kbroker.topics": "a:3:1,b:1:1:compact, c , d:::compact+delete"})
    declared = [(t.name, t.partitions, t.replication_factor, t.configs) for t in config.declared_topics]
    assert declared == [
        ("a", 3, 1, {}),
        ("b", 1, 1, {"cleanup.policy": "compact"}),
        ("c", -1, -1, {}),
        ("d", -1, -1, {"cleanup.policy": "compact,delete"}),
    ]
    config = Config.from_sources({}, {"KAFKA_CREATE_TOPICS": "a:1:1, b:2:1:compact\n c:1:1\n"})
    assert [t.name for t in config.declared_topics] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "topics", ["a:1:1,a:2:1", "a/b:1", "..:1", ":1:1", "a:0:1", "a:1:1:evict", "a:1:1:compact:x"]
)
def test_bad_declarations_of_topics(topics: str) -> None:
    assert refused({"kbroker.topics": topics}).startswith("kbroker.topics ")


def test_dynamic_configs_win_and_drop_their_synonyms() -> None:
    static = Config.from_sources({"log.retention.hours": "24", "num.partitions": "2"})
    config = static.with_dynamic({"log.retention.ms": "7", "log.roll.ms": "5"}, {"log.roll.ms": "6"})
    assert config.int("log.retention.ms") == 7
    assert config.int("log.retention.hours") == 168
    assert config.int("log.roll.ms") == 6
    assert config.int("num.partitions") == 2
    assert config.listeners == static.listeners
    assert static.int("log.retention.hours") == 24
    assert config.with_dynamic({}, {}).int("log.retention.hours") == 24


def test_a_dynamic_config_that_does_not_fit_is_left_out(caplog: pytest.LogCaptureFixture) -> None:
    config = Config.from_sources().with_dynamic({"log.roll.ms": "x", "from.the.future": "y"}, {})
    assert config.value("log.roll.ms") is None
    assert "log.roll.ms" in caplog.text


def test_a_topics_values_come_from_itself_then_the_broker() -> None:
    static = {"log.retention.minutes": "2", "log.roll.hours": "3", "message.max.bytes": "99"}
    config = Config.from_sources(static)
    values = effective_topic_config({"segment.bytes": "2097152", "unknown": "x"}, config)
    assert values["retention.ms"] == 120_000
    assert values["segment.ms"] == 3 * 3_600_000
    assert values["max.message.bytes"] == 99
    assert values["segment.bytes"] == 2097152
    assert values["cleanup.policy"] == ["delete"]
    assert values["flush.ms"] == (1 << 63) - 1
    assert "unknown" not in values


def test_any_negative_retention_is_for_ever() -> None:
    config = Config.from_sources({"log.retention.ms": "-5"})
    assert effective_topic_config({}, config)["retention.ms"] == -1


def test_the_configuration_of_a_listener_is_known_by_its_key() -> None:
    Config.from_sources({"listener.name.internal.ssl.keystore.location": "/x"})
    Config.from_sources({"listener.name.internal.scram-sha-512.sasl.jaas.config": "x"})
    assert "no setting" in refused({"listener.name.internal.nonsense": "x"})
