"""Reads the vendored schemas into the model.

Traps of the schemas: a field may give `taggedVersions` alone; defaults are
strings or raw JSON values, but null only as the string "null" (a raw one says
nothing: the default is an empty array or struct, as in Kafka); a removed API
has no valid versions; a struct is defined where it is used, or once in
`commonStructs`.
"""

import json
import keyword
from pathlib import Path
from typing import Any

from codegen.model import EMPTY, FIXED, NEVER, NO_VERSIONS, Field, Message, Struct, Versions, snake_case


def parse(messages_json: Path) -> list[Message]:
    """All messages that have at least one version."""
    specs = json.loads(messages_json.read_text())
    return [_Parser(spec).message() for spec in specs if spec["validVersions"] != "none"]


def _versions(text: str | None) -> Versions:
    if text is None or text == "none":
        return NO_VERSIONS
    if text.endswith("+"):
        return Versions(int(text[:-1]), NEVER)
    low, _, high = text.partition("-")
    return Versions(int(low), int(high or low))


class _Parser:
    """One schema, while its structs are being collected."""

    def __init__(self, spec: dict[str, Any]) -> None:
        self._spec = spec
        self._versions = _versions(spec["validVersions"])
        self._common: dict[str, dict[str, Any]] = {s["name"]: s for s in spec.get("commonStructs", ())}
        self._structs: dict[str, Struct] = {}

    def message(self) -> Message:
        spec = self._spec
        flexible = _versions(spec["flexibleVersions"])
        struct = self._struct(spec["name"], spec["fields"])
        return Message(
            name=struct.name,
            kind=spec["type"],
            api_key=spec.get("apiKey", -1),
            versions=self._versions,
            flexible_from=NEVER if flexible.empty else flexible.low,
            listeners=tuple(spec.get("listeners", ())),
            latest_version_unstable=spec.get("latestVersionUnstable", False),
            struct=struct,
            structs=tuple(self._structs.values()),
        )

    def _struct(self, name: str, fields: list[dict[str, Any]]) -> Struct:
        struct = Struct(name, tuple(self._field(field) for field in fields))
        known = self._structs.setdefault(name, struct)
        assert known == struct, f"two structs named {name} in {self._spec['name']}"
        return known

    def _field(self, spec: dict[str, Any]) -> Field:
        tagged = _versions(spec.get("taggedVersions"))
        kind, element, struct = self._type(spec)
        # Some fields could be null only in versions that exist no more.
        nullable = _versions(spec.get("nullableVersions")).intersect(self._versions)
        return Field(
            name=_attribute(spec["name"]),
            type=kind,
            element=element,
            struct=struct,
            versions=_versions(spec["versions"]) if "versions" in spec else tagged,
            nullable=nullable,
            tagged=tagged,
            tag=spec.get("tag", -1),
            default=_default(kind, spec.get("default"), not nullable.empty),
            ignorable=spec.get("ignorable", False),
            zero_copy=spec.get("zeroCopy", False) or kind == "records",
            never_compact=spec.get("flexibleVersions") == "none",
        )

    def _type(self, spec: dict[str, Any]) -> tuple[str, str, Struct | None]:
        """(type, element type, struct)"""
        name: str = spec["type"]
        is_array = name.startswith("[]")
        name = name.removeprefix("[]")
        struct = None
        if name not in FIXED and name not in ("string", "bytes", "records"):
            fields = spec["fields"] if "fields" in spec else self._common[name]["fields"]
            struct = self._struct(name, fields)
            name = "struct"
        return ("array", name, struct) if is_array else (name, "", struct)


def _attribute(name: str) -> str:
    attribute = snake_case(name)
    return attribute + "_" if keyword.iskeyword(attribute) else attribute


def _default(kind: str, text: Any, can_be_null: bool) -> Any:
    if text == "null" or (kind == "records" and can_be_null):
        return None
    if kind in ("array", "struct", "records", "bytes", "uuid"):
        assert not text, text
        return {"array": EMPTY, "struct": EMPTY, "uuid": bytes(16)}.get(kind, b"")
    if kind == "string":
        return text or ""
    if kind == "bool":
        return text in (True, "true")
    if kind == "float64":
        return float(text or 0)
    return int(text, 0) if isinstance(text, str) else (text or 0)
