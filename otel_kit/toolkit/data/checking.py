"""``check`` and ``checks``: figures of data held against their limits, told as records and metrics."""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.errors import ArgumentError, CheckError
from otel_kit.signals.logs import record
from otel_kit.signals.logs.caller import caller, code_attributes
from otel_kit.signals.logs.levels import ERROR, INFO, WARNING
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.data.figures import SCOPE, data, figures
from otel_kit.toolkit.data.table import table_of

PASS, WARN, FAIL = "pass", "warn", "fail"
_LEVELS = {PASS: INFO, WARN: WARNING, FAIL: ERROR}
Number = int | float
_NUMBERS = frozenset((int, float))
_new = tuple.__new__  # a named tuple's own is a function around it


class Limits(NamedTuple):
    """What is allowed."""

    min: Number | None = None
    max: Number | None = None
    warn_min: Number | None = None
    warn_max: Number | None = None

    def outcome(self, value: Any) -> str:
        """What becomes of a value: a truth passes as such, None and what is no number fail.

        Raises:
            ArgumentError: a limit is no number, or there is none and the value is no truth.
        """
        low, high, warn_low, warn_high = self
        if low is None and high is None and warn_low is None and warn_high is None:
            return self._outcome_of_truth(value)
        if (
            (low is not None and type(low) not in _NUMBERS)
            or (high is not None and type(high) not in _NUMBERS)
            or (warn_low is not None and type(warn_low) not in _NUMBERS)
            or (warn_high is not None and type(warn_high) not in _NUMBERS)
        ):
            self._require_numbers()
        number = value if type(value) in _NUMBERS else _number(value)
        if number is None or number != number:
            return FAIL
        if (low is not None and number < low) or (high is not None and number > high):
            return FAIL
        if (warn_low is not None and number < warn_low) or (warn_high is not None and number > warn_high):
            return WARN
        return PASS

    def _outcome_of_truth(self, value: Any) -> str:
        if type(value) is not bool and type(value).__name__ not in ("bool", "bool_"):  # numpy has its own
            raise ArgumentError(
                "check(max)", None, "a limit: min, max, warn_min or warn_max; or a truth as value"
            )
        return PASS if value else FAIL

    def _require_numbers(self) -> None:
        for word, limit in self._asdict().items():
            if limit is not None and _number(limit) is None:
                raise ArgumentError(f"check({word})", limit, "a number")

    def __str__(self) -> str:
        words = (
            ("min", self.min),
            ("max", self.max),
            ("warn below", self.warn_min),
            ("warn above", self.warn_max),
        )
        return ", ".join(f"{word} {_shown(limit)}" for word, limit in words if limit is not None)


class Check(NamedTuple):
    """What came of a check. True in a condition unless it failed.

    Attributes:
        name: what was looked at.
        value: what was found.
        outcome: ``pass``, ``warn`` or ``fail``.
        limits: what was allowed.
    """

    name: str
    value: Any
    outcome: str
    limits: Limits

    @property
    def passed(self) -> bool:
        """Whether it did not fail."""
        return self.outcome != FAIL

    def __bool__(self) -> bool:
        return self.passed

    def __str__(self) -> str:
        words = str(self.limits)
        allowed = f" ({words})" if words else ""
        return f"{self.name}: {_shown(self.value)}{allowed} {self.outcome}"


def check(
    name: str,
    value: Any,
    *,
    min: Number | None = None,
    max: Number | None = None,
    warn_min: Number | None = None,
    warn_max: Number | None = None,
    raises: bool = False,
) -> Check:
    """Hold a figure against its limits. Emits a log record ``otel_kit.check``, and counts in ``otel_kit.checks``.

    Args:
        name: what is looked at, an attribute of the metrics.
        value: a number, or a truth where no limit is given. None and NaN fail.
        min, max: what is allowed; beyond it the check fails.
        warn_min, warn_max: what is well; beyond it is a warning.
        raises: whether a failure raises.

    Returns:
        What came of it, also where nothing is emitted.

    Raises:
        CheckError: it failed, and ``raises`` is true.
        ArgumentError: a limit is no number, or there is none and the value is no truth.
    """
    limits = _new(Limits, (min, max, warn_min, warn_max))
    outcome = limits.outcome(value)
    found = _new(Check, (name if type(name) is str else text(name), value, outcome, limits))
    if data.on or tally.is_counting():
        _told(found, "")
    if raises and outcome == FAIL:
        raise CheckError([str(found)])
    return found


