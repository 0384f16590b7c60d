"""Groups by tool: offsets moved in every way, deleted, described."""

import time
from datetime import UTC, datetime

from compat.harness import Context, Scenario, check, equal
from compat.kafka import tools
from compat.kafka_tools.kit import complaint, consume, filled, offsets_of, produce, tool


def reset_offsets(context: Context) -> None:
    topic, group = filled(context, 50), context.group()
    consume(context, topic, 50, "--group", group, "--from-beginning")
    middle = datetime.now(UTC)
    time.sleep(0.01)
    produce(context, topic, [str(number) for number in range(50, 60)])

    def reset(*arguments: str, act: str = "--execute") -> str:
        """The new offset, as the tool tells it."""
        where = () if "--from-file" in arguments else ("--topic", topic)
        said = tool(
            context, tools.CONSUMER_GROUPS, "--reset-offsets", "--group", group, *where, *arguments, act
        )
        rows = [line.split() for line in said.splitlines()]
        found = [row[3] for row in rows if row[:3] == [group, topic, "0"]]
        equal(len(found), 1, f"rows about the partition in: {said}")
        return found[0]

    equal(reset("--to-earliest", act="--dry-run"), "0", "a dry run to the earliest")
    equal(offsets_of(context, group)[topic, 0][0], "50", "after a dry run")
    equal(reset("--to-latest"), "60", "to the latest")
    equal(reset("--to-offset", "7"), "7", "to an offset")
    equal(reset("--shift-by", "5"), "12", "shifted forth")
    equal(reset("--shift-by", "-2"), "10", "shifted back")
    equal(reset("--shift-by", "-1000"), "0", "shifted before the beginning")
    equal(reset("--to-datetime", middle.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3]), "50", "to a time")
    equal(reset("--to-current"), "50", "to where it is")
    equal(reset("--by-duration", "PT1H"), "0", "by a duration")
    plan = context.scratch / "offsets.csv"
    plan.write_text(_exported(context, topic, group), encoding="utf-8")
    equal(plan.read_text(encoding="utf-8").strip(), f'"{topic}",0,55', "an exported plan")
    equal(reset("--from-file", str(plan)), "55", "from the file")
    equal(offsets_of(context, group)[topic, 0], ("55", "60", "5"), "offset, end and lag")
    found = consume(context, topic, 5, "--group", group)
    equal(found, [str(n) for n in range(55, 60)], "where the group goes on")


def _exported(context: Context, topic: str, group: str) -> str:
    arguments = ("--group", group, "--topic", f"{topic}:0", "--to-offset", "55", "--dry-run", "--export")
    return tool(context, tools.CONSUMER_GROUPS, "--reset-offsets", *arguments)


def delete_offsets(context: Context) -> None:
    topic, other, group = filled(context, 10), filled(context, 10, "other"), context.group()
    for each in (topic, other):
        consume(context, each, 10, "--group", group, "--from-beginning")
    listed = tool(context, tools.GROUPS, "--list", "--group-type", "classic")
    check([group, "Classic", "consumer"] in [line.split() for line in listed.splitlines()], listed)
    said = tool(context, tools.CONSUMER_GROUPS, "--delete-offsets", "--group", group, "--topic", topic)
    check([topic, "0", "Successful"] in [line.split() for line in said.splitlines()], said)
    equal(set(offsets_of(context, group)), {(other, 0)}, "offsets that are left")
    tool(context, tools.CONSUMER_GROUPS, "--delete", "--group", group)
    said = complaint(context, tools.CONSUMER_GROUPS, "--describe", "--group", group, "--state")
    check("does not exist" in said or "not found" in said, f"a group that is gone: {said}")


SCENARIOS: dict[str, Scenario] = {"reset_offsets": reset_offsets, "delete_offsets": delete_offsets}
