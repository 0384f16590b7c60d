"""Re-makes `codegen/specs` from the jars that Apache Kafka publishes.

Only facts are kept (names, types, versions, tags, defaults): comments and
prose are dropped. The same jars always give the same bytes, so the result is
pinned by its SHA-256.
"""

import hashlib
import json
import re
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import Any

# The one pin: everything generated and every oracle follows this version.
KAFKA_VERSION = "4.3.1"
MESSAGES_SHA256 = "d4a08bcb97aa472e730f16211609d1a5cada46c3e45de0accbad0244badcece2"

SPECS = Path(__file__).parent / "specs"

_ARTIFACTS = (
    "kafka-clients",
    "kafka-group-coordinator",
    "kafka-metadata",
    "kafka-storage",
    "kafka-share-coordinator",
    "kafka-transaction-coordinator",
    "kafka-raft",
)
_FOLDERS = ("common/message/", "common/metadata/", "message/")
_KEPT = frozenset(
    (
        *("apiKey", "type", "listeners", "name", "validVersions", "deprecatedVersions", "flexibleVersions"),
        *("latestVersionUnstable", "commonStructs", "fields", "versions", "taggedVersions", "tag"),
        *("nullableVersions", "default", "ignorable", "entityType", "mapKey", "zeroCopy"),
    )
)
# A string literal, or one of the two kinds of comment.
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|//[^\n]*|/\*.*?\*/', re.DOTALL)
_MODIFIED = (
    "\nThe file messages.json next to this notice was made from the message schemas of Apache Kafka "
    f"{KAFKA_VERSION}\nand is modified: the schemas were joined into one array sorted by name, and comments, "
    "licence headers\nand descriptions were dropped, so that only names, types, versions, tags and defaults "
    "remain.\n"
)


def vendor() -> None:
    """Download the jars with Maven and write messages.json, VERSION, LICENSE, NOTICE."""
    with tempfile.TemporaryDirectory() as folder:
        jars = [_download(artifact, Path(folder)) for artifact in _ARTIFACTS]
        messages = extract(jars)
        digest = hashlib.sha256(messages).hexdigest()
        if digest != MESSAGES_SHA256:
            raise SystemExit(
                f"the schemas of Kafka {KAFKA_VERSION} have SHA-256 {digest}, not the pinned one"
            )
        with zipfile.ZipFile(jars[0]) as clients:
            licence = clients.read("LICENSE")
            notice = clients.read("NOTICE")
    SPECS.mkdir(exist_ok=True)
    (SPECS / "messages.json").write_bytes(messages)
    (SPECS / "VERSION").write_text(KAFKA_VERSION + "\n")
    (SPECS / "LICENSE").write_bytes(licence)
    (SPECS / "NOTICE").write_bytes(notice + _MODIFIED.encode())


def extract(jars: list[Path]) -> bytes:
    """All schemas in `jars` as one JSON array, facts only."""
    messages: list[dict[str, Any]] = []
    for jar in jars:
        with zipfile.ZipFile(jar) as archive:
            for name in archive.namelist():
                if name.startswith(_FOLDERS) and name.endswith(".json"):
                    messages.append(_facts(json.loads(_strip_comments(archive.read(name).decode()))))
    messages.sort(key=lambda message: message["name"])
    return json.dumps(messages, separators=(",", ":")).encode()


def _download(artifact: str, folder: Path) -> Path:
    coordinates = f"org.apache.kafka:{artifact}:{KAFKA_VERSION}:jar"
    subprocess.run(
        ["mvn", "-B", "-q", "dependency:copy", f"-Dartifact={coordinates}", f"-DoutputDirectory={folder}"],
        check=True,
    )
    return folder / f"{artifact}-{KAFKA_VERSION}.jar"


def _strip_comments(text: str) -> str:
    return _TOKEN.sub(lambda match: match[0] if match[0].startswith('"') else "", text)


def _facts(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _facts(inner) for key, inner in value.items() if key in _KEPT}
    if isinstance(value, list):
        return [_facts(inner) for inner in value]
    return value
