"""The benchmark: prepared requests are well-formed, wrong answers are seen, verdicts are right."""

import struct
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from compat.bench import frames, generator, loads, report, rows, sides
from compat.bench.__main__ import main
from compat.bench.client import read_answer
from compat.bench.frames import KIB, Batch
from compat.bench.generator import Answer, Plan, Stream, WrongAnswer
from compat.bench.loading import FIGURES, LONGEST_WARM_UP_S, WARM_UP_S, warm_up
from compat.bench.measurements import SINGLE
from compat.bench.report import Row, Target
from compat.bench.sides import Side, running
from compat.records import MAX_BATCH
from kbroker.protocol.generated.fetch_request import FetchRequest
from kbroker.protocol.generated.metadata_request import MetadataRequest
from kbroker.protocol.generated.metadata_response import (
    MetadataResponse,
    MetadataResponsePartition,
    MetadataResponseTopic,
)
from kbroker.protocol.generated.produce_request import ProduceRequest
from kbroker.protocol.header import read_request_header
from kbroker.protocol.primitives import Message
from kbroker.records.batch import HEADER_SIZE, batch_crc_ok, read_batch_header
from kbroker.records.compression import CODEC_NAMES, decompress
from kbroker.records.record import walk_records

Request = TypeVar("Request", bound=Message)


def decoded(request: type[Request], data: bytes) -> Request:
    """The message in a frame, all of which it must be."""
    assert struct.unpack_from(">i", data)[0] == len(data) - 4
    view = memoryview(data)[4:]
    api_key, version, *_, position = read_request_header(view)
    assert api_key == request.API_KEY
    message, end = request.read(view, position, version)
    assert end == len(view)
    return message


@pytest.mark.parametrize(
    ("batch", "size", "codec"),
    [
        pytest.param(rows.KIB_16, 16 * KIB, "none", id="16 KiB"),
        pytest.param(rows.MIB, KIB * KIB, "none", id="1 MiB"),
        pytest.param(frames.batch(100 * KIB, "lz4"), 100 * KIB, "lz4", id="lz4"),
        pytest.param(frames.batch(100 * KIB, "zstd"), 100 * KIB, "zstd", id="zstd"),
        pytest.param(frames.batch(100 * KIB, "gzip"), 100 * KIB, "gzip", id="gzip"),
    ],
)
def test_a_batch_is_one_that_every_broker_takes(batch: Batch, size: int, codec: str) -> None:
    view = memoryview(batch.data)
    header = read_batch_header(view)
    assert header.size == len(view) <= MAX_BATCH
    assert batch_crc_ok(view)
    plain = decompress(CODEC_NAMES[codec], view[HEADER_SIZE:], 2 * size)
    assert size - 2 * KIB < HEADER_SIZE + len(plain) <= size
    values = [record.value for record in walk_records(plain, header.record_count)]
    assert len(values) == batch.records
    assert {len(value or b"") for value in values} == {KIB}
    assert (len(view) < size / 1.5) == (codec != "none")


def test_a_produce_request_holds_its_batch() -> None:
    request = decoded(ProduceRequest, frames.produce("topic", 5, rows.SMALL, -1))
    assert request.acks == -1
    (topic,) = request.topic_data
    (partition,) = topic.partition_data
    assert (topic.name, partition.index) == ("topic", 5)
    assert bytes(partition.records or b"") == rows.SMALL.data


def test_the_offset_of_a_fetch_request_is_where_it_is_said_to_be() -> None:
    data = bytearray(frames.fetch("topic", 3, 0, 1000))
    struct.pack_into(">q", data, frames.fetch_offset_at("topic"), 123_456_789_012)
    (topic,) = decoded(FetchRequest, bytes(data)).topics
    (partition,) = topic.partitions
    assert (partition.partition, partition.fetch_offset) == (3, 123_456_789_012)


def test_a_metadata_request_creates_nothing() -> None:
    request = decoded(MetadataRequest, frames.metadata("topic"))
    assert [topic.name for topic in request.topics or []] == ["topic"]
    assert not request.allow_auto_topic_creation


def test_metadata_of_ten_thousand_partitions_can_be_read() -> None:
    partitions = [MetadataResponsePartition(0, number, 1, 0, [1], [1], []) for number in range(10_000)]
    answer = MetadataResponse(topics=[MetadataResponseTopic(0, "topic", partitions=partitions)])
    data = frames.answer_bytes(answer, frames.METADATA_VERSION)
    found = read_answer(data, answer.API_KEY, frames.METADATA_VERSION)
    assert len(found.topics[0].partitions) == 10_000


