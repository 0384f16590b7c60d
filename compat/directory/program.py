"""The program: journeys of a directory between kbroker and Apache Kafka."""

import sys
from collections.abc import Sequence
from functools import partial

import confluent_kafka

from compat.directory import facts
from compat.directory.by_hand import new_producer_id
from compat.directory.stayers import Stayers
from compat.directory.story import Story
from compat.directory.turns import Turns, at
from compat.harness import Context, Scenario, check, equal, eventually, serve
from compat.kafka import artifacts
from compat.kafka_tools.dump import check_directory


def journey(turns: Sequence[tuple[str, str]]) -> Scenario:
    """A scenario: brokers by turns, each ended in its way; every one sees and continues what was before."""

    def scenario(context: Context) -> None:
        directory = Turns(context.scratch, first=turns[0][0])
        try:
            _go(context, directory, turns)
        finally:
            directory.close()
        check_directory(directory.directory)

    return scenario


def _go(context: Context, directory: Turns, turns: Sequence[tuple[str, str]]) -> None:
    story = Story()
    stayers: Stayers | None = None
    before: facts.Facts = {}
    producer_id = -1
    for number, (kind, how) in enumerate(turns):
        directory.start(kind)
        here = at(context, directory, kind)
        if number:
            facts.same(here, before, f"{kind}, turn {number + 1}")
        producer_id = _next_producer_id(here, producer_id)
        story.chapter(here, number)
        stayers = stayers or Stayers(here)
        stayers.go_on(story)
        before = facts.containing(here, story.expected, f"{kind}, after chapter {number}")
        story.check_records(before)
        equal(story.lives_of_again(), number + 1, "ids of a topic that is deleted and created again")
        producer_id = _next_producer_id(here, producer_id)
        if number == len(turns) - 1:
            stayers.close()
        first = story.first_offset("trimmed", 0)
        eventually(partial(directory.has_written_down, "trimmed", 0, first), "the start is written down")
        directory.end(kind, how)


def _next_producer_id(context: Context, last: int) -> int:
    """An id that nobody had: larger than all before, whichever broker gave them."""
    producer_id = new_producer_id(context)
    check(producer_id > last, f"producer id {producer_id} after {last}")
    return producer_id


SCENARIOS: dict[str, Scenario] = {
    "way_out_and_back": journey(
        [("kbroker", "stop"), ("kafka", "stop"), ("kbroker", "stop"), ("kafka", "stop")]
    ),
    "way_out_and_back_killed": journey(
        [("kbroker", "kill"), ("kafka", "kill"), ("kbroker", "kill"), ("kafka", "stop")]
    ),
    "way_in_and_back": journey([("kafka", "stop"), ("kbroker", "stop"), ("kafka", "stop")]),
}

if __name__ == "__main__":
    version = f"Apache Kafka {artifacts.VERSION}, confluent-kafka {confluent_kafka.__version__}"
    sys.exit(serve(version, SCENARIOS))
