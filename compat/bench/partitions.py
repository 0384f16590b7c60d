"""What many partitions cost: 1,000 and 10,000, in topics of 100, one replica each.

Created by one CreateTopics for each 1,000 (Apache Kafka takes no 10,000 at
once), until every partition answers ListOffsets without an error; listed by
Metadata of all topics, the first time and again; resident memory 5 s later,
with nothing in them; a clean stop; the start after it and the start after
kill -9, from spawning the process until every partition answers.

10,000 are tried once, whatever `--rounds` says. A broker that does not get on
within ten minutes has given up: it has no figure from there on.
"""

import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from compat.bench.client import Client
from compat.bench.kinds import broker_of, lasting
from compat.bench.report import MANY, Row
from compat.bench.turns import directory, ended, resident_mb, seconds, turns
from compat.brokers import BrokerFailed, BrokerProcess
from kbroker.protocol.generated.metadata_request import MetadataRequest

TOPIC_PARTITIONS: Final = 100
TOPICS_AT_ONCE: Final = 10
PATIENCE_S: Final = 600.0
IDLE_S: Final = 5.0
LISTED_AGAIN: Final = 20


def thousand(kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    """1,000 partitions."""
    return _measured(1000, kinds, rounds, folder)


def ten_thousand(kinds: Sequence[str], _rounds: int, folder: Path) -> list[Row]:
    """10,000 partitions, once."""
    return _measured(10_000, kinds, 1, folder)


PARTITIONS: Final[Mapping[str, Callable[[Sequence[str], int, Path], list[Row]]]] = {
    "partitions-1000": thousand,
    "partitions-10000": ten_thousand,
}


def _measured(count: int, kinds: Sequence[str], rounds: int, folder: Path) -> list[Row]:
    measured = _Partitions(count)
    for kind in turns(lasting(kinds), rounds):
        with directory(folder / "partitions") as home, ended(broker_of(kind, home)) as broker:
            try:
                measured.one_round(kind, broker)
            except (BrokerFailed, OSError) as error:
                print(f"{kind} gave up on {count:,} partitions: {error}", file=sys.stderr)
    return measured.rows


class _Partitions:
    """So many partitions, and what is measured of them."""

    def __init__(self, count: int) -> None:
        names = [f"many-{number}" for number in range(count // TOPIC_PARTITIONS)]
        self._topics = dict.fromkeys(names, TOPIC_PARTITIONS)
        name = f"{count:,} partitions"
        self._created = Row(f"{name}: created, all served", "s", group=MANY)
        self._first = Row(f"{name}: first Metadata of all", "ms", group=MANY)
        self._again = Row(f"{name}: Metadata of all again", "ms", group=MANY)
        self._resident = Row(f"{name}: resident memory, idle", "MB", group=MANY)
        self._stop = Row(f"{name}: clean stop", "s", group=MANY)
        self._stopped = Row(f"{name}: start after a clean stop, all served", "s", group=MANY)
        self._killed = Row(f"{name}: start after kill -9, all served", "s", group=MANY)
        self.rows = [
            *(self._created, self._first, self._again, self._resident),
            *(self._stop, self._stopped, self._killed),
        ]

    def one_round(self, kind: str, broker: BrokerProcess) -> None:
        broker.start_timeout_s = broker.stop_timeout_s = PATIENCE_S
        broker.start()
        with Client(broker, PATIENCE_S) as client:
            self._created.add(kind, seconds(lambda: self._create_all(client)))
            self._first.add(kind, _list_ms(client))
            self._again.add(kind, statistics.median(_list_ms(client) for _ in range(LISTED_AGAIN)))
        time.sleep(IDLE_S)
        self._resident.add(kind, resident_mb(broker.pid))
        self._stop.add(kind, seconds(broker.stop))
        self._stopped.add(kind, self._start_s(broker))
        broker.kill()
        self._killed.add(kind, self._start_s(broker))

    def _create_all(self, client: Client) -> None:
        names = list(self._topics)
        for first in range(0, len(names), TOPICS_AT_ONCE):
            some = names[first : first + TOPICS_AT_ONCE]
            client.create(dict.fromkeys(some, TOPIC_PARTITIONS), PATIENCE_S)

    def _start_s(self, broker: BrokerProcess) -> float:
        started_at_s = time.monotonic()
        broker.start()
        with Client(broker, PATIENCE_S) as client:
            client.await_served(self._topics, PATIENCE_S)
        return time.monotonic() - started_at_s


def _list_ms(client: Client) -> float:
    """How long the answer takes to come; reading it is left out."""
    request = MetadataRequest(None)
    return 1000 * seconds(lambda: client.exchange(request, 9))
