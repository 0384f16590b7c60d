"""Apache Kafka as a broker process: controller and broker in one, one voter.

Started with the JVM options of `kafka-server-start.sh`. The static voter
list is what a kbroker directory carries too.
"""

import base64
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from compat.brokers import HOST, PROPERTIES, BrokerProcess, free_port
from compat.kafka import artifacts, tools

JVM: Final = (
    *("-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"),
    *(
        "-XX:InitiatingHeapOccupancyPercent=35",
        "-XX:+ExplicitGCInvokesConcurrent",
        "-Djava.awt.headless=true",
    ),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class Kafka(BrokerProcess):
    """Apache Kafka 4.3.1, combined mode."""

    kind = "kafka"
    start_timeout_s = 120.0
    stop_timeout_s = 60.0

    def __init__(self, directory: Path, properties: Mapping[str, str] | None = None) -> None:
        self._controller_port = free_port()
        self._node_id = (properties or PROPERTIES).get("node.id", PROPERTIES["node.id"])
        super().__init__(directory, properties)

    def own_properties(self) -> dict[str, str]:
        controller = f"{HOST}:{self._controller_port}"
        return {
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://{self.bootstrap},CONTROLLER://{controller}",
            "controller.listener.names": "CONTROLLER",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.quorum.voters": f"{self._node_id}@{controller}",
        }

    def command(self) -> Sequence[str | Path]:
        return ["java", *JVM, "-cp", artifacts.class_path(), "kafka.Kafka", self.properties_file]

    def formatted(self) -> bool:
        return (self.data_directory / "meta.properties").exists()

    def format(self) -> None:
        """Make the directory Kafka's, as `kafka-storage format` does."""
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        # An id that begins with a dash would be read as an option.
        arguments = ("--config", self.properties_file, f"--cluster-id={cluster_id}")
        tools.run(tools.STORAGE, "format", *arguments, *self.format_options())

    def format_options(self) -> list[str]:
        """More options of `kafka-storage format`."""
        return []

    def measured_start(self) -> float:
        if not self.formatted():
            self.format()
        return super().measured_start()
