"""The program: confluent-kafka's scenarios by name."""

import sys

import confluent_kafka

from compat.confluent_kafka import admin, consume, groups, produce, refusals, restarts
from compat.harness import serve

SCENARIOS = {
    **produce.SCENARIOS,
    **consume.SCENARIOS,
    **groups.SCENARIOS,
    **admin.SCENARIOS,
    **refusals.SCENARIOS,
    **restarts.SCENARIOS,
}

if __name__ == "__main__":
    version = f"{confluent_kafka.__version__} (librdkafka {confluent_kafka.libversion()[0]})"
    sys.exit(serve(version, SCENARIOS))
