"""Points in time and durations, as written on the console."""

from __future__ import annotations

import time
from functools import lru_cache


def clock(nanoseconds: int) -> str:
    """The local time of day with milliseconds: ``14:03:59.120``."""
    return f"{_local(nanoseconds // 10**9)}.{nanoseconds // 10**6 % 1000:03d}"


def iso(nanoseconds: int) -> str:
    """The time in UTC with microseconds, after ISO 8601: ``2026-11-22T14:03:59.120000Z``."""
    return f"{_utc(nanoseconds // 10**9)}.{nanoseconds // 1000 % 10**6:06d}Z"


def duration(nanoseconds: int) -> str:
    """A duration with three digits, in a unit that suits it: ``12.3 ms``."""
    for unit, size in (("s", 10**9), ("ms", 10**6), ("µs", 10**3)):
        if nanoseconds >= size:
            amount = nanoseconds / size
            return f"{amount:.0f} {unit}" if amount >= 100 else f"{amount:.3g} {unit}"
    return f"{nanoseconds} ns"


# Many records share a second; an impossible one must not raise.
@lru_cache(maxsize=8)
def _local(seconds: int) -> str:
    try:
        return time.strftime("%H:%M:%S", time.localtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "--:--:--"


@lru_cache(maxsize=8)
def _utc(seconds: int) -> str:
    try:
        return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    except (OverflowError, ValueError, OSError):
        return "0001-01-01T00:00:00"
