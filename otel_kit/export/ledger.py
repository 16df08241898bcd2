"""The books of one signal and one endpoint: nothing is lost silently."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable
from typing import Any


class Ledger:
    """``accepted = delivered + waiting + Σ dropped[reason]``, exactly, at any moment.

    Whoever changes a figure holds ``lock``, and leaves the books balanced. The unit is a span, a log record or a
    metric data point.
    """

    __slots__ = ("accepted", "delivered", "dropped", "lock", "waiting")

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Start empty books under a new lock (a forked child: the parent's items are the parent's)."""
        self.lock = threading.Lock()
        self.accepted = self.delivered = self.waiting = 0
        self.dropped: Counter[str] = Counter()

    def refuse(self, reason: str, weight: int = 1) -> None:
        """Count an item that never entered a queue."""
        with self.lock:
            self.accepted += weight
            self.dropped[reason] += weight

    def lost(self) -> int:
        """How many were dropped, for whatever reason. The caller holds the lock."""
        return sum(self.dropped.values())

    def snapshot(self) -> dict[str, Any]:
        """The four figures as one consistent reading."""
        with self.lock:
            return {
                "accepted": self.accepted,
                "delivered": self.delivered,
                "waiting": self.waiting,
                "dropped": dict(self.dropped),
            }


def add_up(snapshots: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """The sum of several readings. An item for two endpoints counts twice: it is to be delivered twice."""
    total: dict[str, Any] = {"accepted": 0, "delivered": 0, "waiting": 0, "dropped": Counter()}
    for snapshot in snapshots:
        for name in ("accepted", "delivered", "waiting"):
            total[name] += snapshot[name]
        total["dropped"].update(snapshot["dropped"])
    return {**total, "dropped": dict(total["dropped"])}
