"""Fetch: reading, and fetch sessions' stories."""

from compat.diff.batches import records
from compat.diff.cases.offsets import NO_TOPICS, delete, fill
from compat.diff.cases.produce import produce
from compat.diff.world import World, versions
from kbroker.protocol.generated.fetch_request import (
    FetchPartition,
    FetchRequest,
    FetchTopic,
    ForgottenTopic,
    ReplicaState,
)

HERE = "fetch-here"
EMPTY = "fetch-empty"
CUT = "fetch-cut"
FIRST_WITH_TOPIC_IDS = 13
_LARGE = 1 << 20


def run(world: World) -> None:
    ids = {name: world.topic(name, 2) for name in (HERE, EMPTY, CUT)}
    for topic in (HERE, CUT):
        for count, codec in ((3, 0), (5, 1), (2, 4)):
            fill(world, topic, count, codec=codec)
        fill(world, topic, 4, partition=1)
    world.ask(delete(CUT, (0, 5)), 2, "fixture")
    for version in versions(FetchRequest):
        fetch = _Fetch(world, version, ids)
        _offsets(fetch)
        _limits(fetch)
        _places(fetch)
        if version >= 7:
            _sessions(fetch)
            _wrong_sessions(fetch)
    _down_converted(world, ids)


class _Fetch:
    """Fetches of one version: topics by name or by id, whatever the version wants."""

    def __init__(self, world: World, version: int, ids: dict[str, bytes]) -> None:
        self.world = world
        self.version = version
        self.ids = ids

    def topic(self, name: str, *partitions: FetchPartition) -> FetchTopic:
        if self.version >= FIRST_WITH_TOPIC_IDS:
            return FetchTopic("", self.ids.get(name, b"no such topic id"), list(partitions))
        return FetchTopic(name, partitions=list(partitions))

    def forgotten(self, name: str, *partitions: int) -> ForgottenTopic:
        if self.version >= FIRST_WITH_TOPIC_IDS:
            return ForgottenTopic("", self.ids.get(name, b"no such topic id"), list(partitions))
        return ForgottenTopic(name, partitions=list(partitions))

    def request(self, *topics: FetchTopic, **more: object) -> FetchRequest:
        settings: dict[str, object] = {"max_bytes": _LARGE, "topics": list(topics), **more}
        request = FetchRequest(**settings)  # type: ignore[arg-type]
        if self.version >= 15 and "replica_id" in more:
            request.replica_state = ReplicaState(request.replica_id, -1)
            request.replica_id = -1
        return request

    def ask(self, case: str, *topics: FetchTopic, **more: object) -> int:
        """The session the answer names, as a token."""
        answer = self.world.ask(self.request(*topics, **more), self.version, case)
        session: int = answer["session_id"] if isinstance(answer, dict) else 0
        return session


def _at(partition: int, offset: int, limit: int = _LARGE, **more: int) -> FetchPartition:
    settings = {key: value for key, value in more.items() if key != "epoch"}
    return FetchPartition(
        partition,
        more.get("epoch", -1),
        offset,
        partition_max_bytes=limit,
        **settings,  # type: ignore[arg-type]
    )


def _offsets(fetch: _Fetch) -> None:
    for topic, offsets in (
        (HERE, (-2, -1, 0, 1, 3, 9, 10, 11, 2**63 - 1)),
        (EMPTY, (-1, 0, 1)),
        (CUT, (0, 4, 5, 8, 10)),
    ):
        for offset in offsets:
            fetch.ask(f"{topic} from {offset}", fetch.topic(topic, _at(0, offset)))
    if fetch.version >= 9:
        for epoch in (-2, 0, 1, 2**31 - 1):
            fetch.ask(f"current epoch {epoch}", fetch.topic(HERE, _at(0, 0, epoch=epoch)))
    if fetch.version >= 12:
        for epoch in (-2, 0, 1, 2**31 - 1):
            for offset in (0, 10, 11):
                place = fetch.topic(HERE, _at(0, offset, last_fetched_epoch=epoch))
                fetch.ask(f"last fetched epoch {epoch} from {offset}", place)
    for isolation in (-1, 1, 2, 127):
        fetch.ask(f"isolation {isolation}", fetch.topic(HERE, _at(0, 0)), isolation_level=isolation)


def _limits(fetch: _Fetch) -> None:
    both = (_at(0, 0), _at(1, 0))
    for limit in (-1, 0, 1, 61, 100, 150, 200, 2**31 - 1):
        fetch.ask(f"max bytes {limit}", fetch.topic(HERE, *both), max_bytes=limit)
        fetch.ask(f"partition max bytes {limit}", fetch.topic(HERE, _at(0, 0, limit), _at(1, 0, limit)))
        fetch.ask(f"partition max bytes {limit} from the middle", fetch.topic(HERE, _at(0, 4, limit)))
    for least in (-1, 0, 1, 100, 100_000):
        fetch.ask(f"min bytes {least}", fetch.topic(HERE, *both), min_bytes=least, max_wait_ms=1)
        fetch.ask(f"min bytes {least}, empty", fetch.topic(EMPTY, _at(0, 0)), min_bytes=least, max_wait_ms=1)
    fetch.ask("negative wait", fetch.topic(EMPTY, _at(0, 0)), min_bytes=1, max_wait_ms=-1)


