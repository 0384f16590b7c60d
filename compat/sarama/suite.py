"""sarama's own functional tests, those for which one broker will do."""

import sys
from pathlib import Path
from typing import Final

from compat.golang.suites import Suite, asked

_TESTS: Final = (
    "TestFunc.* TestConsumerHighWaterMarkOffset TestConsumerPartialBatchRecovery TestVersionMatrix.* "
    "TestConsumerGroupDeadlock"
)
# They stop one of five brokers, cut the network between them, need Java in a container, or transactions: of
# those, each asks fifty times before it believes that there are none.
_LEFT_OUT: Final = (
    "TestFuncConnectionFailure TestFuncAdminNetworkErrorClosesControllerConnection TestFuncJavaInterop.* "
    "TestFuncAdminListConsumerGroupOffsets TestFuncProducingIdempotentWithBrokerFailure "
    "TestFuncIdempotentBufferedSequence TestFuncTxn.* TestFuncInitProducerId3 "
    "TestFuncListTransactions TestFuncDescribeTransactions"
)

SUITE: Final = Suite(
    folder=Path(__file__).resolve().parent,
    module="github.com/IBM/sarama",
    tests=_TESTS,
    left_out=_LEFT_OUT,
    tags="functional",
    replaced={
        "functional_test.go": [
            # The tests expect five brokers behind toxiproxy; here is one, and nothing before it.
            (r"ReplicationFactor: 3", "ReplicationFactor: 1"),
            (
                r"env\.ToxiproxyClient = toxiproxy\.NewClient\(endpoint\)",
                'env.KafkaBrokerAddrs = []string{os.Getenv("KAFKA_BROKER")}\n\treturn nil',
            ),
            (r"FunctionalTestEnv\.ToxiproxyClient\.ResetState\(\)", "error(nil)"),
        ],
        # What toxiproxy would have slowed down.
        "functional_producer_test.go": [(r"minRequestLatencyInMs := 10", "minRequestLatencyInMs := 0")],
    },
)

if __name__ == "__main__":
    _, bootstrap = asked()
    environment = {"KAFKA_BROKER": bootstrap, "KAFKA_VERSION": "4.3.1", "TOXIPROXY_ADDR": "http://127.0.0.1"}
    sys.exit(SUITE.run(environment, timeout_s=600))
