"""Profiles of the benchmark: what a stack counts for, what is told of it, what perf sees of a process."""

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from compat.bench import generator, loading, profiles, rows
from compat.bench.__main__ import main
from compat.bench.generator import Result
from compat.bench.loading import Loads
from compat.bench.profiles import NothingSeen, Profile, Spent

KERNEL = "ffffffff81234567"
USER = "    7f0123456789"


def stack(*frames: str) -> list[str]:
    """As perf tells it, and then an empty line."""
    return [*(f"\t{frame}" for frame in frames), ""]


def inside(*functions: str) -> list[str]:
    """A stack in the kernel, called from Python."""
    caller = f"{USER} _PyEval_EvalFrameDefault (/usr/bin/python3.11)"
    return stack(*(f"{KERNEL} {function} ([kernel.kallsyms])" for function in functions), caller)


@pytest.mark.parametrize(
    ("lines", "part"),
    [
        pytest.param(inside("copy", "tcp_sendmsg", "__x64_sys_sendto"), "send", id="sendto"),
        pytest.param(inside("copy", "tcp_sendmsg", "vfs_write", "ksys_write"), "send", id="to a socket"),
        pytest.param(inside("copy", "ext4_file_write_iter", "ksys_write"), "write", id="to a file"),
        pytest.param(inside("copy", "vfs_write", "__x64_sys_pwrite64"), "write", id="to a place in a file"),
        pytest.param(inside("tcp_recvmsg", "vfs_read", "__x64_sys_read"), "recv", id="from a socket"),
        pytest.param(inside("vfs_read", "__x64_sys_pread64"), "pread64", id="from a file"),
        pytest.param(inside("tcp_sendmsg", "do_sendfile", "__x64_sys_sendfile64"), "sendfile", id="sendfile"),
        pytest.param(inside("schedule", "do_epoll_wait", "__x64_sys_epoll_wait"), "epoll", id="epoll"),
        pytest.param(inside("clear_page", "exc_page_fault", "asm_exc_page_fault"), "page faults", id="fault"),
        pytest.param(inside("asm_sysvec_apic_timer_interrupt"), "interrupts", id="interrupt"),
        pytest.param(stack(f"{USER} PyDict_GetItem (/usr/bin/python3.11)"), "own code", id="Python"),
        pytest.param(stack(f"{USER} [unknown] (/tmp/perf-7.map)"), "own code", id="compiled by a JVM"),
        pytest.param(stack(f"{USER} crc32c_hw (/lib/crc32c/_crc32c.so)"), "checksum", id="checksum"),
    ],
)
def test_a_sample_counts_for_the_call_it_was_in(lines: list[str], part: str) -> None:
    one_more = inside("__x64_sys_futex")
    assert profiles.parts([*lines, *one_more]) == {part: 1, "futex": 1}


def test_samples_without_a_call_into_the_kernel_are_no_profile() -> None:
    with pytest.raises(NothingSeen, match="in 2 samples"):
        profiles.parts(2 * stack(f"{USER} main (/usr/bin/python3.11)"))


RESULT = Result(
    answers=1000,
    bytes=0,
    seconds=0.5,
    cpu_s=0.4,
    client_cpu_s=0.1,
    p50_us=1.0,
    p99_us=1.0,
    max_us=1.0,
    total=1000,
)


def test_all_runs_of_a_broker_count_together() -> None:
    spent = Spent()
    spent.add(RESULT)
    spent.add(replace(RESULT, cpu_s=0.6))
    spent.see({"own code": 30, "send": 10})
    spent.see({"send": 58, "futex": 1, "unlink": 1})
    assert (spent.cores(), spent.client_cores(), spent.us_each()) == (1.0, 0.2, 500.0)
    assert spent.of_these("kbroker") == "send 340, Python 150, others 10"
    assert spent.of_these("kafka") == "send 340, Java 150, others 10"


