"""How long many things took: exact sums, the slowest ones, and quantiles within 5%, in memory that does not grow."""

from __future__ import annotations

from heapq import heappush, heapreplace
from math import ceil, log

_BUCKETS = 1 / log(1.1)  # each bucket is 10% wider than the one before, so its middle is off by 5% at most
_SMALLEST = 1e-9


class Durations:
    """Takes durations, in seconds, one after the other.

    Args:
        slowest: how many of the slowest are kept, with their index.
    """

    def __init__(self, slowest: int) -> None:
        self.count, self.total = 0, 0.0
        self._most = slowest
        self._slowest: list[tuple[float, int]] = []
        self._over = 0.0 if slowest else float("inf")  # what is slower than that belongs to the slowest
        self._buckets: dict[int, int] = {}

    def add(self, seconds: float) -> None:
        """One more; its index is the count of those before."""
        bucket = ceil(log(seconds) * _BUCKETS) if seconds > _SMALLEST else -200
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        if seconds >= self._over:
            self._keep(seconds)
        self.count += 1
        self.total += seconds

    def _keep(self, seconds: float) -> None:
        if len(self._slowest) < self._most:
            heappush(self._slowest, (seconds, self.count))
        else:
            heapreplace(self._slowest, (seconds, self.count))
        if len(self._slowest) == self._most:
            self._over = self._slowest[0][0]

    @property
    def mean(self) -> float:
        """The mean; 0 of nothing."""
        return self.total / self.count if self.count else 0.0

    def quantile(self, share: float) -> float:
        """What that share of them took at most; 0 of nothing."""
        left = share * self.count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 0:
                return float(1.1 ** (bucket - 0.5))
        return 0.0

    @property
    def slowest(self) -> list[tuple[int, float]]:
        """Index and seconds, the slowest first."""
        return [(index, seconds) for seconds, index in sorted(self._slowest, reverse=True)]
