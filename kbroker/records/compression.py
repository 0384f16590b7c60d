"""The four codecs, each bounded by an absolute limit on its output.

A ratio can't bound them: 1 MiB of zstd may claim 32 GiB. Every call names how
many bytes it is ready to receive and gets no more.

    gzip    a gzip stream
    snappy  Xerial framing (magic, versions, int32-length blocks), or one raw block
    lz4     LZ4 frames; written with independent blocks, all that Java reads
    zstd    Zstandard frames

Imports of the codecs are made on first use: most brokers never open a batch.
"""

import mmap
from collections.abc import Iterator
from struct import Struct
from typing import Any

from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError

NONE = 0
GZIP = 1
SNAPPY = 2
LZ4 = 3
ZSTD = 4

CODEC_NAMES = {"none": NONE, "uncompressed": NONE, "gzip": GZIP, "snappy": SNAPPY, "lz4": LZ4, "zstd": ZSTD}

_XERIAL_MAGIC = b"\x82SNAPPY\x00"
# Version 1, readable by 1: what snappy-java writes.
_XERIAL_HEADER = _XERIAL_MAGIC + b"\x00\x00\x00\x01\x00\x00\x00\x01"
_XERIAL_BLOCK = 32 * 1024
# Version 1, independent blocks, no checksums, blocks of 64 KiB; last byte = checksum of the two before.
_LZ4_HEADER = b"\x04\x22\x4d\x18\x60\x40\x82"
_LZ4_BLOCK = 64 * 1024
_LZ4_STORED = 0x80000000
_GZIP_WINDOW = 31
_BLOCK_LENGTH = Struct(">i")
_LZ4_LENGTH = Struct("<I")
_FIRST_GUESS = 64 * 1024
_MOST_GUESSED = 1024 * 1024
_GZIP_CHUNK = 256 * 1024

Buffer = bytes | bytearray | memoryview


def decompress(codec: int, data: memoryview, max_bytes: int) -> memoryview:
    """The plain bytes of `data`; CORRUPT_MESSAGE if it is broken or holds more than `max_bytes`."""
    if codec == NONE:
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
        return data
    if codec == GZIP:
        return _gunzip(data, max_bytes)
    if codec == SNAPPY:
        return _unsnap(data, max_bytes)
    if codec in (LZ4, ZSTD):
        return _decompress_whole(codec, data, max_bytes)
    raise KafkaError(CORRUPT_MESSAGE, f"Unknown compression codec {codec}")


def compress(codec: int, data: Buffer, level: int | None = None) -> bytes:
    """`data` as a Kafka client writes it with that codec; `level` None means the codec's default."""
    if codec == NONE:
        return bytes(data)
    if codec == GZIP:
        import zlib

        stream = zlib.compressobj(-1 if level is None else level, wbits=_GZIP_WINDOW)
        return stream.compress(data) + stream.flush()
    if codec == SNAPPY:
        return _snap(memoryview(data))
    if codec == LZ4:
        return _lz4_frame(memoryview(data))
    assert codec == ZSTD
    from cramjam import zstd

    return bytes(zstd.compress(data, 3 if level is None else level))


def _too_large(max_bytes: int) -> KafkaError:
    return KafkaError(CORRUPT_MESSAGE, f"The batch holds more than {max_bytes} bytes when decompressed")


def _broken(error: Exception) -> KafkaError:
    return KafkaError(CORRUPT_MESSAGE, f"The batch can't be decompressed: {error}")


def _room(data: memoryview, max_bytes: int) -> Iterator[memoryview]:
    """Where the plain bytes may go: a guess, then as much as there may be.

    The large one is mapped: pages that are not written to cost nothing, and all are given back at once.
    The sizes that a frame claims are not to be trusted.
    """
    guess = max(_FIRST_GUESS, 4 * len(data))
    if guess < min(max_bytes, _MOST_GUESSED):
        yield memoryview(bytearray(guess))
    yield memoryview(mmap.mmap(-1, max(max_bytes, 1)))[:max_bytes]


