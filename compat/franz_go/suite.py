"""franz-go's own tests of `kgo` that talk to a broker."""

import sys
from pathlib import Path
from typing import Final

from compat.golang.suites import Suite, asked

# Those that ask for a client or a topic of the broker under test; the others bring fakes of their own.
# TestTxnEtl is left out: refused a transaction, it says so and then waits for ever for what never came.
_TESTS: Final = (
    "TestPing TestUnknownGroupOffsetFetchPinned TestIssue1034 TestShareGroup "
    "TestIssue325 TestConsumeTopicRetrieval TestConsumeTopicRetrieval_Many TestConsumeRegex "
    "TestConsumeRegexShareSkipsInternal Test848RegexBrokerResolves TestIssue337 TestDirectPartitionPurge "
    "TestIssue434 TestAddRemovePartitions TestPauseIssue489 TestPauseIssueOct2023 TestIssue523 TestIssue648 "
    "TestIssue810 TestIssue865 TestIssueFetchLargerThanBrokerMaxReadBytes TestPooling TestGroupSimple "
    "TestHookPollStart TestLookbackMilli TestConsumeMaxDecompressBatchBytes TestClient_Produce TestIssue769 "
    "TestIssue831 TestIssueProduceBrokerTooOldFailsRecords "
    "TestIssueProduceSyncManualPartitionNegativeDoesNotPanic TestClient_ProduceLargeMessages TestGroupETL "
    "TestShareGroupETL TestShareGroupAckOnClose TestShareGroupOffsetsAdmin"
)

SUITE: Final = Suite(
    folder=Path(__file__).resolve().parent,
    module="github.com/twmb/franz-go",
    package="pkg/kgo",
    tests=_TESTS,
)

if __name__ == "__main__":
    _, bootstrap = asked()
    environment = {
        "KGO_SEEDS": bootstrap,
        "KGO_TEST_RF": "1",
        "KGO_TEST_RECORDS": "20000",
        "KGO_LOG_LEVEL": "none",
    }
    sys.exit(SUITE.run(environment, timeout_s=600))
