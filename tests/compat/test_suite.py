"""A client's own suite: what may fail, what may not, what is allowed in vain."""

from pathlib import Path

import pytest

from compat.harness import Failed
from compat.suite import allowances, judged


def test_counts_are_told() -> None:
    outcomes = {"a": "passed", "b/1": "failed", "b/2": "failed", "c": "skipped"}
    told = "1 of 4 of its own tests pass, 2 are allowed to fail, 1 skip themselves"
    assert judged(outcomes, {"b/*": "no transactions"}) == told


def test_what_is_not_allowed_to_fail_is_named() -> None:
    with pytest.raises(Failed, match="1 of 2 tests failed: b"):
        judged({"a": "passed", "b": "failed"}, {"c": "why"})


def test_an_allowance_that_names_no_test_is_told() -> None:
    with pytest.raises(Failed, match="allowed to fail, but not run: c"):
        judged({"a": "passed"}, {"c": "why"})


def test_a_suite_that_ran_nothing_has_not_passed() -> None:
    with pytest.raises(Failed, match="no test passed"):
        judged({}, {})


def test_allowances_are_read_with_their_reasons(tmp_path: Path) -> None:
    file = tmp_path / "suite.allow"
    file.write_text("# why\n\nTestA::b*: needs: ACLs\n")
    assert allowances(file) == {"TestA::b*": "needs: ACLs"}
    file.write_text("TestA\n")
    with pytest.raises(ValueError, match="not `test: why`"):
        allowances(file)
    assert allowances(tmp_path / "none") == {}
