"""What became of tests in Go is read from the lines of test2json."""

import json

from compat.golang.suites import outcomes


def line(action: str, test: str) -> str:
    return json.dumps({"Action": action, "Test": test}) + "\n"


def test_a_test_of_tests_counts_by_its_own() -> None:
    lines = [line("run", "TestA"), line("run", "TestA/x"), line("run", "TestA/y")]
    lines += [line("pass", "TestA/x"), line("fail", "TestA/y"), line("fail", "TestA")]
    assert outcomes(lines) == {"TestA/x": "passed", "TestA/y": "failed"}


def test_a_test_that_fails_beside_its_own_counts_itself() -> None:
    lines = [line("run", "TestA"), line("run", "TestA/x"), line("pass", "TestA/x"), line("fail", "TestA")]
    assert outcomes(lines) == {"TestA": "failed", "TestA/x": "passed"}


def test_what_never_ended_has_failed() -> None:
    lines = [line("run", "TestA"), line("skip", "TestA"), line("run", "TestB"), "panic: not JSON\n"]
    assert outcomes(lines) == {"TestA": "skipped", "TestB": "failed"}
