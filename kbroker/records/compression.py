"""The four codecs, each bounded by an absolute limit on its output.

A ratio can't bound them: 1 MiB of zstd may claim 32 GiB. Every call names how
many bytes it is ready to receive and gets no more.

    gzip    a gzip stream
    snappy  Xerial framing (magic, versions, int32-length blocks), or one raw block
    lz4     LZ4 frames; written with independent blocks, all that Java reads
    zstd    Zstandard frames

Imports of the codecs are made on first use: most brokers never open a batch.
"""

from struct import Struct

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

Buffer = bytes | bytearray | memoryview


def decompress(codec: int, data: memoryview, max_bytes: int) -> memoryview:
    """The plain bytes of `data`; CORRUPT_MESSAGE if it is broken or holds more than `max_bytes`."""
    if codec == NONE:
        if len(data) > max_bytes:
            raise _too_large(max_bytes)
        return data
    if codec == GZIP:
        return memoryview(_gunzip(data, max_bytes))
    if codec == SNAPPY:
        return memoryview(_unsnap(data, max_bytes))
    if codec in (LZ4, ZSTD):
        return _decompress_growing(codec, data, max_bytes)
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


def _gunzip(data: memoryview, max_bytes: int) -> bytes:
    import zlib

    stream = zlib.decompressobj(wbits=_GZIP_WINDOW)
    try:
        plain = stream.decompress(data, max_bytes + 1)
    except zlib.error as error:
        raise _broken(error) from None
    if len(plain) > max_bytes:
        raise _too_large(max_bytes)
    # One member, as every client writes it: thousands of empty ones would cost quadratic time.
    if not stream.eof or stream.unused_data:
        raise _broken(EOFError("the stream is cut or goes on"))
    return plain


def _decompress_growing(codec: int, data: memoryview, max_bytes: int) -> memoryview:
    """Try with ever larger buffers: the size claimed in a frame is not to be trusted."""
    from cramjam import DecompressionError, lz4, zstd

    into = lz4.decompress_into if codec == LZ4 else zstd.decompress_into
    room = min(max(_FIRST_GUESS, 4 * len(data)), max_bytes)
    while True:
        buffer = bytearray(room)
        try:
            length = into(data, buffer)
        except DecompressionError as error:
            if "whole buffer" not in str(error):
                raise _broken(error) from None
            if room >= max_bytes:
                raise _too_large(max_bytes) from None
            room = min(room * 4, max_bytes)
        else:
            return memoryview(buffer)[:length]


def _unsnap(data: memoryview, max_bytes: int) -> bytearray:
    plain = bytearray()
    if data[: len(_XERIAL_MAGIC)] != _XERIAL_MAGIC:
        _unsnap_block(data, plain, max_bytes)
        return plain
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
        _unsnap_block(data[position : position + length], plain, max_bytes)
        position += length
    return plain


def _unsnap_block(block: memoryview, plain: bytearray, max_bytes: int) -> None:
    from cramjam import DecompressionError, snappy

    try:
        # Reads the claimed size only.
        length = snappy.decompress_raw_len(block)
        if length > max_bytes - len(plain):
            raise _too_large(max_bytes)
        out = bytearray(length)
        if length:
            snappy.decompress_raw_into(block, out)
    except DecompressionError as error:
        raise _broken(error) from None
    plain += out


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
