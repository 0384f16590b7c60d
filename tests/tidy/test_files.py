"""What every file owes its reader."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from kbroker.config.broker_keys import BROKER_KEYS
from kbroker.config.supported import SUPPORTED
from kbroker.config.topic_keys import TOPIC_KEYS
from kbroker.config.topics import broker_units
from kbroker.handlers.table import SUPPORTED as APIS
from kbroker.protocol.messages import API

ROOT = Path(__file__).parents[2]
PACKAGES = ("kbroker", "codegen", "tests", "compat")
# Tables grow with what they list, not with thought.
TABLES = ("kbroker/config/broker_keys.py", "kbroker/config/documentation.py", "kbroker/protocol/errors.py")
MOST_LINES = 600


def sources(*packages: str) -> Iterator[Path]:
    for package in packages:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "generated" not in path.parts:
                yield path


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def caption(path: Path) -> tuple[str, list[str]]:
    """The first line of a module's docstring, and the others."""
    text = ast.get_docstring(ast.parse(path.read_text()), clean=False) or ""
    first, *rest = text.split("\n")
    return first, rest


def test_every_module_opens_with_a_caption() -> None:
    bare = [name(path) for path in sources(*PACKAGES) if path.read_text() and not caption(path)[0]]
    assert not bare
    crowded = [name(path) for path in sources(*PACKAGES) if (rest := caption(path)[1]) and rest[0]]
    assert not crowded, "an empty line follows the first"


def test_captions_fit_the_box_of_a_diagram() -> None:
    long = {name(path): len(caption(path)[0]) for path in sources("kbroker", "codegen")}
    assert {path: length for path, length in long.items() if length >= 72} == {}


def test_files_can_be_read_in_one_go() -> None:
    long = {
        name(path): lines
        for path in sources(*PACKAGES)
        if name(path) not in TABLES and (lines := path.read_text().count("\n")) > MOST_LINES
    }
    assert not long


def test_nothing_is_left_for_later() -> None:
    unfinished = re.compile(r"\b(TODO|FIXME|XXX)\b")
    found = [
        f"{name(path)}:{number}"
        for path in sources("kbroker", "codegen", "compat")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if unfinished.search(line)
    ]
    assert not found


def test_every_api_is_tested() -> None:
    """In a file of its own, or by name in one about a family of APIs."""
    tests = {path.name: path.read_text() for path in (ROOT / "tests" / "handlers").glob("*.py")}
    untested = [
        module
        for api_key, (module, _, _) in APIS.items()
        if f"test_{module}.py" not in tests
        and not any(f"{API[api_key].name}Request" in text for text in tests.values())
    ]
    assert not untested


def test_handlers_say_of_themselves_what_the_table_says() -> None:
    for api_key, (module, low, high) in APIS.items():
        text = (ROOT / "kbroker" / "handlers" / f"{module}.py").read_text()
        assert re.search(rf"^API_KEY = {api_key}$", text, re.MULTILINE), module
        assert re.search(rf"^VERSIONS = \({low}, {high}\)$", text, re.MULTILINE), module


# Nothing of these settings happens yet, though their names occur: a group of that kind is only kept,
# and compaction is still to come.
NAMED_ONLY = {
    "group.consumer.session.timeout.ms",
    "log.cleaner.delete.retention.ms",
    "log.cleaner.min.cleanable.ratio",
    "log.cleaner.min.compaction.lag.ms",
}


def settings_read() -> set[str]:
    """Every broker setting whose name, or whose topic key's name, occurs where settings are used."""
    names: set[str] = set()
    for path in sources("kbroker"):
        if path.parent.name != "config" or path.name == "settings.py":
            names.update(re.findall(r'"([a-z0-9.]+)"', path.read_text()))
    behind = {key for topic_key in names & set(TOPIC_KEYS) for key, _ in broker_units(topic_key)}
    return (names | behind) & set(BROKER_KEYS) - NAMED_ONLY


def test_exactly_the_settings_that_are_read_are_called_supported() -> None:
    assert settings_read() == SUPPORTED
