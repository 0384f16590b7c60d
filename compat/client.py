"""What a client's folder tells the runner: `CLIENT` in its `run.py`."""

import importlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent

# They look at what all others have left behind.
LAST: Final = frozenset({"kafka_tools"})

_ALLOWED: Final = re.compile(r"(?P<scenario>\w+)(?:@(?P<broker>\w+))?\s*:\s*(?P<reason>\S.*)")


@dataclass(frozen=True)
class Client:
    """How to run one client's program."""

    title: str
    # Why it can not be run on this machine, or None.
    missing: Callable[[], str | None]
    # Builds what must be built, and says how to start the program.
    command: Callable[[], list[str]]


def names() -> list[str]:
    """Every folder that is a client, in the order they are run."""
    found = sorted(path.parent.name for path in FOLDER.glob("*/run.py"))
    return sorted(found, key=LAST.__contains__)


def load(name: str) -> Client:
    """The client of a folder."""
    client: Client = importlib.import_module(f"compat.{name}.run").CLIENT
    return client


def allowed_failures(name: str, broker_kind: str) -> dict[str, str]:
    """Scenario → reason, from `tests.allow`: lines of `scenario[@broker]: reason`."""
    file = FOLDER / name / "tests.allow"
    allowed = {}
    for line in file.read_text(encoding="utf-8").splitlines() if file.exists() else []:
        if not line.strip() or line.startswith("#"):
            continue
        match = _ALLOWED.fullmatch(line.strip())
        if match is None:
            raise ValueError(f"{file}: not `scenario[@broker]: reason`: {line}")
        if match["broker"] in (None, broker_kind):
            allowed[match["scenario"]] = match["reason"]
    return allowed
