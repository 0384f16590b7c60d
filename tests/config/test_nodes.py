"""One configuration, several nodes."""

import pytest

from kbroker.config import Config, ConfigError
from kbroker.config.nodes import load_nodes

SERVER = {
    "node.id": "7",
    "listeners": "HOST://:9092,DOCKER://[::1]:19092,CONTROLLER://127.0.0.1:29093",
    "advertised.listeners": "HOST://localhost:39092",
    "listener.security.protocol.map": "HOST:PLAINTEXT,DOCKER:PLAINTEXT",
    "controller.quorum.voters": "7@127.0.0.1:29093",
    "kbroker.admin.listener": ":9644",
    "log.dirs": "/data",
    "num.partitions": "3",
}


def nodes(count: int, **more: str) -> list[Config]:
    properties = SERVER | {name.replace("_", "."): value for name, value in more.items()}
    return load_nodes(count, properties, {}, {}, None)


def test_ids_ports_and_directories_go_up() -> None:
    third = nodes(3)[2]
    assert third.node_id == third.int("broker.id") == 9
    assert [(x.name, x.host, x.port, x.advertised) for x in third.listeners] == [
        ("HOST", "", 9094, ("localhost", 39094)),
        ("DOCKER", "::1", 19094, None),
    ]
    assert third.list("listeners")[2] == "CONTROLLER://127.0.0.1:29095"
    assert third.list("controller.quorum.voters") == ["9@127.0.0.1:29095"]
    assert third.admin_address == ("", 9646)
    assert third.log_directory == "/data/node9"
    assert third.int("num.partitions") == 3


def test_the_first_has_the_ports_of_a_single_one() -> None:
    first, alone = nodes(2)[0], nodes(1)[0]
    assert [repr(x) for x in first.listeners] == [repr(x) for x in alone.listeners]
    assert first.admin_address == alone.admin_address
    assert (first.log_directory, alone.log_directory) == ("/data/node7", "/data")


def test_the_older_names_of_id_and_directories() -> None:
    properties = {"broker.id": "4", "log.dir": "/old", "metadata.log.dir": "/old"}
    second = load_nodes(2, properties, {}, {}, None)[1]
    assert (second.node_id, second.log_directory) == (5, "/old/node5")
    assert second.str("metadata.log.dir") == "/old/node5"


def test_variables_and_options_are_of_all() -> None:
    variables = {"KAFKA_ADVERTISED_LISTENERS": "PLAINTEXT://a:1000", "KAFKA_NODE_ID": "3"}
    second = load_nodes(2, {"listeners": "HOST://:1"}, variables, {"num.partitions": "2"}, "kafka")[1]
    assert [(x.name, x.port, x.advertised) for x in second.listeners] == [("PLAINTEXT", 1001, ("a", 1001))]
    assert (second.node_id, second.int("num.partitions"), second.mode) == (4, 2, "kafka")


def test_any_free_port_stays_one_and_no_admin_port_none() -> None:
    second = nodes(2, listeners="HOST://127.0.0.1:0", kbroker_admin_listener="")[1]
    assert second.listeners[0].port == 0
    assert second.admin_address is None


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (
            {"listeners": "HOST://:9092,DOCKER://:9093"},
            "Both DOCKER of node 7 and HOST of node 8 .* port 9093",
        ),
        ({"listeners": "HOST://:9092,CONTROLLER://:9093"}, "Both CONTROLLER of node 7 and HOST of node 8"),
        ({"kbroker.admin.listener": ":9093"}, "Both the admin port of node 7 and HOST of node 8"),
        ({"listeners": "HOST://:65535"}, "65536"),
        ({"kbroker.cluster.id": "one"}, "names one cluster"),
        ({"num.partition": "3"}, "Did you mean num.partitions"),
    ],
)
def test_what_several_cannot_have(settings: dict[str, str], reason: str) -> None:
    with pytest.raises(ConfigError, match=reason):
        load_nodes(2, SERVER | settings, {}, {}, None)