def test_all_that_is_told_of_a_load_has_a_figure() -> None:
    groups = (rows.PRODUCE, rows.SMALL_PRODUCE, rows.CONSUME, rows.REQUESTS, rows.LATENCY, rows.PROCESSES)
    assert {name for group in groups for load in group.values() for name in load.told} <= set(FIGURES)
    assert "small-produce/1000" in SINGLE


@pytest.mark.parametrize(
    ("costs", "at_least_s", "runs"),
    [
        ([4.0, 4.0], 0.0, 2),
        ([4.0, 2.0, 1.0, 0.95], 0.0, 4),
        ([4.0, 9.0, 9.0, 3.0, 3.0], 3.0, 3),
        ([4.0, 4.0, 4.0, 4.0], 4.0, 4),
        ([2.0**-number for number in range(100)], 0.0, int(LONGEST_WARM_UP_S / WARM_UP_S)),
    ],
)
def test_warming_up_ends_when_it_gets_no_cheaper(costs: list[float], at_least_s: float, runs: int) -> None:
    left = iter(costs)

    def run(seconds: float) -> generator.Result:
        return generator.Result(1, 1, seconds, next(left), 0.0, 1.0, 1.0, 1.0, 1)

    warm_up(run, at_least_s)
    assert len(list(left)) == len(costs) - runs


def row(target: Target | None, own: list[float], other: list[float]) -> Row:
    return Row("what", "MB/s", {"kbroker": own, "kafka": other}, report.THROUGHPUT, target)


@pytest.mark.parametrize(
    ("target", "own", "verdict"),
    [
        (Target(1.5, 2), [140.0], "missed"),
        (Target(1.5, 2), [150.0], "met"),
        (Target(1.5, 2), [200.0], "aim met"),
        # By the median.
        (Target(1.5, 2), [90.0, 160.0, 500.0], "met"),
        (Target(1.5, 2, every_round=1.0), [90.0, 160.0, 500.0], "missed in a round"),
        (Target(1.5, 2, every_round=1.0), [100.0, 160.0, 500.0], "met"),
        (Target(0.5, 0.35, smaller_is_better=True), [60.0], "missed"),
        (Target(0.5, 0.35, smaller_is_better=True), [50.0], "met"),
        (Target(0.5, 0.35, smaller_is_better=True), [35.0], "aim met"),
        (Target(4, 1, smaller_is_better=True, absolute=True), [3.0], "met"),
        (Target(4, 1, smaller_is_better=True, absolute=True), [5.0], "missed"),
        (None, [1.0], ""),
    ],
)
def test_a_verdict(target: Target | None, own: list[float], verdict: str) -> None:
    assert row(target, own, [100.0] * len(own)).verdict() == verdict


def test_nothing_is_said_of_what_was_not_compared() -> None:
    alone = Row("what", "MB/s", {"kbroker": [1.0]}, target=Target(1.5, 2))
    assert alone.verdict() == "not compared"
    assert "| – | – | ≥ 1.5, aim 2 | not compared |" in report.table([alone])


def test_a_table_has_a_part_for_each_group_and_context_where_there_is_some() -> None:
    large = row(Target(1.5, 2), [120.0, 150.0, 180.0], [100.0, 100.0, 100.0])
    small = Row("other", "s", {"kbroker": [0.2], "kafka": [2.0], "kfake": [0.1]})
    table = report.table([small, large]).splitlines()
    assert table[0] == f"### {report.THROUGHPUT}"
    assert "| what | 150 MB/s (120–180) | 100 MB/s (100–100) | – | 1.50 | ≥ 1.5, aim 2 | met |" in table
    assert table[-1] == "| other | 0.2 s | 2 s | 0.1 s | 0.10 |  |  |"