class checks:
    """A set of checks, of a table perhaps; as a context manager it tells their sum at its end.

    Emits a log record ``otel_kit.checks`` beside those of the single checks.

    Args:
        name: the name of the set, such as ``orders import``.
        rows: the table: a list of dicts, a dict of lists, or a DataFrame of pandas or polars; None where there is none.
        raises: whether the end of the block raises where a check failed.

    Raises:
        ArgumentError: ``rows`` is no table.
    """

    def __init__(self, name: str, rows: Any = None, *, raises: bool = False) -> None:
        self.name, self._raises = name, raises
        self.results: list[Check] = []
        self._table = None if rows is None else table_of(rows)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if data.on:
            _tell_sum(self, caller(sys._getframe(1)))
        if self._raises and error is None and self.outcome == FAIL:
            raise CheckError(str(each) for each in self.results if not each.passed)

    @property
    def outcome(self) -> str:
        """The worst outcome so far."""
        found = {each.outcome for each in self.results}
        return FAIL if FAIL in found else WARN if WARN in found else PASS

    def summary(self) -> str:
        """One line for the set, and one for each check."""
        counts = ", ".join(f"{number} {outcome}" for outcome, number in self.counts().items() if number)
        return "\n".join([f"{self.name}: {counts or 'no checks'}", *(f"  {each}" for each in self.results)])

    def counts(self) -> dict[str, int]:
        """How many passed, warned and failed."""
        return {each: sum(found.outcome == each for found in self.results) for each in (PASS, WARN, FAIL)}

    def check(
        self,
        name: str,
        value: Any,
        *,
        min: Number | None = None,
        max: Number | None = None,
        warn_min: Number | None = None,
        warn_max: Number | None = None,
    ) -> Check:
        """As :func:`check`, within this set."""
        return self._add(name, value, Limits(min, max, warn_min, warn_max))

    def rows(self, *, min: Number | None = None, max: Number | None = None, **warn: Number) -> Check:
        """How many rows there are. ``warn_min`` and ``warn_max`` as for :func:`check`, here and below."""
        return self._add("rows", self._rows, Limits(min, max, **warn))

    def nulls(self, column: str, *, max: Number = 0, **warn: Number) -> Check:
        """The share of rows without a value in a column: None, NaN, or no such key."""
        return self._add(f"nulls in {column}", self._share(self._of.nulls(column)), Limits(None, max, **warn))

    def duplicates(self, *columns: str, max: Number = 0, **warn: Number) -> Check:
        """The share of rows that were there before, by these columns or by all."""
        of = " of " + ", ".join(columns) if columns else ""
        return self._add(
            f"duplicates{of}", self._share(self._of.duplicates(columns)), Limits(None, max, **warn)
        )

    def range(
        self, column: str, *, min: Any = None, max: Any = None, share: Number = 0, **warn: Number
    ) -> Check:
        """The share of values that are below ``min`` or above ``max``: at most ``share``. What has no value is not looked at;
        what cannot be compared with the limits, such as a text among numbers, is outside.
        """
        allowed = " to ".join("" if limit is None else text(limit) for limit in (min, max)).strip()
        outside = self._share(self._of.outside(column, min, max))
        return self._add(f"{column} outside {allowed}", outside, Limits(None, share, **warn))

    def freshness(self, column: str, *, max: Number, **warn: Number) -> Check:
        """How many seconds old the newest time in a column is."""
        return self._add(f"age of {column}", _age(self._of.newest(column)), Limits(None, max, **warn))

    @property
    def _of(self) -> Any:
        if self._table is None:
            raise ArgumentError("checks(rows)", None, "a table")
        return self._table

    @property
    def _rows(self) -> int:
        return int(self._of.rows())

    def _share(self, count: int) -> float:
        rows = self._rows
        return count / rows if rows else 0.0

    def _add(self, name: str, value: Any, limits: Limits) -> Check:
        found = Check(text(name), value, limits.outcome(value), limits)
        _told(found, self.name)
        self.results.append(found)
        return found


def _told(found: Check, set_name: str) -> None:
    if tally.is_counting():
        tally.tell("check", name=found.name, passed=found.passed, outcome=found.outcome, value=found.value)
    if data.on:
        _tell(found, set_name, caller(sys._getframe(1)))


def _tell(found: Check, set_name: str, frame: FrameType) -> None:
    try:
        named = {semconv.CHECK_NAME: found.name, **({semconv.CHECK_SET: set_name} if set_name else {})}
        counter = figures.counter(semconv.METRIC_CHECKS, "{check}", "Checks of data, by outcome.")
        counter.add(1, {**named, semconv.CHECK_OUTCOME: found.outcome})
        number = _number(found.value)
        if number is not None:
            figures.gauge(semconv.METRIC_CHECK_VALUE, "1", "What a check of data found last.").set(
                number, named
            )
        facts = {
            **named,
            semconv.CHECK_VALUE: found.value if number is not None else text(found.value)[:200],
            semconv.CHECK_OUTCOME: found.outcome,
        }
        if words := str(found.limits):
            facts[semconv.CHECK_LIMIT] = words
        body = f"{set_name}: {found}" if set_name else str(found)
        _emit(found.outcome, body, semconv.EVENT_CHECK, facts, frame)
    except Exception as error:
        _guard.contained("data.check", error)


def _tell_sum(found: checks, frame: FrameType) -> None:
    counts = found.counts()
    facts: dict[str, Any] = {semconv.CHECK_SET: found.name, semconv.CHECK_OUTCOME: found.outcome}
    facts |= {semconv.CHECK_COUNT + outcome: number for outcome, number in counts.items()}
    body = found.summary().partition("\n")[0]
    _emit(found.outcome, body, semconv.EVENT_CHECKS, facts, frame)


def _emit(outcome: str, body: str, event_name: str, facts: dict[str, Any], frame: FrameType) -> None:
    if record.state.active:
        facts |= code_attributes(frame)
        record.guarded("data.check", _emit_record, _LEVELS[outcome], body, event_name, facts, later=True)


def _emit_record(level: int, body: str, event_name: str, facts: dict[str, Any]) -> None:
    record.emit(SCOPE, level, body, facts, event_name=event_name)


def _number(value: Any) -> float | None:
    """A number, be it numpy's or a Decimal; None for what is none."""
    try:
        number = float(value)
    except Exception:
        return None
    return None if number != number or isinstance(value, str | bytes) else number


def _age(newest: Any) -> float | None:
    if isinstance(newest, date) and not isinstance(newest, datetime):
        newest = datetime(newest.year, newest.month, newest.day)
    if isinstance(newest, datetime):
        now = datetime.now(UTC)
        # A time without a zone is taken for UTC.
        return (now - (newest if newest.tzinfo else newest.replace(tzinfo=UTC))).total_seconds()
    number = _number(newest)
    return None if number is None else datetime.now(UTC).timestamp() - number


def _shown(value: Any) -> str:
    number = None if isinstance(value, bool) else _number(value)
    return text(value)[:200] if number is None else f"{number:.6g}"
