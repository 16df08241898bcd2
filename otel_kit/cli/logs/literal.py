"""What stands on the right of an operator: numbers with units, levels, points in time."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime
from typing import Any

SECONDS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86_400}
BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30,
}  # fmt: skip
_NUMBER = re.compile(r"([-+]?(?:\d[\d_]*(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?)([a-zA-Zµ]*)")
_IN_UNIT = {"ms": 1e3, "us": 1e6, "ns": 1e9}
_AGO = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d|w)")
_CLOCK = re.compile(r"\d\d:\d\d(:\d\d)?")
_LEVELS = {
    "trace": 1,
    "debug": 5,
    "info": 9,
    "warn": 13,
    "warning": 13,
    "error": 17,
    "fatal": 21,
    "critical": 21,
}
_NUMBERED = re.compile(r"(trace|debug|info|warn|warning|error|fatal|critical)([2-4]?)")
LEVEL_WORDS = ("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL")
VALID_LEVELS = "trace, debug, info, warning, error, critical, or OpenTelemetry's number, 1 to 24"
VALID_TIMES = "1h, 30m, 2d ago; 14:30 of today; 2026-11-22, 2026-11-22T14:30, 2026-11-22T14:30:00Z"


def number_of(text: str) -> tuple[float, str] | None:
    """A number and its unit, which may be empty; None where the text is no number."""
    found = _NUMBER.fullmatch(text)
    if not found or (found[2] and found[2] not in SECONDS and found[2] not in BYTES):
        return None
    return float(found[1]), found[2]


def scaled(number: float, unit: str, name: str) -> float:
    """The number in the unit of a field: durations are in seconds unless the field's name ends in ``_ms`` or the like."""
    if unit in BYTES:
        return number * BYTES[unit]
    if unit in SECONDS:
        return number * SECONDS[unit] * _IN_UNIT.get(re.split(r"[_.]", name)[-1], 1)
    return number


def level_of(text: Any) -> int | None:
    """OpenTelemetry's severity number of a level's name; None for a name that is not known."""
    if isinstance(text, int):
        return text
    found = _NUMBERED.fullmatch(str(text).lower())
    return _LEVELS[found[1]] + (int(found[2]) - 1 if found[2] else 0) if found else None


def stamp_of(text: str) -> str | None:
    """A point in time as the files write it, in UTC; None where it is none. Without a zone it is local time."""
    if found := _AGO.fullmatch(text):
        unit = SECONDS.get(found[2], 7 * 86_400)
        return _written(datetime.fromtimestamp(max(0.0, time.time() - float(found[1]) * unit), UTC))
    if _CLOCK.fullmatch(text):
        text = f"{time.strftime('%Y-%m-%d')}T{text}"
    try:
        return _written(datetime.fromisoformat(text))
    except (ValueError, OverflowError, OSError):
        return None


def _written(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
