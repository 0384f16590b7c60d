"""kafka-go's own tests that talk to a broker."""

import sys
from pathlib import Path
from typing import Final

from compat.golang.suites import Suite, asked

# The tests expect a broker that calls itself localhost:9092; here they are told where it is.
_WHERE: Final = """package kafka

import (
	"net"
	"os"
	"strconv"
)

var (
	testBroker            = os.Getenv("KAFKA_BROKER")
	testHost, testPort, _ = net.SplitHostPort(testBroker)
	testPortNumber, _     = strconv.Atoi(testPort)
)
"""
_CONSTANTS: Final = r'const \(\n\t\ttcp   = "tcp"\n\t\tkafka = "localhost:9092"\n\t\)'

# The others bring fakes of their own, or want a listener with SASL at a fixed port.
_TESTS: Final = (
    "TestClient.* TestConn TestConnCreateTopics TestBatchDontExpectEOF TestReadPartitionsNoTopic "
    "TestConsumerGroup "
    "TestConsumerGroupWith.* TestAlterUserScramCredentials TestDescribeUserScramCredentials TestDialer "
    "TestOffsetFetchRequestWith.* TestReader TestReaderOnNonZeroPartition TestReadTruncatedMessages "
    "TestCloseLeavesGroup TestReaderPartitionWhenConsumerGroupsEnabled TestReaderConsumerGroup "
    "TestRebalanceTooManyConsumers TestReaderReadCompactedMessage TestWriter TestIssue.*"
)

# Three fall over a pointer of their own, on any broker, and end the run with them. One wants both of two
# readers to have joined in time, one SASL, and one segments of 200 bytes, which Apache Kafka 4 refuses too.
_LEFT_OUT: Final = (
    "TestReaderConsumerGroup/consumer_group_commits_on_close TestReaderConsumerGroup/verify_offset_committed "
    "TestReaderConsumerGroup/verify_offset_committed_when_using_interval_committer "
    "TestReaderConsumerGroup/consumer_group_rebalance "
    "TestWriter/writing_a_message_with_SASL_Plain_authentication TestReaderReadCompactedMessage"
)

SUITE: Final = Suite(
    folder=Path(__file__).resolve().parent,
    module="github.com/segmentio/kafka-go",
    tests=_TESTS,
    left_out=_LEFT_OUT,
    added={"where_test.go": _WHERE},
    replaced={
        "[!ae]*_test.go": [
            (r'const broker = "localhost:9092"', "broker := testBroker"),
            (_CONSTANTS, 'tcp, kafka := "tcp", testBroker'),
            (r'TCP\("localhost"\)', "TCP(testBroker)"),
            (r'"(localhost|127\.0\.0\.1):9092"', "testBroker"),
            (r'Host: "localhost", Port: 9092', "Host: testHost, Port: testPortNumber"),
            (r'Host != "localhost"', "Host != testHost"),
            (r"Port != 9092", "Port != testPortNumber"),
        ]
    },
)

if __name__ == "__main__":
    _, bootstrap = asked()
    environment = {"KAFKA_BROKER": bootstrap, "KAFKA_VERSION": "4.3.1", "KAFKA_SKIP_NETTEST": "1"}
    sys.exit(SUITE.run(environment, timeout_s=600))
