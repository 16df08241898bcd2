"""Failures that repeat themselves: by user and by address, counted within a window, told of once a window.

Bounded: the users and addresses that failed last are kept, up to ``MOST``; who has not failed for long goes first.
"""

from __future__ import annotations

import os
import threading
import time
from collections import OrderedDict, deque
from typing import NamedTuple

MOST = 10_000


class Repetition(NamedTuple):
    """What is known about the failures of one user or address.

    Attributes:
        failures: how many there were since the first of them, or since this was told the last time.
        seconds: since the first of them.
        others: how many different addresses a user failed from, or users an address tried; bounded.
    """

    failures: int
    seconds: float
    others: int


class _Run:
    """One user's or address's failures."""

    __slots__ = ("count", "others", "recent", "since", "told_at", "total")

    def __init__(self, after: int) -> None:
        self.recent: deque[float] = deque(maxlen=after)
        self.told_at: float | None = None
        self.count, self.total, self.since = 0, 0, 0.0
        self.others: set[str] = set()


class Failures:
    """Counts failures.

    Args:
        after: how many within the window are a repetition.
        within: the window, in seconds.
    """

    def __init__(self, after: int, within: float) -> None:
        self.after, self.within = after, within
        self._runs: OrderedDict[tuple[str, str], _Run] = OrderedDict()
        self._lock = threading.Lock()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._renew)

    def _renew(self) -> None:
        self._lock = threading.Lock()

    def failed(self, kind: str, name: str, other: str) -> tuple[bool, Repetition | None]:
        """Count a failure.

        Args:
            kind: what failed, and by what it is counted.
            name: the user or the address.
            other: the address of a user, the user of an address; empty where it is not known.

        Returns:
            Whether it is one of many, so that a record of its own says nothing new; and what to tell now, if anything.
        """
        now = time.monotonic()
        with self._lock:
            run = self._run((kind, name))
            quiet_since = run.recent[-1] if run.recent else now
            if now - quiet_since > self.within:
                run.told_at, run.count, run.total = None, 0, 0
            if not run.count:
                run.since, run.others = now, set()
            run.recent.append(now)
            run.count += 1
            run.total += 1
            if other and len(run.others) < 100:
                run.others.add(other)
            return self._judged(run, now)

    def _judged(self, run: _Run, now: float) -> tuple[bool, Repetition | None]:
        if run.told_at is not None:
            due = now - run.told_at >= self.within
        else:
            due = len(run.recent) == self.after and now - run.recent[0] <= self.within
        if not due:
            return run.told_at is not None, None
        told = Repetition(run.count, now - run.since, len(run.others))
        run.told_at, run.count = now, 0
        return True, told

    def _run(self, key: tuple[str, str]) -> _Run:
        run = self._runs.get(key)
        if run is None:
            run = self._runs[key] = _Run(self.after)
            if len(self._runs) > MOST:
                self._runs.popitem(last=False)
        self._runs.move_to_end(key)
        return run

    def succeeded(self, kind: str, name: str) -> int:
        """Forget the failures of one name; how many there were, without a pause of a window."""
        now = time.monotonic()
        with self._lock:
            run = self._runs.pop((kind, name), None)
        if run is None or not run.recent or now - run.recent[-1] > self.within:
            return 0
        return run.total
