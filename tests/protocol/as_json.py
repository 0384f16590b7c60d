"""A decoded message as Apache Kafka's JSON converters print it.

Only fields of the version appear, a tagged field only if it is set, records
as their size. The names are ours.
"""

import hashlib
import json
from base64 import b64encode
from typing import Any

from codegen.model import EMPTY, Field, Message, Struct, snake_case
from kbroker.protocol.primitives import uuid_to_text


def as_json(message: Message, version: int, value: object) -> dict[str, Any]:
    """The message's fields and values."""
    return _struct(message.struct, version, value)


def from_java(value: Any) -> Any:
    """What the converter printed, with our names."""
    if isinstance(value, dict):
        return {snake_case(name): from_java(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [from_java(inner) for inner in value]
    return value


def digest(value: dict[str, Any]) -> str:
    """Short enough to keep for every sample."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:12]


def _struct(struct: Struct, version: int, value: object) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for field in struct.fields:
        inner = getattr(value, field.name)
        if version not in field.versions or (version in field.tagged and not _is_set(field, inner)):
            continue
        if field.type == "records" and inner is not None:
            fields[f"{field.name}_size_in_bytes"] = len(inner)
        else:
            fields[field.name] = _value(field, version, inner)
    return fields


def _value(field: Field, version: int, value: Any) -> Any:
    if value is None:
        return None
    if field.type == "array":
        return [_one(field.element, field.struct, version, item) for item in value]
    return _one(field.type, field.struct, version, value)


def _one(kind: str, struct: Struct | None, version: int, value: Any) -> Any:
    if struct is not None:
        return _struct(struct, version, value)
    if kind == "uuid":
        return uuid_to_text(value)
    if kind == "bytes":
        return b64encode(value).decode()
    return value


def _is_set(field: Field, value: Any) -> bool:
    if field.default is not EMPTY or value is None:
        return bool(value != field.default)
    if field.struct is not None and field.type == "struct":
        return any(_is_set(inner, getattr(value, inner.name)) for inner in field.struct.fields)
    return bool(value)
