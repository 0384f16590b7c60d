"""The program: kafka-python's scenarios by name."""

import sys

import kafka

from compat.harness import serve
from compat.kafka_python import admin, consume, groups, produce, restarts

SCENARIOS = {
    **produce.SCENARIOS,
    **consume.SCENARIOS,
    **groups.SCENARIOS,
    **admin.SCENARIOS,
    **restarts.SCENARIOS,
}

if __name__ == "__main__":
    sys.exit(serve(kafka.__version__, SCENARIOS))
