"""Counts and statistics as tables for people."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Sequence

from otel_kit.cli.logs.scan import Groups
from otel_kit.export.console.escape import escaped
from otel_kit.export.console.times import duration

WIDEST = 60
BY_TIME = ("day", "hour", "minute")
_COLUMNS = ("count", "min", "mean", "p50", "p95", "p99", "max")


def counts(found: Counter[str], name: str) -> Iterator[str]:
    """A line for each value: the most frequent first, or in order of time."""
    total = found.total()
    rows = sorted(found.items()) if name in BY_TIME else found.most_common()
    yield f"{'count':>11} {'share':>7}  {name}"
    for value, count in rows:
        yield f"{count:>11,} {count / total:>7.1%}  {_cell(value)}"
    if name in BY_TIME and found:
        yield "(times in UTC)"


def statistics(groups: Groups, name: str, by: str) -> Iterator[str]:
    """A line for each group, the one with the largest sum first."""
    in_seconds = name.split(".")[-1] in ("duration", "own_time", "cpu_time", "wait")
    yield "".join(f"{column:>11}" for column in _COLUMNS) + (f"  {by}" if by else "")
    for group, numbers in sorted(groups.items(), key=lambda item: -sum(item[1])):
        count, *figures = summary(numbers)
        cells = [f"{count:>11,.0f}", *(f"{_figure(each, in_seconds):>11}" for each in figures)]
        yield "".join(cells) + (f"  {_cell(group)}" if by else "")


def summary(numbers: array[float]) -> Sequence[float]:
    """Count, least, mean, median, 95th and 99th percentile, and most of some numbers; percentiles by nearest rank."""
    ordered = sorted(numbers)
    return (
        len(ordered),
        ordered[0],
        sum(ordered) / len(ordered),
        *(ordered[max(0, -(-len(ordered) * percent // 100) - 1)] for percent in (50, 95, 99)),
        ordered[-1],
    )


def _figure(number: float, in_seconds: bool) -> str:
    if in_seconds and number >= 0:
        return duration(round(number * 1e9))
    return f"{number:,.0f}" if abs(number) >= 1000 else f"{number:.4g}"


def _cell(text: str) -> str:
    text = escaped(text)
    return text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…"
