"""The program: aiokafka's scenarios by name."""

import sys

import aiokafka

from compat.aiokafka import admin, consume, groups, produce, restarts
from compat.harness import serve

SCENARIOS = {
    **produce.SCENARIOS,
    **consume.SCENARIOS,
    **groups.SCENARIOS,
    **admin.SCENARIOS,
    **restarts.SCENARIOS,
}

if __name__ == "__main__":
    sys.exit(serve(aiokafka.__version__, SCENARIOS))
