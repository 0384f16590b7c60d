"""Frames as no client should send them, and headers as few do."""

import struct

from compat.diff.world import CLIENT_ID, World, body, framed, header, is_flexible
from kbroker.handlers.table import SUPPORTED
from kbroker.protocol.generated.api_versions_request import ApiVersionsRequest
from kbroker.protocol.generated.metadata_request import MetadataRequest
from kbroker.protocol.header import API_VERSIONS
from kbroker.protocol.messages import API, request_class
from kbroker.protocol.primitives import UnsupportedVersion


def run(world: World) -> None:
    for api_key, (_, low, high) in SUPPORTED.items():
        for version in range(low, high + 1):
            _bent(world, api_key, version)
        for version in (-1, low - 1, API[api_key].max_version + 1, 32767):
            if api_key != API_VERSIONS and not low <= version <= high:
                world.raw(
                    api_key, version, "version nobody has", framed(header(api_key, version, 1), bytes(40))
                )
    for api_key in (-1, 52, 53, 56, 58, 62, 93, 1000, 32767):
        world.raw(api_key, 0, "an API brokers don't have", framed(header(api_key, 0, 1), bytes(40)))
    _api_versions(world)
    _headers(world)
    _sizes(world)


def _bent(world: World, api_key: int, version: int) -> None:
    """One API and version: bytes too few, too many, lengths that lie."""
    start = header(api_key, version, 1)
    try:
        plain = body(request_class(api_key)(), version)
    except UnsupportedVersion:
        return
    bent = {
        "no body": b"",
        "one byte less": plain[:-1],
        "half": plain[: len(plain) // 2],
        "one byte more": plain + b"\0",
        "many bytes more": plain + bytes(30),
        "all ones": b"\xff" * 40,
        "largest lengths": b"\x7f" * 40,
        "zeros": bytes(60),
    }
    if is_flexible(api_key, version):
        bent["an unknown tag"] = plain[:-1] + b"\x01\x63\x02ab"
        bent["an unknown tag, too long"] = plain[:-1] + b"\x01\x63\x09ab"
    for case, data in bent.items():
        if data != plain:
            world.raw(api_key, version, case, framed(start, data), barrier=True)


def _api_versions(world: World) -> None:
    """The one API that answers to versions it does not know."""
    plain = body(ApiVersionsRequest("diff", "1"), 4)
    for version in (-1, 5, 6, 100, 32767):
        for case, data in {"plain": plain, "empty": b"", "garbage": b"\xff" * 20}.items():
            frame = framed(header(API_VERSIONS, version, 1), data)
            world.raw(API_VERSIONS, version, f"{case}, too new", frame)


def _headers(world: World) -> None:
    for version in (0, 1, 8, 9, 13):
        for client_id in (None, "", "ä", "c" * 32767):
            shown = client_id if client_id is None else client_id[:5]
            world.ask(MetadataRequest([]), version, f"client id {shown!r}", client_id=client_id)
    plain = body(MetadataRequest([]), 9)
    bare = struct.pack(">hhih", 3, 9, 1, len(CLIENT_ID)) + CLIENT_ID.encode()
    for case, tags in {
        "unknown tag in the header": b"\x01\x63\x02ab",
        "two unknown tags in the header": b"\x02\x05\x00\x63\x02ab",
        "tags in no order": b"\x02\x63\x02ab\x05\x00",
        "a tag twice": b"\x02\x05\x00\x05\x00",
        "a tag too long": b"\x01\x63\x7fab",
        "many tags": b"\x32" + b"".join(bytes((10 + number, 0)) for number in range(50)),
    }.items():
        world.raw(3, 9, case, framed(bare, tags, plain))
    world.raw(3, 9, "client id longer than the frame", framed(struct.pack(">hhih", 3, 9, 1, 3000)))
    world.raw(3, 9, "client id of length -2", framed(struct.pack(">hhih", 3, 9, 1, -2), b"\0", plain))
    world.raw(
        3,
        1,
        "client id that is not UTF-8",
        framed(struct.pack(">hhih", 3, 1, 1, 2), b"\xff\xfe", struct.pack(">i", 0)),
    )
    for length in range(10):
        world.raw(
            3,
            1,
            f"a header of {length} bytes",
            framed(bytes(3)[:0], struct.pack(">hhih", 3, 1, 1, -1)[:length]),
        )


def _sizes(world: World) -> None:
    for size in (-1, -(2**31), 2**31 - 1, 104857601):
        world.raw(3, 1, f"a frame of {size} bytes", struct.pack(">i", size) + bytes(30))
    world.raw(3, 1, "HTTP", b"GET / HTTP/1.1\r\n\r\n")
    world.raw(3, 1, "TLS", bytes.fromhex("16030100a5010000a10303") + bytes(160))
