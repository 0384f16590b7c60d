"""How much may lie unwritten in the page cache."""

from pathlib import Path

import pytest

from kbroker.broker.page_cache import unwritten_bytes_allowed

MEMINFO = "MemTotal: 8000000 kB\nMemFree: 1000 kB\nMemAvailable: 4000000 kB\n"
AVAILABLE = 4_000_000 * 1024


def allowed(root: Path, files: dict[str, str]) -> int:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return unwritten_bytes_allowed(str(root))


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 64 << 20),
        ({"proc/meminfo": MEMINFO}, AVAILABLE // 20),
        ({"proc/meminfo": MEMINFO, "proc/sys/vm/dirty_background_ratio": "4\n"}, AVAILABLE // 50),
        ({"proc/meminfo": MEMINFO, "proc/sys/vm/dirty_background_bytes": "1000\n"}, 500),
        ({"proc/meminfo": MEMINFO, "proc/sys/vm/dirty_background_bytes": "0\n"}, AVAILABLE // 20),
    ],
)
def test_half_of_what_the_kernel_lets_lie(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    assert allowed(tmp_path, files) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        # Version 2: the group's own limit, and the limits of those around it.
        ({"proc/self/cgroup": "0::/a/b\n", "sys/fs/cgroup/a/b/memory.max": "1000000\n"}, 50_000),
        (
            {
                "proc/self/cgroup": "0::/a/b\n",
                "sys/fs/cgroup/a/b/memory.max": "max\n",
                "sys/fs/cgroup/a/memory.max": "2000000\n",
            },
            100_000,
        ),
        # In a container.
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "1000000\n"}, 50_000),
        ({"proc/self/cgroup": "0::/../x\n", "sys/fs/cgroup/memory.max": "1000000\n"}, 50_000),
        # Version 1.
        (
            {
                "proc/self/cgroup": "5:cpu:/\n4:memory:/docker/x\n0::/\n",
                "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n",
            },
            50_000,
        ),
        # A limit beyond what there is.
        ({"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": f"{1 << 62}\n"}, AVAILABLE // 20),
    ],
)
def test_a_control_group_has_less(files: dict[str, str], expected: int, tmp_path: Path) -> None:
    assert allowed(tmp_path, {"proc/meminfo": MEMINFO, **files}) == expected


def test_here() -> None:
    assert unwritten_bytes_allowed() > 0
