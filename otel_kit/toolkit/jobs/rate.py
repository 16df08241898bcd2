"""How fast it goes, and how long it takes yet.

The rate is that of the later half of the time so far, ten seconds at least: items that take turns at being long and short
even out, and where it becomes slower or faster for good, the rate follows. While nothing ends it falls, and what is left grows.
"""

from __future__ import annotations

SHORTEST_WINDOW = 10.0
MOST_SAMPLES = 256
FEWEST_ITEMS = 3
SHORTEST_TIME = 0.5


class Rate:
    """The rate of something that is counted."""

    def __init__(self) -> None:
        self._samples: list[tuple[float, int]] = [(0.0, 0)]

    def add(self, elapsed: float, count: int) -> None:
        """So many until now.

        Args:
            elapsed: seconds since the beginning, by a clock that does not jump.
            count: how many in all.
        """
        if elapsed <= self._samples[-1][0]:
            return
        if len(self._samples) >= MOST_SAMPLES:
            self._samples = self._samples[::2]
        self._samples.append((elapsed, count))

    def per_second(self, elapsed: float, count: int) -> float | None:
        """The rate now; None before there is one."""
        if elapsed < SHORTEST_TIME or not count:
            return None
        since = elapsed - max(SHORTEST_WINDOW, elapsed / 2)
        began, before = next(
            (sample for sample in reversed(self._samples) if sample[0] <= since), self._samples[0]
        )
        return (count - before) / (elapsed - began) if elapsed > began else None

    def seconds_left(self, elapsed: float, count: int, left: int) -> float | None:
        """How long it takes yet; None where nobody can tell."""
        if not left:
            return 0.0
        rate = self.per_second(elapsed, count)
        return left / rate if rate and count >= FEWEST_ITEMS else None
