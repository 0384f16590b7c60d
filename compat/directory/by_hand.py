"""Requests that confluent-kafka has no words for."""

import struct
from typing import Final

from compat import wire
from compat.harness import Context, equal, eventually

INIT_PRODUCER_ID: Final = 22
INCREMENTAL_ALTER_CONFIGS: Final = 44
BROKER: Final = 4
COORDINATOR_LOAD_IN_PROGRESS: Final = 14


def new_producer_id(context: Context) -> int:
    """InitProducerId v1 for a producer without transactions."""
    found: list[int] = []

    def given() -> bool:
        answer = _request(context, INIT_PRODUCER_ID, 1, struct.pack(">hi", -1, 60_000))
        _, error, producer_id, epoch = struct.unpack(">ihqh", answer)
        if error == COORDINATOR_LOAD_IN_PROGRESS:  # Apache Kafka has to fetch a block of them first.
            return False
        equal((error, epoch), (0, 0), "error and epoch of a new producer id")
        found.append(producer_id)
        return True

    eventually(given, "a new producer id is given")
    return found[0]


def set_for_all_brokers(context: Context, name: str, value: str) -> None:
    """IncrementalAlterConfigs v0 of the brokers' default, the resource without a name."""
    config = wire.string(name) + b"\0" + wire.string(value)
    body = struct.pack(">ib", 1, BROKER) + wire.string("") + struct.pack(">i", 1) + config + b"\0"
    error: int = struct.unpack_from(">h", _request(context, INCREMENTAL_ALTER_CONFIGS, 0, body), 8)[0]
    equal(error, 0, f"error of setting {name} for all brokers")


def _request(context: Context, api_key: int, version: int, body: bytes) -> bytes:
    host, port = context.bootstrap.rsplit(":", 1)
    with wire.connect(host, int(port)) as connection:
        return wire.request(connection, wire.frame(api_key, version, body, flexible=False))
