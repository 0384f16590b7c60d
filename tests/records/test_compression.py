"""The codecs: round trips, foreign streams, and bombs that stay small."""

import gzip
import tracemalloc

import cramjam
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kbroker.protocol.errors import CORRUPT_MESSAGE, KafkaError
from kbroker.records.compression import GZIP, LZ4, NONE, SNAPPY, ZSTD, compress, decompress

CODECS = [GZIP, SNAPPY, LZ4, ZSTD]
LIMIT = 1 << 20


@given(st.sampled_from([NONE, *CODECS]), st.binary(max_size=2000), st.integers(1, 100))
def test_round_trip(codec: int, data: bytes, times: int) -> None:
    plain = data * times
    assert decompress(codec, memoryview(compress(codec, plain)), len(plain)) == plain


@pytest.mark.parametrize("codec", CODECS)
def test_large_blocks_round_trip(codec: int) -> None:
    plain = bytes(range(256)) * 1500 + b"\x00" * 300_000
    packed = compress(codec, bytearray(plain))
    assert decompress(codec, memoryview(packed), LIMIT) == plain


@pytest.mark.parametrize("codec", CODECS)
def test_the_limit_is_exact(codec: int) -> None:
    plain = b"abcdefgh" * 20_000
    packed = memoryview(compress(codec, plain))
    assert len(decompress(codec, packed, len(plain))) == len(plain)
    with pytest.raises(KafkaError) as caught:
        decompress(codec, packed, len(plain) - 1)
    assert caught.value.code == CORRUPT_MESSAGE


def bomb(codec: int) -> bytes:
    zeros = bytes(256 << 20)
    if codec == GZIP:
        return gzip.compress(zeros, 9)
    if codec == SNAPPY:
        return bytes(cramjam.snappy.compress_raw(zeros))
    return bytes({LZ4: cramjam.lz4, ZSTD: cramjam.zstd}[codec].compress(zeros))


@pytest.mark.parametrize("codec", CODECS)
def test_a_bomb_takes_no_more_memory_than_the_limit(codec: int) -> None:
    packed = memoryview(bomb(codec))
    tracemalloc.start()
    with pytest.raises(KafkaError):
        decompress(codec, packed, 4 * LIMIT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * LIMIT


@pytest.mark.parametrize("codec", CODECS)
@given(data=st.binary(min_size=1, max_size=300))
def test_foreign_bytes_are_refused(codec: int, data: bytes) -> None:
    try:
        plain = decompress(codec, memoryview(data), LIMIT)
    except KafkaError as error:
        if error.code != CORRUPT_MESSAGE:
            raise
    else:
        assert len(plain) <= LIMIT


@pytest.mark.parametrize("codec", CODECS)
def test_a_cut_stream_is_refused(codec: int) -> None:
    packed = compress(codec, bytes(range(256)) * 40)
    for length in (1, len(packed) // 2, len(packed) - 1):
        with pytest.raises(KafkaError):
            decompress(codec, memoryview(packed)[:length], LIMIT)


def test_unknown_codecs_are_refused() -> None:
    with pytest.raises(KafkaError):
        decompress(7, memoryview(b"x"), LIMIT)
    with pytest.raises(KafkaError):
        decompress(NONE, memoryview(b"xy"), 1)


def test_a_second_gzip_member_is_refused() -> None:
    packed = gzip.compress(b"one ") + gzip.compress(b"two")
    with pytest.raises(KafkaError):
        decompress(GZIP, memoryview(packed), LIMIT)


def test_snappy_comes_raw_or_framed() -> None:
    raw = bytes(cramjam.snappy.compress_raw(b"some bytes" * 10))
    assert bytes(decompress(SNAPPY, memoryview(raw), LIMIT)) == b"some bytes" * 10
    # Two streams one behind the other: each begins with the header.
    twice = compress(SNAPPY, b"one ") + compress(SNAPPY, b"two")
    assert bytes(decompress(SNAPPY, memoryview(twice), LIMIT)) == b"one two"


def test_a_snappy_block_that_claims_too_much_is_refused() -> None:
    framed = bytearray(compress(SNAPPY, b"some bytes"))
    framed[16:20] = (2**31 - 1).to_bytes(4, "big")
    with pytest.raises(KafkaError):
        decompress(SNAPPY, memoryview(framed), LIMIT)


def test_lz4_frames_have_independent_blocks() -> None:
    """Java refuses chained ones; bit 5 of the flags says so, for every block size."""
    packed = compress(LZ4, b"abcd" * 100_000)
    assert packed[:7].hex() == "04224d18604082"
    assert bytes(cramjam.lz4.decompress(packed)) == b"abcd" * 100_000
