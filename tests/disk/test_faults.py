"""The n-th call of the disk fails, for every n (D2).

An input/output error, a full disk, both after half of the bytes; at reads,
writes, syncs, renames. No answer is a lie, a full disk passes, a failed fsync
takes the directory offline. A slow fsync is somebody else's wait.
"""

from __future__ import annotations

import errno
from random import Random

import pytest

from tests.disk.faulty_life import FaultyLife

CALLS = 200
_KINDS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC}


def check_faults(kind: str, *, reads: bool, seed: int, first: int = 1, last: int = CALLS) -> int:
    """One life per call that fails; how many there were."""
    for at in range(first, last + 1):
        life = FaultyLife(_KINDS[kind], at, reads=reads)
        try:
            life.run()
            life.check_left(Random(f"{seed} {at}") if at % 2 else None)
        except BaseException:
            print(f"{kind} at call {at}: {life.failed}, seed {seed}")
            raise
        if life.failed is None:
            return at - first
    return last + 1 - first


@pytest.mark.parametrize(("kind", "reads"), [("EIO", False), ("ENOSPC", False), ("EIO", True)])
def test_one_failing_call_makes_no_answer_a_lie(kind: str, reads: bool) -> None:
    assert check_faults(kind, reads=reads, seed=1) > 50
