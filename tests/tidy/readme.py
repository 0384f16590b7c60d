"""The README's tables, made from the code and from kept results.

python -m tests.tidy.readme --write    renew them
python -m tests.tidy.readme --check    exit code 1 if one is stale
"""

import json
import re
import sys
from pathlib import Path

from compat import results
from compat.bench import profiles, report
from kbroker.config.documentation import documentation
from kbroker.config.key import CLUSTER_WIDE, ConfigKey
from kbroker.config.own_keys import OWN_KEYS
from kbroker.config.settings import MODE_DEFAULTS
from kbroker.config.sources import KEYS
from kbroker.config.supported import SUPPORTED
from kbroker.config.topic_keys import TOPIC_KEYS
from kbroker.config.topics import broker_units
from kbroker.handlers.table import REFUSED
from kbroker.handlers.table import SUPPORTED as APIS
from kbroker.protocol.messages import API, KAFKA_VERSION

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
NIGHT = ROOT / "tests" / "night" / "figures.json"
DIFF = ROOT / "compat" / "diff" / "figures.json"

# Of the dynamic settings those behind a topic's take effect while the broker runs.
_BEHIND_TOPICS = {key for name in TOPIC_KEYS for key, _ in broker_units(name)}

_LARGEST = {str((1 << 63) - 1): "2⁶³−1", str((1 << 31) - 1): "2³¹−1"}


def apis() -> str:
    """Every API that is answered, with the versions of kbroker and of Kafka."""
    lines = [f"| key | API | versions | in Kafka {KAFKA_VERSION} |", "|---:|---|---|---|"]
    for api_key, (_, low, high) in sorted(APIS.items()):
        api = API[api_key]
        versions = f"{low}–{high}" + (", refused" if api_key in REFUSED else "")
        lines.append(f"| {api_key} | {api.name} | {versions} | {api.min_version}–{_highest(api_key)} |")
    missing = [api.name for key, api in sorted(API.items()) if key not in APIS and "broker" in api.listeners]
    lines += ["", f"Not answered yet: {', '.join(missing)}."]
    return "\n".join(lines)


def _highest(api_key: int) -> int:
    api = API[api_key]
    return api.max_version - api.latest_version_unstable


def settings() -> str:
    """Every setting kbroker acts on."""
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    names = [*sorted(SUPPORTED), *sorted(OWN_KEYS)]
    lines += [_setting(KEYS[name]) for name in names if not KEYS[name].internal]
    return "\n".join(lines)


def _setting(key: ConfigKey) -> str:
    default = MODE_DEFAULTS["dev"].get(key.name, key.default)
    shown = f"`{_LARGEST.get(default, default)}`" if default else ""
    kafka = MODE_DEFAULTS["kafka"].get(key.name, key.default)
    if kafka != default:
        shown += f" (`--mode kafka`: `{kafka or KEYS['log.dir'].default}`)"
    dynamic = " *Dynamic.*" if key.name in _BEHIND_TOPICS and key.update == CLUSTER_WIDE else ""
    meaning = (documentation(key.name) or "").replace("|", "\\|")
    return f"| `{key.name}` | {shown} | {meaning}{dynamic} |"


def clients() -> str:
    """The outcome of each client's last complete run."""
    return results.readme_table(results.load("kbroker")).rstrip()


def speed() -> str:
    """The figures of the last benchmark, each beside Apache Kafka's on the same machine."""
    return report.readme()


def profile() -> str:
    """Where both brokers' processor time goes under the loads that miss what is wanted."""
    return profiles.readme(report.missed())


def diff() -> str:
    """How often each difference on purpose was met when both brokers were asked the same."""
    kept = json.loads(DIFF.read_text(encoding="utf-8"))
    lines = [
        f"`python -m compat --diff` asks kbroker and Apache Kafka the same {kept['requests']:,} requests and",
        "compares the answers field by field. In its last run nothing else differed than this:",
        "",
        "| what | fields or answers |",
        "|---|---:|",
    ]
    lines += [f"| {why} | {count:,} |" for why, count in kept["lines"].items()]
    return "\n".join(lines)


def proof() -> str:
    """How much was tried, and by which command."""
    kbroker = results.load("kbroker")
    scenarios = sum(client.count("passed") for client in kbroker.values())
    compared = json.loads(DIFF.read_text())["requests"]
    lines = ["| command | what it did in its last kept run |", "|---|---|"]
    lines.append(f"| `python -m compat` | {scenarios} scenarios passed, {len(kbroker)} clients and tools |")
    lines.append(
        f"| `python -m compat --diff` | {compared:,} requests compared with Apache Kafka's answers |"
    )
    kept = json.loads(NIGHT.read_text())
    for _, search in sorted(kept.items()):
        figures = "; ".join(f"{name}: {_number(value)}" for name, value in search["figures"].items())
        lines.append(f"| `{search['command']}` | {figures} |")
    return "\n".join(lines)


def _number(value: object) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


SECTIONS = {
    "apis": apis,
    "settings": settings,
    "clients": clients,
    "diff": diff,
    "proof": proof,
    "speed": speed,
    "profile": profile,
}


def renewed(text: str) -> str:
    """The README with every table made anew."""
    for name, make in SECTIONS.items():
        pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- /{name} -->)"
        found = re.search(pattern, text, re.DOTALL)
        assert found, f"the README has no place for {name}"
        text = f"{text[: found.end(1)]}\n{make()}\n\n{text[found.start(2) :]}"
    return text


def main(arguments: list[str]) -> int:
    """Exit code 1 if something was stale and not to be written."""
    text = README.read_text(encoding="utf-8")
    fresh = renewed(text)
    if arguments == ["--write"]:
        README.write_text(fresh, encoding="utf-8")
        return 0
    if fresh != text:
        print("README.md is stale: run `python -m tests.tidy.readme --write`")
    return int(fresh != text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
