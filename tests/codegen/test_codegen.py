"""The generator: fresh, and faithful to the traps of the schemas."""

import hashlib
import json
import zipfile
from pathlib import Path

import pytest

from codegen import __main__ as command
from codegen.model import EMPTY, NEVER, Message, Versions, snake_case
from codegen.parse import parse
from codegen.vendor import KAFKA_VERSION, MESSAGES_SHA256, SPECS, extract


def parsed(tmp_path: Path, **spec: object) -> Message:
    base = {"name": "Thing", "type": "data", "validVersions": "0-3", "flexibleVersions": "2+", "fields": []}
    path = tmp_path / "messages.json"
    path.write_text(json.dumps([base | spec]))
    return parse(path)[0]


def test_generated_code_is_fresh() -> None:
    assert command.main(["--check"]) == 0


def test_check_names_what_differs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(command, "GENERATED", tmp_path)
    (tmp_path / "left_over.py").write_text("")
    assert command.main([]) == 0
    assert command.main(["--check"]) == 0
    assert not (tmp_path / "left_over.py").exists()
    (tmp_path / "index.py").write_text("KAFKA_VERSION = '0'\n")
    (tmp_path / "fetch_request.py").unlink()
    (tmp_path / "more.py").write_text("")
    assert command.main(["--check"]) == 1
    complaints = capsys.readouterr().err
    assert all(name in complaints for name in ("index.py", "fetch_request.py", "more.py"))
    assert complaints.count("\n") == 3


def test_schemas_are_the_pinned_ones() -> None:
    data = (SPECS / "messages.json").read_bytes()
    assert hashlib.sha256(data).hexdigest() == MESSAGES_SHA256
    assert len(json.loads(data)) == 280
    assert (SPECS / "VERSION").read_text().strip() == KAFKA_VERSION
    assert "Apache License" in (SPECS / "LICENSE").read_text()
    notice = (SPECS / "NOTICE").read_text()
    assert "Apache Software Foundation" in notice
    assert "is modified" in notice


def test_only_facts_are_taken_from_a_jar(tmp_path: Path) -> None:
    jar = tmp_path / "some.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        archive.writestr(
            "common/message/B.json",
            '// A "licence"\n{ "name": "B", /* "x" */ "type": "data", // more\n'
            '"about": "http://kafka \\" //", "fields": [{"name": "b", "about": "/*", "type": "bool"}] }',
        )
        archive.writestr("common/message/A.json", '{"name": "A", "apiKey": 1}')
        archive.writestr("other/C.json", '{"name": "C"}')
    assert json.loads(extract([jar])) == [
        {"name": "A", "apiKey": 1},
        {"name": "B", "type": "data", "fields": [{"name": "b", "type": "bool"}]},
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("timeoutMs", "timeout_ms"),
        ("TimeoutMs", "timeout_ms"),
        ("ISRNodes", "isr_nodes"),
        ("ResultsByTopicV3AndBelow", "results_by_topic_v3_and_below"),
        ("KRaftVersionFeature", "kraft_version_feature"),
        ("kRaftVersion", "kraft_version"),
    ],
)
def test_snake_case(name: str, expected: str) -> None:
    assert snake_case(name) == expected


def test_versions_may_be_given_by_tagged_versions_alone(tmp_path: Path) -> None:
    message = parsed(tmp_path, fields=[{"name": "x", "type": "int8", "taggedVersions": "2+", "tag": 0}])
    assert message.struct.fields[0].versions == Versions(2, NEVER)
    assert not message.struct.positional(2)
    assert message.struct.tagged(2)


def test_a_tagged_field_is_positional_outside_its_tagged_versions(tmp_path: Path) -> None:
    field = {"name": "x", "type": "int8", "versions": "1+", "taggedVersions": "3+", "tag": 0}
    struct = parsed(tmp_path, fields=[field]).struct
    assert [bool(struct.positional(v)) for v in range(4)] == [False, True, True, False]


def test_defaults(tmp_path: Path) -> None:
    def default(kind: str, **more: object) -> object:
        field = {"name": "x", "type": kind, "versions": "0+", **more}
        return parsed(tmp_path, fields=[field]).struct.fields[0].default

    assert default("int32", default="0x7fffffff") == 2**31 - 1
    assert default("int32", default=-1) == -1
    assert default("int64") == 0
    assert default("bool", default="true") is True
    assert default("bool", default=False) is False
    assert default("string") == ""
    assert default("string", default="null", nullableVersions="0+") is None
    assert default("[]int8", default="null", nullableVersions="0+") is None
    # A raw null says nothing.
    assert default("[]int8", default=None, nullableVersions="0+") is EMPTY
    assert default("bytes") == b""
    assert default("uuid") == bytes(16)


def test_a_name_that_is_a_keyword(tmp_path: Path) -> None:
    message = parsed(tmp_path, fields=[{"name": "From", "type": "int8", "versions": "0+"}])
    assert message.struct.fields[0].name == "from_"


def test_a_message_without_versions_is_left_out() -> None:
    names = {message.name for message in parse(SPECS / "messages.json")}
    assert len(names) == 272
    assert "LeaderAndIsrRequest" not in names
