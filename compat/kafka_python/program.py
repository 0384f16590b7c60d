"""The program: kafka-python's scenarios by name."""

import sys
from pathlib import Path

import kafka

from compat.harness import serve
from compat.kafka_python import admin, consume, groups, produce, refusals, restarts
from compat.kafka_python.own_suite import own_suite

SCENARIOS = {
    **produce.SCENARIOS,
    **consume.SCENARIOS,
    **groups.SCENARIOS,
    **admin.SCENARIOS,
    **refusals.SCENARIOS,
    **restarts.SCENARIOS,
}

if __name__ == "__main__":
    suite = Path(sys.argv[1])
    sys.exit(serve(kafka.__version__, {**SCENARIOS, "own_suite": own_suite(suite)}))
