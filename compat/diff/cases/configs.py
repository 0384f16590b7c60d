"""DescribeConfigs, AlterConfigs, IncrementalAlterConfigs, ListConfigResources."""

from compat.diff.cases.topics import CONFIGS
from compat.diff.world import World, can_carry, versions
from kbroker.protocol.generated import alter_configs_request as replace
from kbroker.protocol.generated import incremental_alter_configs_request as change
from kbroker.protocol.generated.describe_configs_request import (
    DescribeConfigsRequest,
    DescribeConfigsResource,
)
from kbroker.protocol.generated.list_config_resources_request import ListConfigResourcesRequest

HERE = "configs-here"
TOPIC, BROKER, LOGGER, METRICS, GROUP = 2, 4, 8, 16, 32
SET, DELETE, APPEND, SUBTRACT = range(4)

# Resources that are not there, or that there can't be.
RESOURCES = (
    *(
        (TOPIC, "configs-nowhere"),
        (TOPIC, ""),
        (TOPIC, "a b"),
        (TOPIC, "x" * 250),
        (TOPIC, "__consumer_offsets"),
    ),
    *((BROKER, "1"), (BROKER, ""), (BROKER, "2"), (BROKER, "x"), (BROKER, "-1"), (BROKER, "01")),
    *((LOGGER, "1"), (LOGGER, ""), (LOGGER, "2"), (LOGGER, "x")),
    *((METRICS, "subscription"), (METRICS, ""), (GROUP, "configs-group"), (GROUP, "")),
    *((0, "x"), (1, "x"), (3, "x"), (64, "x"), (-1, "x")),
)


def run(world: World) -> None:
    world.topic(HERE, 1, {"retention.ms": "5000", "cleanup.policy": "compact"})
    _describe(world)
    for version in versions(change.IncrementalAlterConfigsRequest):
        _change(world, _Change(world, version))
        _change_others(_Change(world, version))
    _replace(world)
    world.each(ListConfigResourcesRequest([]), "all")
    for kind in (TOPIC, BROKER, LOGGER, METRICS, GROUP, 0, 1, 64, -1):
        world.each(ListConfigResourcesRequest([kind]), f"type {kind}")
    world.each(ListConfigResourcesRequest([TOPIC, BROKER, TOPIC]), "several types")


def _describe(world: World) -> None:
    def ask(case: str, *resources: DescribeConfigsResource, **more: bool) -> None:
        world.each(DescribeConfigsRequest(list(resources), **more), case)

    some = ["retention.ms", "cleanup.policy", "segment.bytes", "no.such.config"]
    ask("a topic", DescribeConfigsResource(TOPIC, HERE, None))
    ask("a topic, no keys", DescribeConfigsResource(TOPIC, HERE, []))
    ask("a topic, some keys", DescribeConfigsResource(TOPIC, HERE, some))
    ask("a key twice", DescribeConfigsResource(TOPIC, HERE, ["retention.ms", "retention.ms"]))
    ask("synonyms", DescribeConfigsResource(TOPIC, HERE, some), include_synonyms=True)
    ask("all synonyms", DescribeConfigsResource(TOPIC, HERE, None), include_synonyms=True)
    ask("documentation", DescribeConfigsResource(TOPIC, HERE, some), include_documentation=True)
    for kind, name in RESOURCES:
        ask(f"type {kind} {name[:20]!r}", DescribeConfigsResource(kind, name, ["retention.ms", "log.dirs"]))
    for name in ("", "1"):
        ask(f"all of broker {name!r}", DescribeConfigsResource(BROKER, name, None))
    synonyms = ["log.retention.ms", "num.partitions", "node.id", "broker.id", "log.dirs", "message.max.bytes"]
    ask("broker synonyms", DescribeConfigsResource(BROKER, "1", synonyms), include_synonyms=True)
    ask("none")
    twice = DescribeConfigsResource(TOPIC, HERE, ["retention.ms"])
    ask("twice", twice, twice)
    ask("good and unknown", twice, DescribeConfigsResource(TOPIC, "configs-nowhere", None))


