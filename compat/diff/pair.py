"""The two brokers, as alike as they can be started.

Both get the same properties, and Apache Kafka is formatted without the
features that kbroker does not have.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from compat.brokers import HOST, BrokerProcess, Kbroker, free_port
from compat.kafka.server import Kafka

# Fewer partitions of committed offsets start sooner; records have old timestamps, and stay; the backlog
# and the receive buffer are kbroker's own defaults for a laptop.
PROPERTIES: Final[Mapping[str, str]] = {
    "offsets.topic.num.partitions": "4",
    "log.retention.ms": "-1",
    "socket.listen.backlog.size": "50",
    "socket.receive.buffer.bytes": "102400",
}
# Features of Apache Kafka 4.3.1 that kbroker formats a directory without.
WITHOUT: Final = ("eligible.leader.replicas", "group", "share", "streams", "transaction")


def brokers(folder: Path) -> tuple[BrokerProcess, BrokerProcess]:
    """kbroker and Apache Kafka, not started yet."""
    return _Kbroker(folder / "kbroker", PROPERTIES), _Kafka(folder / "kafka", PROPERTIES)


class _Kbroker(Kbroker):
    def own_properties(self) -> dict[str, str]:
        controller = f"{HOST}:{free_port()}"
        return {
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"1@{controller}",
            "kbroker.admin.listener": "",
        }


class _Kafka(Kafka):
    def format_options(self) -> list[str]:
        return [f"--feature={name}.version=0" for name in WITHOUT]
