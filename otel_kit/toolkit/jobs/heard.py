"""What happened within a run: counts, and the things that are worth a line of its summary, each kind bounded."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Mapping
from typing import Any

from otel_kit import _guard, semconv
from otel_kit.context.redacted import redacted
from otel_kit.context.tally import Tally

MOST_PROBLEMS = 100
MOST_OPERATIONS = 200
MOST_CHECKS = 200
SLOWEST = 10
LONGEST_TEXT = 300


class Heard(Tally):
    """The tally of a run."""

    def __init__(self) -> None:
        super().__init__()
        # A signal's handler may log in the middle of a step here.
        self._lock = threading.RLock()
        self._problems: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._operations: dict[str, dict[str, Any]] = {}
        self._slowest: list[tuple[float, int, dict[str, Any]]] = []
        self._checks: dict[str, dict[str, Any]] = {}
        self._costs: dict[str, float] = {}
        self._number = 0
        self.more_problems = 0

    def hear(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Keep it."""
        keep = _KEPT.get(kind)
        if keep is None:
            return
        try:
            with self._lock:
                keep(self, facts)
        except Exception as error:
            _guard.contained("jobs.heard", error)

    def problem(self, severity: str, kind: str, message: str, place: str) -> None:
        """A warning or an error; those of one place and kind are counted as one."""
        key = (severity, kind, place or message)
        with self._lock:
            known = self._problems.get(key)
            if known is not None:
                known["count"] += 1
            elif len(self._problems) >= MOST_PROBLEMS:
                self.more_problems += 1
            else:
                shown = str(redacted("message", message[: 4 * LONGEST_TEXT]))[:LONGEST_TEXT]
                self._problems[key] = {
                    "severity": severity,
                    "type": kind,
                    "message": shown,
                    "place": place,
                    "count": 1,
                }

    def _record(self, facts: Mapping[str, Any]) -> None:
        attributes = facts.get("attributes") or {}
        error = facts.get("exception")
        kind = type(error).__name__ if error is not None else str(facts.get("event_name") or "")
        severity = "error" if facts["level"] >= 40 else "warning"
        self.problem(severity, kind, str(facts["body"]), place_of(attributes))

    def _operation(self, facts: Mapping[str, Any]) -> None:
        name, seconds, failed = (
            str(facts["name"])[:LONGEST_TEXT],
            float(facts["seconds"]),
            bool(facts["failed"]),
        )
        known = self._operations.get(name)
        if known is None and len(self._operations) < MOST_OPERATIONS:
            known = self._operations[name] = {"name": name, "count": 0, "seconds": 0.0, "failed": 0}
        if known is not None:
            known["count"] += 1
            known["seconds"] += seconds
            known["failed"] += failed
        self._number += 1
        entry = (seconds, self._number, {"name": name, "seconds": seconds, "failed": failed})
        if len(self._slowest) < SLOWEST:
            heapq.heappush(self._slowest, entry)
        elif seconds > self._slowest[0][0]:
            heapq.heapreplace(self._slowest, entry)

    def _check(self, facts: Mapping[str, Any]) -> None:
        name = str(facts["name"])[:LONGEST_TEXT]
        if name in self._checks or len(self._checks) < MOST_CHECKS:
            known = self._checks.setdefault(name, {"name": name, "count": 0, "failed": 0})
            known["count"] += 1
            known["failed"] += not facts["passed"]
            known["outcome"] = str(facts["outcome"])
            value = facts.get("value")
            number = isinstance(value, int | float) and not isinstance(value, bool)
            known["value"] = value if number else str(redacted(name, str(value)[:LONGEST_TEXT]))

    def _cost(self, facts: Mapping[str, Any]) -> None:
        currency = str(facts["currency"])
        self._costs[currency] = self._costs.get(currency, 0.0) + float(facts["amount"])

    def problems(self) -> list[dict[str, Any]]:
        """Errors first, and what happened often before what happened once."""
        with self._lock:
            found = [dict(each) for each in self._problems.values()]
        return sorted(found, key=lambda each: (each["severity"] != "error", -each["count"]))

    def operations(self) -> list[dict[str, Any]]:
        """By the time that they took together."""
        with self._lock:
            return sorted((dict(each) for each in self._operations.values()), key=lambda o: -o["seconds"])

    def slowest(self) -> list[dict[str, Any]]:
        """Single operations, the slowest first."""
        with self._lock:
            return [entry for _, _, entry in sorted(self._slowest, key=lambda each: -each[0])]

    def checks(self) -> list[dict[str, Any]]:
        """Checks of data, as each came out last."""
        with self._lock:
            return [dict(each) for each in self._checks.values()]

    def costs(self) -> dict[str, float]:
        """What was spent, by currency."""
        with self._lock:
            return dict(self._costs)


_KEPT = {
    "record": Heard._record,
    "operation": Heard._operation,
    "check": Heard._check,
    "cost": Heard._cost,
}


def place_of(attributes: Mapping[str, Any]) -> str:
    """File and line, as an editor opens them."""
    path, line = attributes.get(semconv.CODE_FILE_PATH), attributes.get(semconv.CODE_LINE_NUMBER)
    return f"{path}:{line}" if path else ""
