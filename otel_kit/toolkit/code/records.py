"""What this room says in log records, at a level that the program can filter by the logger of its module."""

from __future__ import annotations

from functools import partial
from typing import Any

from otel_kit import _guard
from otel_kit.signals.logs import record
from otel_kit.signals.logs.levels import Gate

WHERE = "toolkit.code"


def wanted(gate: Gate, level: int) -> bool:
    """Whether a record of that level would be emitted."""
    return record.state.active and gate.threshold <= level


def say(gate: Gate, level: int, body: str, attributes: dict[str, Any], event_name: str) -> None:
    """Emit one record, if the level is wanted. Never raises."""
    if wanted(gate, level):
        emit = partial(record.emit, event_name=event_name)
        record.guarded(WHERE, emit, gate.name, level, body, attributes, later=True)


def contained(error: Exception) -> None:
    """Count an error of ours. Where even that needs more stack than there is, nothing can be done."""
    try:
        _guard.contained(WHERE, error)
    except RecursionError:
        return


def took(seconds: float) -> str:
    """A duration for people: ``33.2 ms``, and below a millisecond ``12 µs``."""
    return f"{seconds * 1000:,.1f} ms" if seconds >= 0.0009995 else f"{seconds * 1e6:.3g} µs"
