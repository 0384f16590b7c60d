"""Every message in every version comes back as it was, and skips what it does not know."""

import pytest

from kbroker.protocol.messages import message_class
from kbroker.protocol.primitives import DecodeError, UnsupportedVersion
from tests.protocol.reference import join, pieces
from tests.protocol.samples import PROFILES, encode, messages, sample

SEEDS = range(3)


@pytest.mark.parametrize("name", messages())
def test_decode_is_the_inverse_of_encode(name: str) -> None:
    message = messages()[name]
    for version in message.versions:
        for profile in PROFILES:
            for seed in SEEDS:
                given = sample(name, version, profile, seed)
                data = encode(given, version)
                assert data == join(pieces(message, version, given))
                # Bytes behind a well-formed message are nobody's business.
                framed = memoryview(b"\x7f" + data + b"\xff\xff\xff\xff")
                decoded, position = message_class(name).read(framed, 1, version)
                assert decoded == given
                assert position == len(data) + 1


@pytest.mark.parametrize("name", messages())
def test_unknown_tagged_fields_are_skipped(name: str) -> None:
    message = messages()[name]
    for version in message.versions:
        if version < message.flexible_from:
            continue
        given = sample(name, version, "rich")
        data = join(pieces(message, version, given, unknown_tag=b"from a newer version"))
        decoded, position = message_class(name).read(memoryview(data), 0, version)
        assert decoded == given
        assert position == len(data)


@pytest.mark.parametrize("name", messages())
def test_every_cut_message_is_refused(name: str) -> None:
    for version in messages()[name].versions:
        data = memoryview(encode(sample(name, version, "small"), version))
        for end in range(0, len(data), max(1, len(data) // 20)):
            with pytest.raises(DecodeError):
                message_class(name).read(data[:end], 0, version)


@pytest.mark.parametrize("name", messages())
def test_defaults_can_be_sent_in_every_version(name: str) -> None:
    given = message_class(name)()
    for version in messages()[name].versions:
        decoded, _ = message_class(name).read(memoryview(encode(given, version)), 0, version)
        assert decoded == given


@pytest.mark.parametrize("name", messages())
def test_other_versions_are_refused(name: str) -> None:
    message = messages()[name]
    for version in (message.versions.low - 1, message.versions.high + 1, 32767):
        with pytest.raises(UnsupportedVersion):
            message_class(name).read(memoryview(bytes(64)), 0, version)
        with pytest.raises(UnsupportedVersion):
            message_class(name)().write([], version)