# In this order, each upon what the one before has left.
CHANGES: tuple[tuple[int, str, str | None], ...] = (
    (APPEND, "cleanup.policy", "delete"),
    (APPEND, "cleanup.policy", "delete"),
    (SUBTRACT, "cleanup.policy", "compact"),
    (SUBTRACT, "cleanup.policy", "nothing"),
    (SUBTRACT, "cleanup.policy", "delete"),
    (APPEND, "retention.ms", "1"),
    (SUBTRACT, "retention.ms", "1"),
    (DELETE, "retention.ms", None),
    (DELETE, "retention.ms", "5"),
    (DELETE, "no.such.config", None),
    (SET, "retention.ms", "77"),
    (SET, "cleanup.policy", "compact"),
    (APPEND, "cleanup.policy", None),
)
OF_BROKERS = (
    *(("log.retention.ms", "1"), ("log.retention.ms", "x"), ("log.dirs", "/tmp"), ("node.id", "5")),
    *(("num.partitions", "2"), ("no.such.config", "1"), ("message.max.bytes", "2000000")),
    ("max.connections", "50"),
)


class _Change:
    """IncrementalAlterConfigs of one version."""

    def __init__(self, world: World, version: int) -> None:
        self.world = world
        self.version = version

    def __call__(self, case: str, *resources: change.AlterConfigsResource, validate: bool = False) -> None:
        request = change.IncrementalAlterConfigsRequest(list(resources), validate)
        if can_carry(request, self.version):
            self.world.ask(request, self.version, case)


def _one(
    operation: int, key: str, value: str | None, kind: int = TOPIC, name: str = HERE
) -> change.AlterConfigsResource:
    return change.AlterConfigsResource(kind, name, [change.AlterableConfig(key, operation, value)])


def _change(world: World, ask: _Change) -> None:
    for key, value in CONFIGS:
        ask(f"set {key}={value}", _one(SET, key, value), validate=True)
    for operation in (-1, 4, 127):
        ask(f"operation {operation}", _one(operation, "retention.ms", "1"))
    for operation, key, value in CHANGES:
        ask(f"{operation} {key} {value}", _one(operation, key, value))
        see(world, "after a change")
    ask("none")
    ask("twice", _one(SET, "retention.ms", "1"), _one(SET, "retention.ms", "2"))
    keys = [change.AlterableConfig("retention.ms", SET, value) for value in ("1", "2")]
    ask("a key twice", change.AlterConfigsResource(TOPIC, HERE, keys))
    unknown = _one(SET, "retention.ms", "9", TOPIC, "configs-nowhere")
    ask("good and bad", _one(SET, "retention.ms", "9"), unknown)
    see(world, "after all changes")


def _change_others(ask: _Change) -> None:
    for kind, name in RESOURCES:
        ask(f"type {kind} {name[:20]!r}", _one(SET, "retention.ms", "1", kind, name), validate=True)
        ask(f"type {kind} {name[:20]!r}, nothing", change.AlterConfigsResource(kind, name, []))
    for key, value in OF_BROKERS:
        for name in ("", "1"):
            ask(f"broker {name!r} {key}={value}", _one(SET, key, value, BROKER, name), validate=True)


def _replace(world: World) -> None:
    for version in versions(replace.AlterConfigsRequest):

        def ask(case: str, *resources: replace.AlterConfigsResource, validate_only: bool = False) -> None:
            world.ask(replace.AlterConfigsRequest(list(resources), validate_only), version, case)  # noqa: B023

        def one(
            key: str, value: str | None, kind: int = TOPIC, name: str = HERE
        ) -> replace.AlterConfigsResource:
            return replace.AlterConfigsResource(kind, name, [replace.AlterableConfig(key, value)])

        for key, value in CONFIGS:
            ask(f"{key}={value}", one(key, value), validate_only=True)
        ask("one", one("retention.ms", "1234"))
        see(world, "after one")
        ask("nothing", replace.AlterConfigsResource(TOPIC, HERE, []))
        see(world, "after nothing")
        for kind, name in RESOURCES:
            ask(f"type {kind} {name[:20]!r}", one("retention.ms", "1", kind, name), validate_only=True)
        ask("none")
        ask("good and bad", one("retention.ms", "9"), one("retention.ms", "9", TOPIC, "configs-nowhere"))
        see(world, "after all replacements")

    twice = [replace.AlterConfigsResource(TOPIC, HERE, []), replace.AlterConfigsResource(TOPIC, HERE, [])]
    world.ask(replace.AlterConfigsRequest(twice), 1, "never answered: a resource twice", patience_s=1)


def see(world: World, case: str) -> None:
    """What is set must be the same. Apache Kafka's brokers learn of a change a moment after its answer."""
    wanted = DescribeConfigsRequest(
        [DescribeConfigsResource(TOPIC, HERE, ["retention.ms", "cleanup.policy"])]
    )
    world.ask_settled(wanted, 4, case)
