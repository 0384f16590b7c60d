"""Request and response headers, read and written by hand.

    request header v1    api key, api version, correlation id, client id
    request header v2    the same, then tagged fields
    response header v0   correlation id
    response header v1   the same, then tagged fields

A flexible version of an API has request header v2 and response header v1;
ApiVersions always answers with response header v0, so that a client that
asked for too new a version can read the answer. The client id has a two-byte
length even in header v2. Kafka: `RequestHeader`, `ApiMessageType`.
"""

from struct import Struct as Layout
from struct import error as LayoutError

from kbroker.protocol.messages import API
from kbroker.protocol.primitives import (
    BUDGET_BASE,
    DecodeError,
    Part,
    skip_tagged_fields,
)

API_VERSIONS = 18

_REQUEST = Layout(">hhih")
_correlation_id = Layout(">i").pack
_correlation_id_and_no_tags = Layout(">ix").pack
_FLEXIBLE_FROM = {key: api.flexible_from for key, api in API.items()}
_NEVER = 32767


def read_request_header(buffer: memoryview) -> tuple[int, int, int, str | None, int]:
    """API key, version, correlation id and client id at the start of `buffer`; the position of the body.

    For an unknown API the position is the one behind the client id: nobody
    knows what follows. Raises DecodeError.
    """
    try:
        api_key, api_version, correlation_id, length = _REQUEST.unpack_from(buffer, 0)
    except LayoutError:
        raise DecodeError("the request header is cut short") from None
    client_id = None
    position = 10
    if length >= 0:
        position += length
        if position > len(buffer):
            raise DecodeError("the client id is longer than the request")
        # Only a label: as in Kafka, one that is not UTF-8 locks nobody out.
        client_id = str(buffer[10:position], "utf-8", "replace")
    if api_version >= _FLEXIBLE_FROM.get(api_key, _NEVER):
        position = _skip_tags(buffer, position)
    return api_key, api_version, correlation_id, client_id, position


def _skip_tags(buffer: memoryview, position: int) -> int:
    try:
        tags = buffer[position]
        position += 1
        if tags:
            position, _ = skip_tagged_fields(buffer, position, len(buffer), tags, BUDGET_BASE)
    except IndexError:
        raise DecodeError("the request header is cut short") from None
    return position


def write_response_header(out: list[Part], api_key: int, version: int, correlation_id: int) -> None:
    """Append the header of the answer to a request of that API and version."""
    if version >= _FLEXIBLE_FROM.get(api_key, _NEVER) and api_key != API_VERSIONS:
        out.append(_correlation_id_and_no_tags(correlation_id))
    else:
        out.append(_correlation_id(correlation_id))


def request_header_bytes(api_key: int, version: int, correlation_id: int, client_id: str) -> bytes:
    """The header of a request of our own."""
    data = client_id.encode()
    tags = b"\0" if version >= _FLEXIBLE_FROM[api_key] else b""
    return _REQUEST.pack(api_key, version, correlation_id, len(data)) + data + tags
