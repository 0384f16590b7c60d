"""Request and response headers against the generated classes of the same bytes."""

import random

import pytest

from kbroker.protocol.generated.request_header import RequestHeader as GeneratedRequestHeader
from kbroker.protocol.generated.response_header import ResponseHeader
from kbroker.protocol.header import (
    read_request_header,
    request_header_bytes,
    write_response_header,
)
from kbroker.protocol.messages import API
from kbroker.protocol.primitives import DecodeError, Part
from tests.protocol.samples import encode


def header_version(api_key: int, version: int) -> int:
    return 2 if version >= API[api_key].flexible_from else 1


@pytest.mark.parametrize("api_key", API)
@pytest.mark.parametrize("client_id", [None, "", "client", "ĉ" * 300])
def test_request_header(api_key: int, client_id: str | None) -> None:
    for version in range(API[api_key].min_version, API[api_key].max_version + 1):
        data = encode(
            GeneratedRequestHeader(api_key, version, -7, client_id), header_version(api_key, version)
        )
        found = read_request_header(memoryview(data + b"body"))
        assert found == (api_key, version, -7, client_id, len(data))
        if client_id is not None:
            assert request_header_bytes(api_key, version, -7, client_id) == data


def test_tagged_fields_are_skipped() -> None:
    data = bytes.fromhex("0012 0003 00000001 0001 61 02 05 03 010203 7f 00") + b"body"
    *_, client_id, position = read_request_header(memoryview(data))
    assert (client_id, data[position:]) == ("a", b"body")


def test_an_unknown_api_ends_behind_the_client_id() -> None:
    found = read_request_header(memoryview(bytes.fromhex("7000 0063 00000001 ffff 01020304")))
    assert found == (0x7000, 99, 1, None, 10)


@pytest.mark.parametrize(
    "data",
    [
        "",
        "001200030000000100",  # no length
        "0012000300000001000261",  # client id cut
        "001200030000000100016101",  # one tag, not there
        "0012000300000001000161ff7f",  # very many tags
        "0012000300000001000161020505",  # a tag without its value
        "0012000300000001ffff",  # no tagged section
    ],
)
def test_a_header_that_is_refused(data: str) -> None:
    with pytest.raises(DecodeError):
        read_request_header(memoryview(bytes.fromhex(data)))


def test_random_headers() -> None:
    rng = random.Random(1)
    start = bytes.fromhex("00120003000000010001")
    for _ in range(5000):
        data = bytearray(start + rng.randbytes(rng.randrange(12)))
        data[rng.randrange(len(data))] = rng.randrange(256)
        try:
            *_, position = read_request_header(memoryview(data))
        except DecodeError:
            continue
        assert position <= len(data)


@pytest.mark.parametrize("api_key", API)
def test_response_header(api_key: int) -> None:
    for version in range(API[api_key].min_version, API[api_key].max_version + 1):
        out: list[Part] = []
        write_response_header(out, api_key, version, 258)
        # ApiVersions: a client that asks for too new a version must be able to read the answer.
        expected = 0 if api_key == 18 else header_version(api_key, version) - 1
        assert out == [encode(ResponseHeader(258), expected)]


def test_a_client_id_that_is_not_utf8_is_only_a_label() -> None:
    *_, client_id, _ = read_request_header(memoryview(bytes.fromhex("00120000000000010002ff61")))
    assert client_id == "\ufffda"
