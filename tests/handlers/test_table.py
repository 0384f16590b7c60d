"""The table of APIs against the handlers and against the schemas."""

from importlib import import_module

import pytest

from kbroker.handlers import table
from kbroker.protocol import errors
from kbroker.protocol.messages import API


@pytest.mark.parametrize("api_key", sorted(table.SUPPORTED))
def test_a_handler_states_what_the_table_says(api_key: int) -> None:
    name, first, last = table.SUPPORTED[api_key]
    module = import_module(f"kbroker.handlers.{name}")
    assert api_key == module.API_KEY
    assert (first, last) == module.VERSIONS
    assert table.handler(api_key) is module.handle


@pytest.mark.parametrize("api_key", sorted(table.SUPPORTED))
def test_every_version_is_one_of_kafkas(api_key: int) -> None:
    name, first, last = table.SUPPORTED[api_key]
    info = API[api_key]
    assert name.replace("_", "") == info.name.lower()
    assert info.min_version <= first <= last <= info.max_version
    assert not (info.latest_version_unstable and last == info.max_version)
    assert "broker" in info.listeners


def test_an_unknown_api_has_no_handler() -> None:
    with pytest.raises(KeyError):
        table.handler(9999)


def test_an_unknown_version_of_api_versions_is_told_the_known_ones() -> None:
    response = table.unsupported_api_versions()
    out: list[bytes] = []
    response.write(out, 0)  # type: ignore[arg-type]
    # Error 35, one entry: API 18, versions 0 to 4.
    assert b"".join(out) == bytes.fromhex("0023 00000001 0012 0000 0004")
    assert errors.UNSUPPORTED_VERSION == 0x23
