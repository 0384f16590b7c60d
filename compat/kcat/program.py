"""The program: kcat's scenarios by name."""

import subprocess
import sys
import time
from collections.abc import Callable

from compat.harness import Context, Scenario, check, equal, eventually, serve
from compat.kcat.kit import (
    Line,
    Member,
    Pipe,
    consume,
    create_topic,
    produce,
    refused,
    run,
    settled,
)
from compat.kcat.pipeline import kcat_pipeline

NOW_MS = 1_700_000_000_000
# Bytes of an uncompressed batch around one value, and the most a topic takes by default.
BATCH_OVERHEAD = 72
MAX_BATCH = 1_048_588


def produce_with(codec: str) -> Scenario:
    """A scenario: batches of one codec."""

    def scenario(context: Context) -> None:
        sent = [f"{number} " + "the quick brown fox " * (number % 50) for number in range(1000)]
        produce(context, context.topic(), sent, "-z", codec, "-X", "batch.num.messages=100")
        found = consume(context, context.topic(), "-X", "check.crcs=true")
        equal([line.value for line in found], sent, "values")
        equal([line.offset for line in found], list(range(1000)), "offsets")

    return scenario


def keyed_and_unkeyed(context: Context) -> None:
    topic = create_topic(context, context.topic(), 6)
    keyed = [(f"key-{number % 20}", f"{number}") for number in range(200)]
    produce(context, topic, [f"{key}\t{value}" for key, value in keyed], "-K", "\t")
    produce(context, topic, ["no key"])
    # -Z makes what is empty null.
    produce(context, topic, ["tombstone\t", "\tno key either"], "-K", "\t", "-Z")
    found = consume(context, topic)
    for key in {key for key, _ in keyed}:
        mine = [line for line in found if line.key == key]
        equal(len({line.partition for line in mine}), 1, f"partitions of {key}")
        equal(
            [line.value for line in mine],
            [value for other, value in keyed if other == key],
            f"order of {key}",
        )
    rest = {(line.key, line.value) for line in found if not (line.key or "").startswith("key-")}
    equal(rest, {(None, "no key"), ("tombstone", None), (None, "no key either")}, "what is special")


def headers(context: Context) -> None:
    produce(
        context, context.topic(), ["v"], "-H", "a=1", "-H", "b=two", "-H", "a=3", "-H", "empty=", "-H", "null"
    )
    equal(consume(context, context.topic())[0].headers, "a=1,b=two,a=3,empty=,null=NULL", "headers")


def message_size_boundary(context: Context) -> None:
    options = ("-X", "message.max.bytes=2000000", "-z", "none")
    largest = "x" * (MAX_BATCH - BATCH_OVERHEAD)
    produce(context, context.topic(), [largest], *options)
    said = refused(context, context.topic(), f"{largest}x\n", *options)
    check("too large" in said, f"one byte more: {said}")
    equal([line.value for line in consume(context, context.topic())], [largest], "what was taken")


def idempotent(context: Context) -> None:
    sent = [str(number) for number in range(5000)]
    options = ("-X", "enable.idempotence=true", "-X", "batch.num.messages=50", "-X", "linger.ms=1")
    produce(context, context.topic(), sent, *options)
    equal([line.value for line in consume(context, context.topic())], sent, "values")


def acks_0_1_all(context: Context) -> None:
    for acks in ("0", "1", "all"):
        _acknowledged(context, acks)


def _acknowledged(context: Context, acks: str) -> None:
    topic = create_topic(context, context.topic(acks), 1)
    sent = [f"{acks}-{number}" for number in range(200)]
    produce(context, topic, ["first"], "-X", "acks=all")  # By now the partition is served.
    produce(context, topic, sent, "-X", f"acks={acks}")
    eventually(lambda: len(consume(context, topic)) == 201, f"all with acks={acks}")
    equal([line.value for line in consume(context, topic)][1:], sent, f"acks={acks}")


def consume_beginning(context: Context) -> None:
    _filled(context)
    found = consume(context, context.topic(), "-o", "beginning")
    equal([line.offset for line in found], list(range(100)), "offsets")


