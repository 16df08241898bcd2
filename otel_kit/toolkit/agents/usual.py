"""The band in which an operation's spending usually lies, and whether it has left it upwards.

Spending is summed in windows of five minutes. The band is that of the windows of the last day in which anything was spent:
their median plus 3.5 times their median absolute deviation, scaled by 1/0.6745, as Iglewicz and Hoaglin recommend ("How to
Detect and Handle Outliers", ASQC 1993; https://www.itl.nist.gov/div898/handbook/eda/section3/eda35h.htm). Median and MAD do
not move when up to half of the windows are unusual themselves. A window is unusual at the earliest at twice the median:
where spending is nearly constant, the band alone would be a hair's breadth.
"""

from __future__ import annotations

from collections import deque
from statistics import fmean, median
from typing import NamedTuple

WINDOW_SECONDS = 300
MOST_WINDOWS = 288  # a day of them
FEWEST_WINDOWS = 12  # an hour: nothing is usual before
_SCORE, _MAD_SCALE, _MEAN_SCALE = (
    3.5,
    0.6745,
    1.253314,
)  # the last one where more than half of the windows are equal


class Unusual(NamedTuple):
    """A window whose spending left the band.

    Args:
        spent: in this window so far.
        limit: the band's upper end.
        middle: the median of the windows before.
    """

    spent: float
    limit: float
    middle: float


class Usual:
    """The windows of one operation in one currency."""

    def __init__(self) -> None:
        self._windows: deque[float] = deque(maxlen=MOST_WINDOWS)
        self._window, self._spent, self._limit, self._middle = -1, 0.0, 0.0, 0.0

    def add(self, now: float, amount: float) -> Unusual | None:
        """Count an amount; the first one in a window that leaves the band says so."""
        window = int(now // WINDOW_SECONDS)
        if window != self._window:
            self._next(window)
        before, self._spent = self._spent, self._spent + amount
        if not self._limit or self._spent <= self._limit or before > self._limit:
            return None
        return Unusual(self._spent, self._limit, self._middle)

    def _next(self, window: int) -> None:
        if self._spent:
            self._windows.append(self._spent)
        self._window, self._spent = window, 0.0
        if len(self._windows) >= FEWEST_WINDOWS:
            self._middle, self._limit = upper(list(self._windows))


def upper(sums: list[float]) -> tuple[float, float]:
    """The median of the sums, and the upper end of their band."""
    middle = median(sums)
    deviations = [abs(each - middle) for each in sums]
    spread = median(deviations) / _MAD_SCALE or fmean(deviations) * _MEAN_SCALE
    return middle, max(middle + _SCORE * spread, 2 * middle)
