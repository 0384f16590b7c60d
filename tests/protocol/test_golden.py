"""Bytes that Apache Kafka's own classes wrote, for every message and version.

The files are made by `python -m tests.protocol.oracle`.
"""

import gzip
from collections.abc import Iterator
from functools import cache

import pytest

from codegen.model import EMPTY, Field, Struct, snake_case
from kbroker.protocol import errors
from kbroker.protocol.messages import message_class
from kbroker.protocol.primitives import uuid_to_text
from tests.protocol.as_json import as_json, digest
from tests.protocol.oracle import DEFAULTS, ERRORS, GOLDEN
from tests.protocol.samples import encode, messages, pairs


@cache
def golden() -> dict[str, list[tuple[int, bytes, str]]]:
    """Message name → version, bytes, digest of what Kafka understood."""
    lines: dict[str, list[tuple[int, bytes, str]]] = {}
    for line in gzip.decompress(GOLDEN.read_bytes()).decode().splitlines():
        name, version, written, understood = line.split(" ")
        lines.setdefault(name, []).append((int(version), bytes.fromhex(written), understood))
    return lines


@pytest.mark.parametrize("name", messages())
def test_bytes_of_kafka(name: str) -> None:
    for version, written, understood in golden()[name]:
        decoded, position = message_class(name).read(memoryview(written), 0, version)
        assert position == len(written)
        fields = as_json(messages()[name], version, decoded)
        assert digest(fields) == understood, fields
        assert encode(decoded, version) == written


def test_no_message_or_version_is_missing() -> None:
    assert {(name, version) for name, lines in golden().items() for version, _, _ in lines} == set(pairs())


def test_error_codes_are_those_of_kafka() -> None:
    theirs = {name: int(code) for code, name in map(str.split, ERRORS.read_text().splitlines())}
    ours = {name: value for name, value in vars(errors).items() if name.isupper() and name[0] != "_"}
    assert ours == theirs
    for name, code in theirs.items():
        assert errors.name_of(code) == name
        assert errors.message_of(code).endswith(".")


def defaults(struct: Struct) -> Iterator[tuple[str, str]]:
    """Field name and default, in the oracle's words."""
    for field in struct.fields:
        yield field.name, _in_words(field)


def _in_words(field: Field) -> str:
    if field.default is None or field.type == "records":
        return "null"
    if field.default is EMPTY:
        return "[]" if field.type == "array" else "{}"
    if field.type == "uuid":
        return uuid_to_text(field.default)
    if field.type == "bytes":
        return "bytes 0"
    return f'"{field.default}"' if field.type == "string" else str(field.default).lower()


def test_defaults_are_those_of_kafka() -> None:
    theirs: dict[str, dict[str, str]] = {}
    for line in gzip.decompress(DEFAULTS.read_bytes()).decode().splitlines():
        owner, field, value = line.split("\t")
        theirs.setdefault(owner, {})[snake_case(field)] = value
    for message in messages().values():
        for struct in message.structs:
            if not struct.fields:
                continue
            owner = message.name if struct is message.struct else f"{message.name}.{struct.name}"
            assert dict(defaults(struct)) == theirs[owner], owner


def test_constructors_give_the_defaults() -> None:
    for message in messages().values():
        module = vars(__import__(message_class(message.name).__module__, fromlist=["*"]))
        for struct in message.structs:
            made = module[struct.name]()
            for field in struct.fields:
                value = getattr(made, field.name)
                expected = [] if field.type == "array" else field.default
                if field.struct is not None and field.type == "struct" and field.default is EMPTY:
                    expected = module[field.struct.name]()
                assert value == (None if field.default is None else expected)
