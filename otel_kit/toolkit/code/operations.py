"""What the measured operations of this process add up to: how many, how many failed, how long they take."""

from __future__ import annotations

import math
import os
import threading
from typing import NamedTuple

MOST = 500  # operations that are kept apart; further names are counted together
OTHERS = "(others)"
# Durations are kept in classes that are 4% wide: a percentile is off by 2% at most, and an operation takes a few kB.
_WIDTH = math.log(1.04)
_SHORTEST, _LONGEST = 1e-7, 1e7


class Operation(NamedTuple):
    """One operation so far.

    Attributes:
        times: how often it ended, well or not.
        errors: how often an exception ended it.
        p50, p95, p99: seconds that half, 95% and 99% of them took at most, within 2%.
        slowest: seconds that the slowest took.
        slowest_trace_id: of the slowest, in hexadecimal digits; empty where it was not traced.
    """

    times: int
    errors: int
    p50: float
    p95: float
    p99: float
    slowest: float
    slowest_trace_id: str


class _Sum:
    """Of one operation."""

    __slots__ = ("classes", "count", "errors", "slowest", "trace_id")

    def __init__(self) -> None:
        self.count = self.errors = 0
        self.slowest, self.trace_id = 0.0, ""
        self.classes: dict[int, int] = {}

    def add(self, seconds: float, failed: bool, trace_id: str) -> None:
        self.count += 1
        self.errors += failed
        if seconds >= self.slowest:
            self.slowest, self.trace_id = seconds, trace_id
        number = math.floor(math.log(min(max(seconds, _SHORTEST), _LONGEST)) / _WIDTH)
        self.classes[number] = self.classes.get(number, 0) + 1

    def shown(self) -> Operation:
        return Operation(
            self.count,
            self.errors,
            self._at(0.5),
            self._at(0.95),
            self._at(0.99),
            self.slowest,
            self.trace_id,
        )

    def _at(self, share: float) -> float:
        left = math.ceil(share * self.count)
        for number in sorted(self.classes):
            left -= self.classes[number]
            if left <= 0:
                return min(math.exp((number + 0.5) * _WIDTH), self.slowest)
        return self.slowest


class _Sums:
    # Reentrant: a signal's handler may end an operation while another one is being added.
    lock = threading.RLock()
    by_name: dict[str, _Sum]


_Sums.by_name = {}


def add(name: str, seconds: float, *, failed: bool, trace_id: str) -> None:
    """An operation ended."""
    with _Sums.lock:
        found = _Sums.by_name.get(name)
        if found is None:
            if len(_Sums.by_name) >= MOST:
                name = OTHERS
            found = _Sums.by_name.setdefault(name, _Sum())
        found.add(seconds, failed, trace_id)


def operations() -> dict[str, Operation]:
    """The measured operations of this process by their names, those that took most time in all first."""
    with _Sums.lock:
        shown = {name: found.shown() for name, found in _Sums.by_name.items()}
    return dict(sorted(shown.items(), key=lambda item: item[1].times * item[1].p50, reverse=True))


def _begin_anew() -> None:
    """A forked child has done nothing yet; and another thread may have held the lock."""
    _Sums.lock, _Sums.by_name = threading.RLock(), {}


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_begin_anew)
