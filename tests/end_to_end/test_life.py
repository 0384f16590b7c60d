"""Start, stop, kill and refuse: what the person at the terminal sees."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from tests.end_to_end.conftest import StartBroker
from tests.end_to_end.process import BrokerProcess, run_to_end


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "enable.idempotence": True})
    failures: list[object] = []
    for value in values:
        producer.produce(topic, value, on_delivery=lambda error, _: failures.append(error) if error else None)
    assert producer.flush(20) == 0
    assert failures == []


def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "reader"})
    consumer.assign([TopicPartition(topic, 0, 0)])
    values: list[bytes] = []
    deadline = time.monotonic() + 20
    while len(values) < count and time.monotonic() < deadline:
        values += [message.value() or b"" for message in consumer.consume(count, 0.5) if not message.error()]
    consumer.close()
    return values


def get(broker: BrokerProcess, path: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(f"http://{broker.admin}{path}", timeout=10) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_a_clean_stop_is_fast_and_leaves_the_marker(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker()
    assert not (tmp_path / "data" / ".kafka_cleanshutdown").exists()
    assert broker.stop() == 0
    assert "Stopped" in broker.output
    assert "Traceback" not in broker.output
    marker = json.loads((tmp_path / "data" / ".kafka_cleanshutdown").read_text())
    assert marker["version"] == 0
    assert marker["brokerEpoch"] >= 0


def test_stops_while_clients_wait_and_hang(start_broker: StartBroker) -> None:
    broker = start_broker()
    produce(broker.bootstrap, "t", [b"1"])
    consumer = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": "g", "fetch.wait.max.ms": 10_000})
    consumer.subscribe(["t"])
    consumer.poll(1)
    hanging = socket.create_connection(("127.0.0.1", broker.port))
    hanging.sendall(b"\0\0")
    assert broker.stop() == 0
    hanging.close()
    consumer.close()


def test_what_was_acknowledged_survives_kill_and_stop(start_broker: StartBroker) -> None:
    values = [b"value %d" % n for n in range(500)]
    broker = start_broker()
    produce(broker.bootstrap, "t", values[:250])
    broker.kill()
    again = start_broker(port=broker.port)
    assert consume(again.bootstrap, "t", 250) == values[:250]
    produce(again.bootstrap, "t", values[250:])
    assert again.stop() == 0
    third = start_broker(port=broker.port)
    assert consume(third.bootstrap, "t", 500) == values
    metadata = AdminClient({"bootstrap.servers": third.bootstrap}).list_topics(timeout=10)
    assert metadata.cluster_id


def test_health_and_metrics(start_broker: StartBroker) -> None:
    broker = start_broker()
    for path in ("/health", "/v1/status/ready"):
        status, body = get(broker, path)
        assert status == 200
        assert json.loads(body)["status"] == "ready"
    produce(broker.bootstrap, "counted", [b"x" * 10] * 30)
    consume(broker.bootstrap, "counted", 30)
    status, page = get(broker, "/metrics")
    assert status == 200
    lines = page.decode().splitlines()
    assert 'kafka_server_brokertopicmetrics_messagesin_total{topic="counted"} 30.0' in lines
    assert 'kafka_topic_partition_current_offset{partition="0",topic="counted"} 30.0' in lines
    assert "kafka_brokers 1.0" in lines
    assert any(line.startswith("kbroker_loop_lag_seconds ") for line in lines)
    assert get(broker, "/nowhere")[0] == 404
    command = [sys.executable, "-m", "kbroker", "health", "--admin", broker.admin]
    assert subprocess.run(command, timeout=20, check=False).returncode == 0
    broker.stop()
    refused = subprocess.run(command, timeout=20, check=False, capture_output=True, text=True)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1


def test_declared_topics_exist_before_anybody_connects(start_broker: StartBroker) -> None:
    broker = start_broker(variables={"KAFKA_CREATE_TOPICS": "orders:3:1,customers:1:1:compact"})
    topics = AdminClient({"bootstrap.servers": broker.bootstrap}).list_topics(timeout=10).topics
    assert {name: len(topic.partitions) for name, topic in topics.items()} == {"orders": 3, "customers": 1}
    broker.stop()
    again = start_broker(variables={"KAFKA_CREATE_TOPICS": "orders:3:1"})
    assert len(AdminClient({"bootstrap.servers": again.bootstrap}).list_topics(timeout=10).topics) == 2


def refused(*arguments: str) -> str:
    """The one sentence on standard error of a start that must fail."""
    code, _, errors = run_to_end(*arguments)
    assert code != 0
    assert errors.count("\n") == 1, errors
    assert "Traceback" not in errors
    return errors


def test_a_port_in_use_touches_nothing(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sentence = refused(
            *("-o", f"listeners=PLAINTEXT://127.0.0.1:{port}"),
            *("-o", f"log.dirs={tmp_path / 'data'}", "-o", "kbroker.admin.listener="),
        )
    assert f"cannot listen on 127.0.0.1:{port}" in sentence
    assert not (tmp_path / "data").exists()


def refused_directory(data: Path, *options: str) -> str:
    before = sorted(path.name for path in data.iterdir()) if data.is_dir() else []
    sentence = refused(
        *("-o", "listeners=PLAINTEXT://127.0.0.1:0", "-o", "kbroker.admin.listener="),
        *("-o", f"log.dirs={data}", *options),
    )
    after = sorted(path.name for path in data.iterdir()) if data.is_dir() else []
    assert [name for name in after if name != ".lock"] == [name for name in before if name != ".lock"]
    return sentence


def test_foreign_newer_and_other_nodes_directories_are_left_alone(tmp_path: Path) -> None:
    foreign = tmp_path / "foreign"
    foreign.mkdir()
    (foreign / "thesis.txt").write_text("years of work")
    assert "not Kafka's" in refused_directory(foreign)

    newer = tmp_path / "newer"
    newer.mkdir()
    (newer / "meta.properties").write_text("version=7\ncluster.id=x\nnode.id=1\n")
    assert "version 7" in refused_directory(newer)

    other = tmp_path / "other"
    other.mkdir()
    (other / "meta.properties").write_text("version=1\ncluster.id=x\nnode.id=9\ndirectory.id=y\n")
    assert "belongs to node 9" in refused_directory(other)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a folder that root can't write either")
def test_an_unusable_directory_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in refused_directory(tmp_path / "file")


def test_a_directory_in_use_is_not_shared(start_broker: StartBroker, tmp_path: Path) -> None:
    broker = start_broker()
    sentence = refused(
        *("-o", "listeners=PLAINTEXT://127.0.0.1:0", "-o", "kbroker.admin.listener="),
        *("-o", f"log.dirs={tmp_path / 'data'}"),
    )
    assert "in use by another" in sentence
    assert get(broker, "/health")[0] == 200


def test_a_typo_names_the_nearest_key() -> None:
    assert "log.retention.hours" in refused("-o", "log.retention.hour=1")


def test_a_second_signal_ends_at_once(start_broker: StartBroker) -> None:
    broker = start_broker()
    broker.signal(signal.SIGTERM)
    broker.signal(signal.SIGINT)
    # Clean if it was faster than the second signal; the two may also arrive in either order.
    assert broker.wait(5) in (0, 128 + signal.SIGINT, 128 + signal.SIGTERM)


def test_a_thousand_connections_at_once(start_broker: StartBroker) -> None:
    broker = start_broker()
    sockets = []
    for _ in range(1000):
        connecting = socket.socket()
        connecting.setblocking(False)
        connecting.connect_ex(("127.0.0.1", broker.port))
        sockets.append(connecting)
    # ApiVersions v0, correlation id 5, no client id.
    request = bytes.fromhex("0000000a 0012 0000 00000005 ffff")
    for connecting in sockets:
        connecting.settimeout(20)
        connecting.sendall(request)
    for connecting in sockets:
        assert connecting.recv(8)[4:] == b"\0\0\0\5"
        connecting.close()
