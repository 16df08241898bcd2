"""Whether an error happens much more often than usual."""

from __future__ import annotations

from typing import NamedTuple

WINDOW = 60.0  # seconds
LEAST = 10  # within a window; fewer are no jump, however rare they were
TIMES = 5.0  # the usual number, that a jump is
QUIET = 600.0  # seconds until the same error may jump again
MOST = 2_000  # errors; past it the one that happened longest ago is forgotten
_WEIGHT = 0.3  # of the newest window in what is usual


class Jump(NamedTuple):
    """How often an error happened within a minute so far, and how often it usually does."""

    times: int
    usual: float


class _Rate:
    """One error."""

    __slots__ = ("began", "count", "quiet_until", "usual")

    def __init__(self, now: float) -> None:
        self.began, self.count, self.usual, self.quiet_until = now, 0, 0.0, now

    def happen(self, now: float) -> Jump | None:
        """It happens once more."""
        windows = int((now - self.began) / WINDOW)
        if windows > 0:
            self.usual += _WEIGHT * (self.count - self.usual)
            self.usual *= (1 - _WEIGHT) ** (windows - 1)  # nothing happened in those between
            self.began, self.count = self.began + windows * WINDOW, 0
        self.count += 1
        if now < self.quiet_until or self.count < max(LEAST, TIMES * self.usual):
            return None
        self.quiet_until = now + QUIET
        return Jump(self.count, self.usual)


class Rates:
    """Of all errors."""

    def __init__(self) -> None:
        self._rates: dict[str, _Rate] = {}

    def happen(self, fingerprint: str, now: float) -> Jump | None:
        """An error happens.

        Args:
            fingerprint: which one.
            now: seconds of a clock that only goes on.

        Returns:
            How often, where that is a jump that was not told yet.
        """
        rate = self._rates.get(fingerprint)
        if rate is None:
            if len(self._rates) >= MOST:  # a tenth at once, or each new one would look at all
                by_age = sorted(self._rates, key=lambda fingerprint: self._rates[fingerprint].began)
                for oldest in by_age[: MOST // 10]:
                    del self._rates[oldest]
            rate = self._rates[fingerprint] = _Rate(now)
        return rate.happen(now)
