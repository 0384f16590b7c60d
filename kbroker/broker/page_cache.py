"""How much may lie in the page cache before the kernel begins to write.

Above `vm.dirty_background_ratio` (10 % as a rule) it begins by itself, and at
half way from there to `vm.dirty_ratio` (20 %) it holds up whoever writes. Half
of the first is ours: other processes write, too. In a control group the same
percentages are of what the group may have.
"""

import os
from contextlib import suppress

_SHARE = 2
_DEFAULT_PERCENT = 10
# Where nothing can be read, there is no Linux: 64 MiB are no risk anywhere.
_DEFAULT_BYTES = 64 << 20


def unwritten_bytes_allowed(root: str = "") -> int:
    """Bytes, of the memory available now; `root` holds `proc` and `sys`."""
    background = _number(f"{root}/proc/sys/vm/dirty_background_bytes")
    if background:
        return background // _SHARE
    available = _available(f"{root}/proc/meminfo")
    if available is None:
        return _DEFAULT_BYTES
    percent = _number(f"{root}/proc/sys/vm/dirty_background_ratio")
    memory = min([available, *_limits(root)])
    return memory * (_DEFAULT_PERCENT if percent is None else percent) // 100 // _SHARE


def _available(path: str) -> int | None:
    for line in _read(path).splitlines():
        name, _, value = line.partition(":")
        if name == "MemAvailable":
            return int(value.split()[0]) * 1024
    return None


def _limits(root: str) -> list[int]:
    """Those of the process's control group and of the groups around it, version 1 or 2."""
    limits = []
    for line in _read(f"{root}/proc/self/cgroup").splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            folder, name = f"{root}/sys/fs/cgroup", "memory.max"
        elif "memory" in controllers.split(","):
            folder, name = f"{root}/sys/fs/cgroup/memory", "memory.limit_in_bytes"
        else:
            continue
        # In a container the name may be the host's, while its own group is all that is mounted.
        group = group.strip("/")
        while True:
            limit = _number(f"{folder}/{group}/{name}")
            if limit is not None:
                limits.append(limit)
            if not group:
                break
            group = os.path.dirname(group)
    return limits


def _read(path: str) -> str:
    with suppress(OSError), open(path, encoding="utf-8") as file:
        return file.read()
    return ""


def _number(path: str) -> int | None:
    """What a file says; None if it is missing, or "max"."""
    with suppress(ValueError):
        return int(_read(path))
    return None
