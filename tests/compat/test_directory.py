"""The README's server.properties is what Apache Kafka is started with."""

from pathlib import Path

from compat.directory.turns import server_properties


def test_the_readme_s_properties_are_taken_with_other_ports_and_another_path(tmp_path: Path) -> None:
    text = server_properties(20_001, 20_002, tmp_path)
    properties = dict(line.split("=", 1) for line in text.splitlines())
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:20002"
    assert properties["log.dirs"] == str(tmp_path)
    assert properties["process.roles"] == "broker,controller"
