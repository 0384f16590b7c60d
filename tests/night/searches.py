"""The searches of disks, histories and kills, at the sizes of a night."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.disk import test_bit_flips, test_faults, test_planted_defects, test_power_loss
from tests.disk.workload import Workload
from tests.end_to_end import test_kill_loop
from tests.end_to_end.checker import anomalies, worst_lag_ms
from tests.log import test_corruption
from tests.night.registry import Figures, search, sized


@search("s5")
def power_loss(seed: int, scale: float) -> Figures:
    """Power loss at every write of 20 lives of a broker."""
    scripts = sized(20, scale)
    points = sum(test_power_loss.PowerLoss(seed + number).run() for number in range(scripts))
    return {"scripts": scripts, "power-loss points": points}


@search("d2")
def faults(seed: int, scale: float) -> Figures:
    """One failing call of the disk per life: each call, each way to fail."""
    calls = sized(600, scale)
    lives = sum(
        test_faults.check_faults(kind, reads=reads, seed=seed, last=calls)
        for kind, reads in (("EIO", False), ("ENOSPC", False), ("EIO", True))
    )
    return {"failing calls": lives}


@search("d3")
def bit_flips(seed: int, scale: float) -> Figures:
    """20,000 flipped bits in a whole directory."""
    flips = sized(10_000, scale)
    found = [test_bit_flips.flip_bits(flips, clean=clean, seed=seed) for clean in (True, False)]
    return {
        "bit flips": sum(flipped for flipped, _ in found),
        "starts refused": sum(refused for _, refused in found),
    }


@search("d4")
def truncations(seed: int, scale: float) -> Figures:
    """The tail cut at every byte of the last batches; there is no more of it at night."""
    cuts = sum(test_corruption.cut_tails(clean=clean) for clean in (True, False))
    return {"truncations": cuts}


@search("histories")
def histories(seed: int, scale: float) -> Figures:
    """Faulty networks, disks and processes under clients, judged by the history checker."""
    runs = sized(2_000, scale)
    sends = lag_ms = 0
    for number in range(runs):
        history = Workload(seed + number).run()
        found = anomalies(history)
        assert found == [], f"seed {seed + number}: {found[:5]}"
        sends += len(history.sends)
        lag_ms = max(lag_ms, worst_lag_ms(history))
    return {"histories": runs, "records sent": sends, "worst lag, ms": lag_ms}


@search("k1")
def kills(seed: int, scale: float) -> Figures:
    """200 kills of a real process under librdkafka."""
    with tempfile.TemporaryDirectory() as directory:
        return test_kill_loop.kill_loop(Path(directory), rounds=sized(200, scale), seed=seed)


@search("canaries")
def canaries(seed: int, scale: float) -> Figures:
    """How many planted defects the checker has found: all, or it raises."""
    return {"planted defects found": test_planted_defects.find_all(seed)}