def _gunzip(data: memoryview, max_bytes: int) -> memoryview:
    import zlib

    for room in _room(data, max_bytes):
        try:
            length = _inflate(zlib.decompressobj(wbits=_GZIP_WINDOW), data, room)
        except zlib.error as error:
            raise _broken(error) from None
        if length is not None:
            return room[:length]
    raise _too_large(max_bytes)


def _inflate(stream: Any, data: Buffer, room: memoryview) -> int | None:
    """Fill `room` bit by bit, for zlib joins what it makes at once; None when there is more."""
    filled = 0
    while not stream.eof:
        plain = stream.decompress(data, _GZIP_CHUNK)
        end = filled + len(plain)
        if end > len(room):
            return None
        if not plain and not stream.eof:
            raise _broken(EOFError("the stream is cut"))
        room[filled:end] = plain
        filled = end
        data = stream.unconsumed_tail
    # One member, as every client writes it: thousands of empty ones would cost quadratic time.
    if stream.unused_data:
        raise _broken(EOFError("the stream goes on"))
    return filled


def _decompress_whole(codec: int, data: memoryview, max_bytes: int) -> memoryview:
    from cramjam import DecompressionError, lz4, zstd

    into = lz4.decompress_into if codec == LZ4 else zstd.decompress_into
    for room in _room(data, max_bytes):
        try:
            return room[: into(data, room)]
        except DecompressionError as error:
            if "whole buffer" not in str(error):
                raise _broken(error) from None
    raise _too_large(max_bytes)


def _unsnap(data: memoryview, max_bytes: int) -> memoryview:
    from cramjam import DecompressionError, snappy

    # Each block says how long it is: all of them are believed together, up to the limit.
    blocks = list(_snappy_blocks(data))
    try:
        lengths = [snappy.decompress_raw_len(block) for block in blocks]
        if sum(lengths) > max_bytes:
            raise _too_large(max_bytes)
        plain = memoryview(mmap.mmap(-1, max(sum(lengths), 1)))[: sum(lengths)]
        position = 0
        for block, length in zip(blocks, lengths, strict=True):
            if length:
                snappy.decompress_raw_into(block, plain[position : position + length])
            position += length
    except DecompressionError as error:
        raise _broken(error) from None
    return plain


def _snappy_blocks(data: memoryview) -> Iterator[memoryview]:
    if data[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        yield data
        return
    position = len(_XERIAL_HEADER)
    while position < len(data):
        if len(data) - position < 4:
            raise _broken(EOFError("the stream is cut"))
        length = _BLOCK_LENGTH.unpack_from(data, position)[0]
        position += 4
        # Streams written one after the other repeat the header.
        if data[position - 4 : position + 4] == _XERIAL_MAGIC:
            position += len(_XERIAL_HEADER) - 4
            continue
        if length < 0 or length > len(data) - position:
            raise _broken(EOFError("a block runs past the end"))
        yield data[position : position + length]
        position += length


def _snap(data: memoryview) -> bytes:
    from cramjam import snappy

    parts = [_XERIAL_HEADER]
    for start in range(0, len(data), _XERIAL_BLOCK):
        block = bytes(snappy.compress_raw(data[start : start + _XERIAL_BLOCK]))
        parts += (_BLOCK_LENGTH.pack(len(block)), block)
    return b"".join(parts)


def _lz4_frame(data: memoryview) -> bytes:
    """Framed by hand: the wheel's frames chain their blocks, which Java refuses."""
    from cramjam import lz4

    parts = [_LZ4_HEADER]
    for start in range(0, len(data), _LZ4_BLOCK):
        plain = data[start : start + _LZ4_BLOCK]
        block = bytes(lz4.compress_block(plain, store_size=False))
        if len(block) < len(plain):
            parts += (_LZ4_LENGTH.pack(len(block)), block)
        else:
            parts += (_LZ4_LENGTH.pack(len(plain) | _LZ4_STORED), bytes(plain))
    parts.append(bytes(4))
    return b"".join(parts)
