"""A whole broker on a disk in memory, and a client that asks it.

Requests go through a connection, as bytes. Time passes when told; housekeeping
runs with it. Starting again on the same disk is what a restart is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from kbroker.broker.connection import Connection
from kbroker.broker.housekeeping import Housekeeping
from kbroker.protocol import errors
from kbroker.protocol.generated import create_topics_request as create_topics
from kbroker.protocol.generated import delete_records_request as delete_records
from kbroker.protocol.generated import fetch_request as fetch
from kbroker.protocol.generated import list_offsets_request as list_offsets
from kbroker.protocol.generated import offset_commit_request as offset_commit
from kbroker.protocol.generated import offset_fetch_request as offset_fetch
from kbroker.protocol.generated import produce_request as produce
from kbroker.protocol.generated.delete_topics_request import DeleteTopicsRequest
from kbroker.protocol.generated.init_producer_id_request import InitProducerIdRequest
from kbroker.protocol.header import write_response_header
from kbroker.protocol.messages import response_class
from kbroker.protocol.primitives import Part
from kbroker.records.batch import HEADER_SIZE, BatchHeader, batch_crc_ok, iterate_batches, read_batch_header
from kbroker.records.record import walk_records
from tests.handlers.support import DeferringDisk, FakeClock
from tests.wire.world import OFFSETS_TOPIC, WireWorld, drain, frame

GROUP = "group"
EARLIEST, LATEST = -2, -1
_CORRELATION_ID = 7


class Answer(NamedTuple):
    """An error code and what came with it."""

    error: int
    offset: int


class Read(NamedTuple):
    """One answered fetch: offset, value and timestamp of each record."""

    error: int
    records: list[tuple[int, bytes, int]]
    log_start_offset: int
    high_watermark: int


class Client:
    """Requests as calls; how they get to a broker is for others to say."""

    def exchange(self, request: bytes) -> bytes | None:
        """One request, one answer without its length; None where none comes."""
        raise NotImplementedError

    def ask(self, request: Any, version: int) -> Any:
        """The answer, or None where none comes by itself."""
        out: list[Part] = []
        request.write(out, version)
        body = b"".join(bytes(part) for part in out)  # type: ignore[arg-type]
        answer = self.exchange(frame(request.API_KEY, version, body, _CORRELATION_ID))
        if answer is None:
            return None
        header: list[Part] = []
        write_response_header(header, request.API_KEY, version, _CORRELATION_ID)
        at = sum(map(len, header))
        response, position = response_class(request.API_KEY).read(memoryview(answer), at, version)
        assert position == len(answer)
        return response

    # --- records

    def produce(self, topic: str, partition: int, batch: bytes, acks: int = -1) -> Answer | None:
        data = produce.PartitionProduceData(partition, memoryview(bytearray(batch)))
        request = produce.ProduceRequest(
            None, acks, 30_000, [produce.TopicProduceData(topic, partition_data=[data])]
        )
        response = self.ask(request, 9)
        if response is None:
            return None
        [answer] = response.responses[0].partition_responses
        return Answer(answer.error_code, answer.base_offset)

    def fetch(self, topic: str, partition: int, offset: int, max_bytes: int = 1 << 20) -> Read:
        """Every batch that is served passes its CRC."""
        wanted = fetch.FetchPartition(partition, fetch_offset=offset, partition_max_bytes=max_bytes)
        request = fetch.FetchRequest(
            max_wait_ms=0,
            min_bytes=0,
            max_bytes=max_bytes,
            topics=[fetch.FetchTopic(topic, partitions=[wanted])],
        )
        response = self.ask(request, 12)
        if response is None:
            return Read(errors.KAFKA_STORAGE_ERROR, [], -1, -1)
        assert response.error_code == 0
        [answer] = response.responses[0].partitions
        records = [
            record
            for batch in iterate_batches(memoryview(bytes(answer.records or b"")))
            for record in records_of(batch)
            if record[0] >= offset
        ]
        return Read(answer.error_code, records, answer.log_start_offset, answer.high_watermark)

    def list_offset(self, topic: str, partition: int, timestamp: int) -> Answer:
        wanted = list_offsets.ListOffsetsPartition(partition, timestamp=timestamp)
        topics = [list_offsets.ListOffsetsTopic(topic, [wanted])]
        response = self.ask(list_offsets.ListOffsetsRequest(-1, 0, topics), 7)
        [answer] = response.topics[0].partitions
        return Answer(answer.error_code, answer.offset)

    def delete_records(self, topic: str, partition: int, before_offset: int) -> Answer | None:
        wanted = delete_records.DeleteRecordsPartition(partition, before_offset)
        request = delete_records.DeleteRecordsRequest(
            [delete_records.DeleteRecordsTopic(topic, [wanted])], 30_000
        )
        response = self.ask(request, 2)
        if response is None:
            return None
        [answer] = response.topics[0].partitions
        return Answer(answer.error_code, answer.low_watermark)

    def new_producer(self) -> int | None:
        """A producer id, epoch 0; None if none is to be had now."""
        response = self.ask(InitProducerIdRequest(None, 60_000), 4)
        return None if response is None or response.error_code else response.producer_id

    # --- topics

    def create_topic(self, name: str, partitions: int, configs: Mapping[str, str]) -> int | None:
        wanted = create_topics.CreatableTopic(
            name,
            partitions,
            1,
            configs=[create_topics.CreatableTopicConfig(key, value) for key, value in configs.items()],
        )
        response = self.ask(create_topics.CreateTopicsRequest([wanted], 30_000), 7)
        return None if response is None else int(response.topics[0].error_code)

    def delete_topic(self, name: str) -> int | None:
        response = self.ask(DeleteTopicsRequest(topic_names=[name], timeout_ms=30_000), 5)
        return None if response is None else int(response.responses[0].error_code)

    # --- committed offsets

    def commit(self, topic: str, partition: int, offset: int) -> int | None:
        wanted = offset_commit.OffsetCommitRequestPartition(partition, offset, -1, "")
        request = offset_commit.OffsetCommitRequest(
            GROUP, topics=[offset_commit.OffsetCommitRequestTopic(topic, partitions=[wanted])]
        )
        response = self.ask(request, 8)
        return None if response is None else int(response.topics[0].partitions[0].error_code)

    def committed(self, topic: str, partition: int) -> Answer | None:
        """-1 where nothing is."""
        wanted = offset_fetch.OffsetFetchRequestTopics(topic, partition_indexes=[partition])
        group = offset_fetch.OffsetFetchRequestGroup(GROUP, topics=[wanted])
        response = self.ask(offset_fetch.OffsetFetchRequest(groups=[group]), 8)
        if response is None:
            return None
        [answer] = response.groups
        if answer.error_code:
            return Answer(answer.error_code, -1)
        [found] = answer.topics[0].partitions
        return Answer(found.error_code, found.committed_offset)


class DiskBroker(WireWorld, Client):
    """Broker 1 with the topic of committed offsets, and housekeeping."""

    def __init__(
        self,
        disk: DeferringDisk,
        clock: FakeClock,
        settings: Mapping[str, str] | None = None,
        seed: object = 0,
        topics: Sequence[str] = (OFFSETS_TOPIC,),
    ) -> None:
        super().__init__(seed, settings, disk=disk, clock=clock, topics=topics)
        self._connection: Connection | None = None
        self.housekeeping = Housekeeping(self.services, self.network, self.directory)
        self.housekeeping.start()

    def pass_time(self, duration_ms: int) -> None:
        self.disk.now_ms = self.clock.now_ms + duration_ms
        super().pass_time(duration_ms)

    def exchange(self, request: bytes) -> bytes | None:
        connection = self._connection or self.connect()
        self.send(connection, request)
        try:
            answers = drain(connection)
        except OSError:
            # What was to be sent can't be read: a driver ends the connection.
            answers = []
        # One that waits would hold up all that follow.
        self._connection = connection if answers else None
        if not answers:
            assert connection.close_reason is None, connection.close_reason
            return None
        [answer] = answers
        return answer

    @property
    def topics(self) -> dict[str, bytes]:
        """Name → id, without the broker's own."""
        image = self.services.metadata.image
        return {name: topic.id for name, topic in image.topics.items() if not name.startswith("__")}


class HeldBroker(DiskBroker):
    """While `held`, no work off the loop comes to an end."""

    held = False

    def finish_turn(self) -> None:
        if self.held:
            self._turn.finish()
        else:
            super().finish_turn()


def records_of(batch: memoryview) -> list[tuple[int, bytes, int]]:
    """Offset, value and timestamp of each record of a batch that must be sound."""
    assert batch_crc_ok(batch)
    header: BatchHeader = read_batch_header(batch)
    return [
        (
            header.base_offset + record.offset_delta,
            bytes(record.value or b""),
            header.base_timestamp + record.timestamp_delta,
        )
        for record in walk_records(batch[HEADER_SIZE:], header.record_count)
    ]
