"""What the journeys of the directory start: the README's properties, and no orphans."""

import os
from pathlib import Path

from compat.directory.turns import Turns, server_properties


def test_the_readme_s_properties_are_taken_with_other_ports_and_another_path(tmp_path: Path) -> None:
    text = server_properties(20_001, 20_002, tmp_path)
    properties = dict(line.split("=", 1) for line in text.splitlines())
    assert properties["listeners"] == "PLAINTEXT://127.0.0.1:20001,CONTROLLER://127.0.0.1:20002"
    assert properties["controller.quorum.voters"] == "1@127.0.0.1:20002"
    assert properties["log.dirs"] == str(tmp_path)
    assert properties["process.roles"] == "broker,controller"


def test_a_broker_of_the_journey_ends_with_its_program(tmp_path: Path) -> None:
    turns = Turns(tmp_path, first="kbroker")
    try:
        turns.start("kbroker")
        assert os.getpgid(turns.brokers["kbroker"].pid) == os.getpgrp()
    finally:
        turns.close()