def consume_end(context: Context) -> None:
    _filled(context)
    equal(consume(context, context.topic(), "-o", "end"), [], "from the end")
    found = consume(context, context.topic(), "-o", "-3")
    equal([line.offset for line in found], [97, 98, 99], "the last three")


def consume_offset(context: Context) -> None:
    _filled(context)
    found = consume(context, context.topic(), "-o", "42", "-c", "10")
    equal([line.offset for line in found], list(range(42, 52)), "offsets")
    strict = run(
        context, "-C", "-t", context.topic(), "-o", "5000", "-e", "-X", "topic.auto.offset.reset=error"
    )
    check("out of range" in strict.stderr.lower(), f"beyond the end: {strict.stderr.strip()}")


def consume_timestamp(context: Context) -> None:
    _filled(context)
    middle_ms = int(time.time() * 1000)
    time.sleep(0.01)
    produce(context, context.topic(), ["late"] * 10)
    found = consume(context, context.topic(), "-o", f"s@{middle_ms}")
    equal([line.offset for line in found], list(range(100, 110)), "what came after")
    check(all(line.timestamp_ms >= middle_ms for line in found), "a timestamp before the one asked for")
    listed = run(context, "-Q", "-t", f"{context.topic()}:0:{middle_ms}")
    check("offset 100" in listed.stdout, f"kcat -Q: {listed.stdout.strip()}")


def group_of_three(context: Context) -> None:
    topic = create_topic(context, context.topic(), 6)
    members = [Member(context, name, context.group(), topic) for name in "abc"]
    try:
        settled(members, 6)
        sent = [f"{number}\t{number}" for number in range(300)]
        produce(context, topic, sent, "-K", "\t")
        _all_read_once(members, 300)
        members[0].leave()
        settled(members[1:], 6)
        members[1].kill()
        settled(members[2:], 6)
        before = len(members[2].lines())
        produce(context, topic, sent[:50], "-K", "\t")
        eventually(lambda: len(members[2].lines()) >= before + 50, "the last member reads all")
    finally:
        _end(members)


def cooperative(context: Context) -> None:
    topic = create_topic(context, context.topic(), 6)
    strategy = "partition.assignment.strategy=cooperative-sticky"
    members = [Member(context, "a", context.group(), topic, strategy)]
    try:
        settled(members, 6)
        members.append(Member(context, "b", context.group(), topic, strategy))
        settled(members, 6)
        produce(context, topic, [f"{number}\t{number}" for number in range(100)], "-K", "\t")
        _all_read_once(members, 100)
        members[1].leave()
        settled(members[:1], 6)
    finally:
        _end(members)


def static_member(context: Context) -> None:
    topic = create_topic(context, context.topic(), 2)

    def static(name: str) -> Member:
        return Member(
            context, name, context.group(), topic, "group.instance.id=one", "session.timeout.ms=20000"
        )

    first = static("first")
    members = [first]
    try:
        settled([first], 2)
        first.leave()
        back = static("back")
        members.append(back)
        # Sooner than its session could have ended.
        settled([back], 2, 10)
        double = static("double")
        members.append(double)
        eventually(lambda: "fenced by other consumer" in back.said, "the older of two doubles is fenced")
        settled([double], 2, 10)
    finally:
        _end(members)


def commit_auto(context: Context) -> None:
    topic = _filled(context)

    def next_of_group(count: int) -> list[int]:
        options = (
            "-G",
            context.group(),
            "-f",
            "%o\n",
            "-c",
            str(count),
            "-q",
            "-X",
            "auto.offset.reset=earliest",
        )
        return [int(offset) for offset in run(context, *options, topic).stdout.split()]

    equal(next_of_group(40), list(range(40)), "first reading")
    equal(next_of_group(60), list(range(40, 100)), "second reading")


def unknown_topic(context: Context) -> None:
    done = run(context, "-C", "-t", context.topic("absent"), "-e", "-X", "allow.auto.create.topics=false")
    check(done.returncode != 0 and "Unknown topic" in done.stderr, f"consuming: {done.stderr.strip()}")
    listing = run(context, "-L").stdout
    check(context.topic("absent") not in listing, "asking for a topic has created it")
    produce(context, context.topic("wanted"), ["creates its topic"])
    equal(
        [line.value for line in consume(context, context.topic("wanted"))],
        ["creates its topic"],
        "auto-created",
    )


