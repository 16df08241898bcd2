"""Which parts of the toolkit are on: none before ``init_telemetry`` and after ``shutdown``, and none that a setting
leaves out. A helper whose part is off reads one attribute and steps aside.
"""

from __future__ import annotations

from collections.abc import Collection

PARTS = ("code", "errors", "data", "agents", "trust", "jobs")


class Part:
    """One part of the toolkit.

    Attributes:
        name: one of ``PARTS``.
        on: whether its helpers emit anything.
    """

    __slots__ = ("name", "on")

    def __init__(self, name: str) -> None:
        self.name, self.on = name, False


_parts = {name: Part(name) for name in PARTS}


def part(name: str) -> Part:
    """The part of that name, always the same object."""
    return _parts[name]


def switch(*, on: bool, without: Collection[str] = ()) -> None:
    """Turn all parts on or off, except those left out; ``*`` leaves out all."""
    for each in _parts.values():
        each.on = on and each.name not in without and "*" not in without