def test_what_is_kept_is_shown_and_replaced(tmp_path: Path) -> None:
    file = tmp_path / "profiles.json"
    for send in (1, 3):
        profile = Profile("produce", 2.0)
        profile.of("kbroker").add(RESULT)
        profile.of("kbroker").see({"own code": 1, "send": send})
        profile.of("kafka").add(RESULT)
        profile.of("kafka").see({"recv": 1})
        profiles.save([profile], "python -m compat.bench --profile", file)
    assert profiles.readme(["produce"], file).splitlines()[2:] == [
        "| | | cores | client's | µs each | wanted | of these |",
        "|---|---|---:|---:|---:|---:|---|",
        "| produce | kbroker | 0.80 | 0.20 | 400 | ≤ 200 | send 300, Python 100 |",
        "|  | Apache Kafka | 0.80 | 0.20 | 400 |  | recv 400 |",
    ]
    assert len(profiles.readme(["consume"], file).splitlines()) == 4
    assert "by `python -m compat.bench --profile`" in profiles.readme(["produce"], file)


NO_PERF = profiles.missing() or ("" if os.geteuid() == 0 else "perf tells only root what the kernel does")
NO_GENERATOR = generator.missing() or ""


@pytest.mark.skipif(bool(NO_PERF), reason=NO_PERF)
def test_perf_sees_what_a_process_does(tmp_path: Path) -> None:
    work = "import os\nwhile True: os.pwrite(1, b'x' * 4096, 0)"
    with (tmp_path / "file").open("wb") as file:
        process = subprocess.Popen([sys.executable, "-c", work], stdout=file)
    try:
        profile = Profile("writing")
        with profile.watched("kbroker", [process.pid], tmp_path):
            time.sleep(0.5)
    finally:
        process.kill()
        process.wait()
    seen = profile.of("kbroker").parts
    assert seen["write"] > 0.2 * sum(seen.values())
    assert seen["own code"] > 0


ASKING = Loads(loads={"ApiVersions": rows.REQUESTS["ApiVersions"], "small": rows.SMALL_PRODUCE["16"]})


@pytest.fixture
def short_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "RUN_S", 0.4)
    monkeypatch.setattr(loading, "WARM_UP_S", 0.1)
    monkeypatch.setattr(loading, "FIRST_WARM_UP_S", 0.1)


@pytest.mark.skipif(bool(NO_PERF or NO_GENERATOR), reason=NO_PERF or NO_GENERATOR)
@pytest.mark.usefixtures("short_runs")
def test_a_broker_under_load_has_a_profile(tmp_path: Path) -> None:
    asked, produced = ASKING.profiles(["kbroker"], 2, tmp_path)
    assert (asked.what, produced.what) == ("ApiVersions", "produce 1×100 B, 16 connections")
    assert asked.of("kbroker").seconds >= 0.8
    assert {"own code", "send", "recv", "epoll"} <= asked.of("kbroker").parts.keys()
    assert {"own code", "send", "recv", "write"} <= produced.of("kbroker").parts.keys()


@pytest.mark.skipif(bool(NO_GENERATOR), reason=NO_GENERATOR)
@pytest.mark.usefixtures("short_runs")
def test_loads_are_run_in_turns_and_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = replace(ASKING, resident="resident").rows(["kbroker"], 2, tmp_path)
    assert {row.what: len(row.values["kbroker"]) for row in found} == {
        "ApiVersions": 2,
        "produce 1×100 B, 16 connections": 2,
        "produce 1×100 B, 16 connections, p99": 2,
        "resident": 1,
    }
    assert capsys.readouterr().err.count("kbroker  ApiVersions: ") == 2


@pytest.mark.parametrize(
    ("wanted", "own_s", "other_s", "us"),
    [(1.5, 0.5, 0.75, 250.0 * 4 / 3), (2.0, 0.5, 0.5, 250.0), (None, 0.5, 0.5, None)],
)
def test_what_is_wanted_follows_from_the_rate(
    wanted: float | None, own_s: float, other_s: float, us: float | None
) -> None:
    profile = Profile("produce", wanted)
    assert profile.may_take_us() is None
    profile.of("kbroker").add(replace(RESULT, cpu_s=own_s))
    profile.of("kafka").add(replace(RESULT, cpu_s=other_s))
    found = profile.may_take_us()
    assert found == (None if us is None else pytest.approx(us))


def test_only_loads_have_a_profile(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--profile", "--only", "startup"])
    assert "no measurement 'startup'" in capsys.readouterr().err
