"""What holds for every placement of replicas."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.controller.placement import place
from kbroker.metadata.image import BrokerImage
from kbroker.protocol.errors import INVALID_REPLICATION_FACTOR, KafkaError
from tests.fakes.world import SeededRandom


def broker(id_: int, rack: str | None = None, **facts: bool | tuple[bytes, ...]) -> BrokerImage:
    image = BrokerImage(id_, 1, bytes(16), {}, {}, rack, fenced=False)
    return image._replace(**facts)  # type: ignore[arg-type]


clusters = st.lists(
    st.tuples(st.sampled_from([None, "a", "b", "c"]), st.booleans()), min_size=1, max_size=9
).map(lambda facts: [broker(id_, rack, fenced=fenced) for id_, (rack, fenced) in enumerate(facts)])


@given(clusters, st.integers(1, 20), st.integers(1, 9), st.integers(0, 1000))
def test_every_placement_keeps_the_rules(
    brokers: list[BrokerImage], partitions: int, replication_factor: int, seed: int
) -> None:
    alive = {one.id for one in brokers if not one.fenced}
    racks = {one.id: one.rack for one in brokers}
    if not alive or replication_factor > len(brokers):
        with pytest.raises(KafkaError) as refusal:
            place(brokers, partitions, replication_factor, SeededRandom(seed))
        assert refusal.value.code == INVALID_REPLICATION_FACTOR
        return
    placed = place(brokers, partitions, replication_factor, SeededRandom(seed))
    assert len(placed) == partitions
    for replicas in placed:
        assert len(set(replicas)) == len(replicas) == replication_factor
        assert replicas[0] in alive
        # No rack twice while another has none.
        used = Counter(racks[replica] for replica in replicas)
        assert len(used) == min(replication_factor, len(set(racks.values())))


def test_leaders_are_spread_evenly() -> None:
    brokers = [broker(id_) for id_ in range(5)]
    leaders = Counter(replicas[0] for replicas in place(brokers, 100, 3, SeededRandom()))
    assert set(leaders.values()) == {20}


def test_a_lost_broker_is_not_always_replaced_by_the_same_one() -> None:
    brokers = [broker(id_) for id_ in range(6)]
    seconds = {replicas[1] for replicas in place(brokers, 60, 2, SeededRandom()) if replicas[0] == 0}
    assert len(seconds) > 1


@pytest.mark.parametrize(
    "unusable",
    [
        broker(2, in_controlled_shutdown=True),
        broker(2, directories=(b"d",), cordoned_directories=(b"d",)),
    ],
    ids=["leaving", "cordoned"],
)
def test_brokers_without_a_future_get_nothing(unusable: BrokerImage) -> None:
    with pytest.raises(KafkaError):
        place([broker(1), unusable], 1, 2, SeededRandom())
    assert place([broker(1), unusable], 2, 1, SeededRandom()) == [[1], [1]]
