"""The books of one signal and one endpoint: nothing is lost silently."""

from __future__ import annotations

import contextlib
import os
import threading
import weakref
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

# A fork waits this long at most for whoever is writing into the books.
FORK_PATIENCE = 2.0


class Ledger:
    """``accepted = delivered + waiting + Σ dropped[reason]``, exactly, at any moment.

    Whoever changes a figure holds ``lock``, and leaves the books balanced. The unit is a span, a log record or a
    metric data point. The lock may be taken again by the thread that holds it: a signal's handler or a ``__del__`` that emits
    interrupts that thread anywhere. No fork takes place while another thread holds it, or the child would wait for ever.
    """

    __slots__ = ("__weakref__", "accepted", "delivered", "dropped", "lock", "waiting")

    def __init__(self) -> None:
        self.renew()
        _all.add(self)

    def renew(self) -> None:
        """Start empty books under a new lock (a forked child: the parent's items are the parent's)."""
        self.lock = threading.RLock()
        self.accepted = self.delivered = self.waiting = 0
        # Not a Counter: a signal's handler may run inside its __missing__, and raise.
        self.dropped: defaultdict[str, int] = defaultdict(int)

    def refuse(self, reason: str, weight: int = 1) -> None:
        """Count an item that never entered a queue."""
        with self.lock:
            self.accepted += weight
            self.dropped[reason] += weight

    def lost(self) -> int:
        """How many were dropped, for whatever reason. The caller holds the lock."""
        return sum(self.dropped.values())

    def is_free(self, patience: float) -> bool:
        """Whether nobody holds the lock for longer than ``patience`` seconds, the calling thread included."""
        if self.lock._is_owned() or not self.lock.acquire(timeout=patience):  # type: ignore[attr-defined]
            return False
        self.lock.release()
        return True

    def snapshot(self) -> dict[str, Any]:
        """The four figures as one consistent reading."""
        with self.lock:
            return {
                "accepted": self.accepted,
                "delivered": self.delivered,
                "waiting": self.waiting,
                "dropped": dict(self.dropped),
            }


_all: weakref.WeakSet[Ledger] = weakref.WeakSet()
_held: list[Any] = []


def _before_fork() -> None:
    with contextlib.suppress(RuntimeError):  # a ledger was made at this very moment
        _held.extend(each.lock for each in list(_all) if each.lock.acquire(timeout=FORK_PATIENCE))


def _after_fork() -> None:
    while _held:
        _held.pop().release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)


def add_up(snapshots: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The sum of several readings. An item for two endpoints counts twice: it is to be delivered twice."""
    total: dict[str, Any] = {"accepted": 0, "delivered": 0, "waiting": 0, "dropped": Counter()}
    for snapshot in snapshots:
        for name in ("accepted", "delivered", "waiting"):
            total[name] += snapshot[name]
        total["dropped"].update(snapshot["dropped"])
    return {**total, "dropped": dict(total["dropped"])}
