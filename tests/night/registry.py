"""What runs at night, by name.

A search is a function of a seed and a scale (1.0: a whole night's size) that
calls what the gate's test calls, and returns figures. What it finds it raises.
Add one by registering it in `searches.py`, or in a module of its own that is
named in `MODULES`.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

Figures = dict[str, object]
Search = Callable[[int, float], Figures]

MODULES = ("tests.night.searches", "tests.night.hostile")
SEARCHES: dict[str, Search] = {}


def search(name: str) -> Callable[[Search], Search]:
    """Registers a search under `name`."""

    def register(function: Search) -> Search:
        assert name not in SEARCHES
        SEARCHES[name] = function
        return function

    return register


def load() -> dict[str, Search]:
    for module in MODULES:
        import_module(module)
    return SEARCHES


def sized(count: int, scale: float) -> int:
    """`count` at this scale, at least one."""
    return max(1, round(count * scale))
