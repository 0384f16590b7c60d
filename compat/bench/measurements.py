"""What is measured, by its name on the command line.

Each is a function of the kinds of brokers, the number of rounds and a folder,
and gives rows. `produce` is all its loads, `produce/16KiB` one of them.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from compat.bench import rows
from compat.bench.crowd import CROWD
from compat.bench.groups import GROUP
from compat.bench.librdkafka import LIBRDKAFKA
from compat.bench.lifecycle import LIFECYCLE
from compat.bench.loading import Loads
from compat.bench.partitions import PARTITIONS
from compat.bench.report import Row

Measurement = Callable[[Sequence[str], int, Path], list[Row]]

_SMALL: Final = rows.SMALL_PRODUCE["16"]

_TOGETHER: Final[Mapping[str, Loads]] = {
    "produce": Loads(loads=rows.PRODUCE, resident="resident memory after all loads of batches"),
    # One connection, or a record now and then, compiles nothing.
    "small-produce": Loads(loads=rows.SMALL_PRODUCE, warmed_by=(_SMALL,)),
    "consume": Loads(loads=rows.CONSUME),
    "requests": Loads(loads=rows.REQUESTS),
    "latency": Loads(loads=rows.LATENCY, warmed_by=(_SMALL, rows.CONSUME["small"])),
    # `kbroker --brokers 2`: nodes that know nothing of each other.
    "processes": Loads(loads=rows.PROCESSES, processes={"kbroker": 2}),
}
_SINGLE: Final[Mapping[str, Loads]] = {
    f"{name}/{part}": replace(together, loads={part: load}, resident="")
    for name, together in _TOGETHER.items()
    for part, load in together.loads.items()
}
# Those that have a profile, too.
LOADS: Final[Mapping[str, Loads]] = {**_TOGETHER, **_SINGLE}

# Modules of measurements plug in here.
MEASUREMENTS: Final[Mapping[str, Measurement]] = {
    **{name: loads.rows for name, loads in _TOGETHER.items()},
    **LIFECYCLE,
    **CROWD,
    **GROUP,
    **PARTITIONS,
    **LIBRDKAFKA,
}
# Single loads of them, under names such as `produce/16KiB`.
SINGLE: Final[Mapping[str, Measurement]] = {name: loads.rows for name, loads in _SINGLE.items()}