def _places(fetch: _Fetch) -> None:
    good = _at(0, 0)
    fetch.ask("nothing")
    fetch.ask("no partitions", fetch.topic(HERE))
    for partition in (-1, 2, 2**31 - 1):
        fetch.ask(f"partition {partition}", fetch.topic(HERE, _at(partition, 0)))
    if fetch.version < FIRST_WITH_TOPIC_IDS:
        for name in NO_TOPICS:
            fetch.ask(f"topic {name[:20]!r}", fetch.topic(name, good))
    else:
        fetch.ask("an unknown id", fetch.topic("nowhere", good))
        fetch.ask("zero id", FetchTopic("", partitions=[good]))
    fetch.ask(
        "good, unknown, empty",
        fetch.topic(HERE, good),
        fetch.topic("nowhere", good),
        fetch.topic(EMPTY, good),
    )
    fetch.ask("good and out of range", fetch.topic(HERE, good, _at(1, 99)))
    fetch.ask("a partition twice", fetch.topic(HERE, good, good))
    fetch.ask("a topic twice", fetch.topic(HERE, good), fetch.topic(HERE, _at(1, 0)))
    if fetch.version >= 11:
        fetch.ask("a rack", fetch.topic(HERE, good), rack_id="rack")


def _sessions(fetch: _Fetch) -> None:
    """Full, incremental, with and without news, forgetting, ended."""
    world = fetch.world
    topic = f"fetch-session-{fetch.version}"
    fetch.ids[topic] = world.topic(topic, 3)
    for partition in (0, 1):
        world.ask(produce(topic, records(2), partition=partition), 9, "fixture")
    wanted = fetch.topic(topic, _at(0, 0), _at(1, 0), _at(2, 0))
    session = fetch.ask("a new session", wanted, session_epoch=0)
    fetch.ask("next, nothing new", session_id=session, session_epoch=1)
    fetch.ask("next, moved on", fetch.topic(topic, _at(0, 2), _at(1, 2)), session_id=session, session_epoch=2)
    fetch.ask("next, no news", session_id=session, session_epoch=3)
    world.ask(produce(topic, records(1), partition=2), 9, "fixture")
    fetch.ask("next, news", session_id=session, session_epoch=4)
    fetch.ask("the same epoch again", session_id=session, session_epoch=4)
    fetch.ask("an epoch too far", session_id=session, session_epoch=9)
    fetch.ask(
        "forgetting one",
        session_id=session,
        session_epoch=5,
        forgotten_topics_data=[fetch.forgotten(topic, 2)],
    )
    fetch.ask(
        "forgetting strangers",
        session_id=session,
        session_epoch=6,
        forgotten_topics_data=[fetch.forgotten(topic, 7), fetch.forgotten("nowhere", 0)],
    )
    fetch.ask("adding an unknown", fetch.topic("nowhere", _at(0, 0)), session_id=session, session_epoch=7)
    fetch.ask("with an unknown", session_id=session, session_epoch=8)
    fetch.ask(
        "adding an unknown partition", fetch.topic(topic, _at(9, 0)), session_id=session, session_epoch=9
    )
    fetch.ask("out of range", fetch.topic(topic, _at(0, 99)), session_id=session, session_epoch=10)
    fetch.ask("still out of range", session_id=session, session_epoch=11)
    fetch.ask(
        "adding one twice", fetch.topic(topic, _at(0, 0), _at(0, 1)), session_id=session, session_epoch=12
    )
    fetch.ask("a session in its place", wanted, session_id=session, session_epoch=0)
    fetch.ask("the one replaced", session_id=session, session_epoch=13)
    other = fetch.ask("another session", wanted, session_epoch=0)
    fetch.ask("ended", session_id=other, session_epoch=-1)
    fetch.ask("after its end", session_id=other, session_epoch=1)
    ended = fetch.ask("another session", wanted, session_epoch=0)
    fetch.ask("ended with a fetch", wanted, session_id=ended, session_epoch=-1)
    fetch.ask("after its end", session_id=ended, session_epoch=1)


def _wrong_sessions(fetch: _Fetch) -> None:
    # Of a larger one Apache Kafka asks a part of its cache that is not there.
    for session in (-1, 0, 5, 1_000_000_000):
        for epoch in (-2, -1, 0, 1, 2**31 - 1):
            fetch.ask(f"session {session} epoch {epoch}", session_id=session, session_epoch=epoch)
    fetch.ask("nothing, new session", session_epoch=0)
    fetch.ask("forgetting without a session", forgotten_topics_data=[fetch.forgotten(HERE, 0)])
    unknown = fetch.topic("nowhere", _at(0, 0))
    fetch.ask("unknown only, new session", unknown, session_epoch=0)
    fetch.ask("unknown too, new session", fetch.topic(HERE, _at(0, 0)), unknown, session_epoch=0)


def _down_converted(world: World, ids: dict[str, bytes]) -> None:
    """zstd was not known to Fetch before version 10."""
    topic = "fetch-zstd"
    ids[topic] = world.topic(topic, 1)
    world.ask(produce(topic, records(2, codec=4)), 9, "fixture")
    configured = "fetch-zstd-configured"
    ids[configured] = world.topic(configured, 1, {"compression.type": "zstd"})
    world.ask(produce(configured, records(2)), 9, "fixture")
    for version in versions(FetchRequest):
        fetch = _Fetch(world, version, ids)
        fetch.ask("zstd", fetch.topic(topic, _at(0, 0)))
        fetch.ask("zstd by the topic's settings", fetch.topic(configured, _at(0, 0)))