def test_new_rows_take_the_place_of_their_former_selves(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    first = row(Target(1.5, 2, every_round=1.0), [1.0], [1.0])
    report.save([first, Row("other", "s")], "one command", file)
    report.save([row(None, [3.0], [1.0])], "another", file)
    again = {found.what: found for found in report.load(file)}
    assert list(again) == ["what", "other"]
    assert again["what"].values["kbroker"] == [3.0]
    assert again["what"].target is None
    assert "last by `another`" in report.readme(file)


def test_targets_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    made = row(Target(1.5, 2, every_round=1.0), [1.0], [1.0])
    report.save([made], "command", file)
    assert report.load(file) == [made]


def test_what_is_missed_is_told_once(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    missed = [Row("slow", unit, {"kbroker": [1.0], "kafka": [1.0]}, target=Target(2, 3)) for unit in "ab"]
    fast = Row("fast", "a", {"kbroker": [2.0], "kafka": [1.0]}, target=Target(2, 3))
    other = Row("other", "a", {"kbroker": [1.0], "kafka": [1.0]})
    report.save([missed[0], fast, other, missed[1]], "command", file)
    assert report.missed(file) == ["slow"]


@pytest.mark.parametrize(
    "arguments", [["--only", "nothing"], ["--against", "redis"], ["--driver", "x"], ["--property", "x"]]
)
def test_what_can_not_be_measured_is_said(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert arguments[1] in capsys.readouterr().err


@pytest.fixture(scope="module")
def side(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Side]:
    if reason := generator.missing():
        pytest.skip(reason)
    with running(["kbroker"], tmp_path_factory.mktemp("bench") / "brokers") as (kbroker,):
        yield kbroker


@pytest.mark.parametrize(
    "load",
    [
        pytest.param(rows.PRODUCE["100KiB-6"], id="produce"),
        pytest.param(rows.PRODUCE["1MiB"], id="produce large batches"),
        pytest.param(rows.SMALL_PRODUCE["idempotent"], id="idempotent"),
        pytest.param(rows.SMALL_PRODUCE["in-flight"], id="in flight"),
        pytest.param(replace(rows.REQUESTS["ApiVersions"], in_flight=3), id="requests"),
        pytest.param(rows.REQUESTS["Metadata-100"], id="metadata"),
        pytest.param(rows.LATENCY["record"], id="latency"),
    ],
)
def test_a_load_is_answered_and_counted(side: Side, load: loads.Load) -> None:
    with load.opened(side, f"load-{load.what.split()[0]}") as run:
        found = run(0.1)
    assert 0 < found.answers < found.total
    assert found.seconds >= 0.1
    assert 0 < found.p50_us <= found.p99_us <= found.max_us


def test_what_is_fetched_goes_round_a_log(side: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loads, "_FILLED_BATCHES", 10)
    with rows.CONSUME["100KiB-6"].opened(side, "log") as run:
        found = run(0.1)
    assert found.bytes == found.answers * len(rows.KIB_100.data)
    # More than six partitions hold.
    assert found.total > 100


def asked(side: Side, stream: Stream) -> None:
    generator.run(Plan(frames.api_versions(), [stream], side.pids, 1, answers_at_most=1, seconds=1.0))


def test_an_error_is_no_answer(side: Side) -> None:
    with side.topic("topic", 1):
        broker = side.brokers[0]
        stream = loads.produce_stream(broker, "topic", 0, rows.SMALL, 1)
        asked(side, stream)
        request = frames.produce("topic", 1, rows.SMALL, 1)
        answer, _ = sides.asked(broker, request)
        elsewhere = replace(stream, request=request, answer=replace(stream.answer, length=len(answer)))
        with pytest.raises(WrongAnswer, match="an answer with error 3"):
            asked(side, elsewhere)


def test_another_length_is_no_answer(side: Side) -> None:
    request = frames.api_versions()
    with pytest.raises(WrongAnswer, match="bytes instead of 1000"):
        asked(side, Stream(side.brokers[0].bootstrap, request, 1, Answer(1000)))


def test_records_from_another_offset_are_no_answer(side: Side) -> None:
    with side.topic("topic", 1):
        broker = side.brokers[0]
        loads.produce_stream(broker, "topic", 0, rows.KIB_16, 1)
        stream = loads.fetch_stream(broker, "topic", 0, rows.KIB_16, rows.KIB_16.records)
        asked(side, stream)
        assert stream.fetch is not None
        # Inside of the batch: the broker answers with all of it.
        inside = replace(stream, fetch=replace(stream.fetch, first=1, end=0))
        with pytest.raises(WrongAnswer, match="records from offset 0 where 1 was asked for"):
            asked(side, inside)