def bad_partition(context: Context) -> None:
    _filled(context)
    said = refused(context, context.topic(), "v\n", "-p", "99")
    check("Unknown partition" in said, f"producing: {said}")
    done = run(context, "-C", "-t", context.topic(), "-p", "99", "-e")
    check(done.returncode != 0 and "does not exist" in done.stderr, f"consuming: {done.stderr.strip()}")


def transactional_refused(context: Context) -> None:
    started_at_s = time.monotonic()
    try:
        said = refused(context, context.topic(), "v\n", "-X", f"transactional.id={context.group()}")
    except subprocess.TimeoutExpired:
        said = ""
    check(said, "kcat hangs")
    check(time.monotonic() - started_at_s < 5, f"the error took more than 5 s: {said}")


def restart_in_the_middle(context: Context) -> None:
    topic = create_topic(context, context.topic(), 3)
    file = context.scratch / "lines"
    file.write_text("".join(f"{number}\t{number}\n" for number in range(200_000)))
    member = Member(context, "member", context.group(), topic, "reconnect.backoff.max.ms=200")
    pipe = Pipe(
        context, topic, "-K", "\t", *_settings("enable.idempotence=true", "reconnect.backoff.max.ms=200")
    )
    try:
        feeding = pipe.feed(file)
        for action in ("kill", "stop"):
            _more(lambda: member.output.stat().st_size, 100_000)
            context.broker(action)
            context.broker("start")
        feeding.join(60)
        pipe.end()
        found = consume(context, topic)
        equal(sorted(int(line.value or "") for line in found), list(range(200_000)), "values")
        for partition in range(3):
            values = [int(line.value or "") for line in found if line.partition == partition]
            equal(values, sorted(values), f"order in partition {partition}")
    finally:
        pipe.kill()
        _end([member])


def _settings(*settings: str) -> list[str]:
    return [part for setting in settings for part in ("-X", setting)]


def _more(size: Callable[[], int], amount: int) -> None:
    before = size()
    eventually(lambda: size() >= before + amount, f"{amount} bytes more are read", 60)


def _filled(context: Context) -> str:
    produce(context, context.topic(), [str(number) for number in range(100)], "-X", "batch.num.messages=7")
    return context.topic()


def _all_read_once(members: list[Member], count: int) -> None:
    def read() -> list[Line]:
        return [line for member in members for line in member.lines()]

    eventually(lambda: len(read()) >= count, f"{count} messages are read")
    equal(
        sorted(int(line.value or "") for line in read()), list(range(count)), "read by all members together"
    )


def _end(members: list[Member]) -> None:
    for member in members:
        member.kill()


SCENARIOS: dict[str, Scenario] = {
    **{f"produce_{codec}": produce_with(codec) for codec in ("none", "gzip", "snappy", "lz4", "zstd")},
    "keyed_and_unkeyed": keyed_and_unkeyed,
    "headers": headers,
    "message_size_boundary": message_size_boundary,
    "idempotent": idempotent,
    "acks_0_1_all": acks_0_1_all,
    "consume_beginning": consume_beginning,
    "consume_end": consume_end,
    "consume_offset": consume_offset,
    "consume_timestamp": consume_timestamp,
    "group_of_three": group_of_three,
    "static_member": static_member,
    "cooperative": cooperative,
    "commit_auto": commit_auto,
    "unknown_topic": unknown_topic,
    "bad_partition": bad_partition,
    "transactional_refused": transactional_refused,
    "restart_in_the_middle": restart_in_the_middle,
    "kcat_pipeline": kcat_pipeline,
}

if __name__ == "__main__":
    version = subprocess.run(["kcat", "-V"], capture_output=True, text=True).stdout
    name = next((line for line in version.splitlines() if line.startswith("Version")), "Version ?")
    sys.exit(serve(name.removeprefix("Version ").split(" ", 1)[0], SCENARIOS))
