"""The registry: numbers, names, what it costs to import."""

import subprocess
import sys

import pytest

from kbroker.protocol import errors, messages
from kbroker.protocol.errors import KafkaError
from tests.protocol.samples import messages as schemas


def test_every_api_has_its_classes() -> None:
    for api_key, api in messages.API.items():
        for found in (messages.request_class(api_key), messages.response_class(api_key)):
            assert api_key == found.API_KEY
            assert (api.min_version, api.max_version) == (found.MIN_VERSION, found.MAX_VERSION)
            assert api.flexible_from == found.FLEXIBLE_FROM


def test_apis_of_kafka() -> None:
    assert len(messages.API) == 89
    assert messages.API[0].name == "Produce"
    assert messages.API[22].latest_version_unstable
    assert sum(api.latest_version_unstable for api in messages.API.values()) == 1
    assert sum("broker" in api.listeners for api in messages.API.values()) == 77
    assert sum("controller" in api.listeners for api in messages.API.values()) == 41
    assert repr(messages.API[0]) == "ApiInfo(Produce 3-13)"
    for removed in (4, 5, 6, 7):
        with pytest.raises(KeyError):
            messages.request_class(removed)


def test_record_types() -> None:
    assert messages.metadata_record_class(2).__name__ == "TopicRecord"
    key, value = messages.coordinator_record_classes(1)
    assert (key.__name__, value.__name__) == ("OffsetCommitKey", "OffsetCommitValue")
    assert messages.transaction_record_classes(0)[0].__name__ == "TransactionLogKey"
    assert messages.share_record_classes(1)[1].__name__ == "ShareUpdateValue"
    with pytest.raises(KeyError):
        messages.metadata_record_class(6)


def test_every_class_is_found_by_name() -> None:
    for name, schema in schemas().items():
        found = messages.message_class(name)
        assert (found.__name__, found.API_KEY) == (name, schema.api_key)


def test_nothing_generated_is_imported_before_its_use() -> None:
    program = (
        "import sys, kbroker.protocol.header, kbroker.protocol.errors\n"
        "print(*(name for name in sys.modules if 'protocol.generated.' in name))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["kbroker.protocol.generated.index"]


def test_kafka_error() -> None:
    error = KafkaError(errors.UNKNOWN_TOPIC_OR_PARTITION)
    assert (error.code, error.message) == (3, "This broker does not have this topic or partition.")
    assert str(KafkaError(36, "Topic 'a' already exists.")) == "Topic 'a' already exists."
    assert repr(KafkaError(7)) == "KafkaError(REQUEST_TIMED_OUT, 'Request timed out.')"
    assert errors.name_of(9999) == "9999"
