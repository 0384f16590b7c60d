"""Results are kept per client and broker, and the table is made from them."""

from pathlib import Path

from compat import client, results
from compat.results import ClientResults, Result
from compat.scenarios import SCENARIOS


def client_results(**outcomes: str) -> ClientResults:
    return ClientResults(
        "A client", "1.0", {name: Result(outcome, "why", 1.5) for name, outcome in outcomes.items()}
    )


def test_a_run_replaces_only_its_own_clients(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    both = {"a": client_results(seek="failed"), "b": client_results(seek="passed")}
    results.save("kbroker", both, tmp_path)
    results.save("kafka", {"a": client_results(seek="passed")}, tmp_path)
    results.save("kbroker", {"a": client_results(admin="passed")}, tmp_path)
    kept = results.load("kbroker", tmp_path)
    assert list(kept["a"].scenarios) == ["admin"]
    assert kept["b"].scenarios["seek"] == Result("passed", "why")
    assert results.load("kafka", tmp_path)["a"].count("passed") == 1


def test_what_is_skipped_keeps_its_last_result(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    results.save("kbroker", {"a": client_results(own_suite="passed", seek="failed")}, tmp_path)
    new = {"a": client_results(seek="passed")}
    results.save("kbroker", new, tmp_path, skipped=["own_suite", "admin"])
    kept = results.load("kbroker", tmp_path)["a"].scenarios
    assert {name: result.outcome for name, result in kept.items()} == {
        "seek": "passed",
        "own_suite": "passed",
    }


def test_only_what_was_not_allowed_spoils_a_run() -> None:
    assert client_results(seek="passed", admin="skipped", headers="allowed").good()
    assert not client_results(seek="failed").good()
    assert not client_results(seek="stale").good()


def test_the_table_names_what_did_not_plainly_pass() -> None:
    kept = client_results(seek="passed", admin="skipped", headers="allowed")
    kept.scenarios["seek"] = Result("passed")
    table = results.readme_table({"a": kept})
    assert "| A client | 1.0 | 1 of 2 | admin: why; headers: why |" in table.splitlines()


def test_every_client_folder_can_be_loaded_and_allows_only_known_scenarios() -> None:
    names = client.names()
    assert {"aiokafka", "confluent_kafka", "java", "kafka_python", "kafka_tools", "kcat"} <= set(names)
    assert names[-1] == "kafka_tools"
    for name in names:
        assert client.load(name).title
        assert (client.FOLDER / name / "README.md").exists()
        for kind in ("kbroker", "kafka"):
            assert client.allowed_failures(name, kind).keys() <= SCENARIOS.keys()
