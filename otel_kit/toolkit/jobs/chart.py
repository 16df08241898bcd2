"""A trend as a chart of characters."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from otel_kit.toolkit.jobs.history import RECENT, Trend
from otel_kit.toolkit.jobs.page import Paint
from otel_kit.toolkit.jobs.words import in_bytes, in_rate, in_time

HEIGHT = 8
MOST = 60
_BLOCKS = " ▁▂▃▄▅▆▇█"
_WORDS: dict[str, Callable[[float], str]] = {
    "duration_seconds": in_time,
    "rows_per_second": in_rate,
    "peak_memory_bytes": in_bytes,
}


def in_words(measure: str, value: float | None) -> str:
    """A value of a measure."""
    if value is None:
        return "-"
    if measure in _WORDS:
        return _WORDS[measure](value)
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"


def chart(trend: Trend, paint: Paint) -> Iterator[str]:
    """One column for each run, the latest on the right; the median of the earlier ones is a line across."""
    points = trend.points[-MOST:]
    top = max((value for _, value, _ in points), default=0.0) or 1.0
    line = round((trend.usual or 0) / top * HEIGHT) if trend.usual else 0
    for row in range(HEIGHT, 0, -1):
        label = in_words(trend.measure, top * row / HEIGHT) if row in (HEIGHT, HEIGHT // 2) else ""
        cells = [
            _cell(value / top * HEIGHT, row, outcome, paint, is_line=row == line)
            for _, value, outcome in points
        ]
        note = f"  {paint('2', f'median {in_words(trend.measure, trend.usual)}')}" if row == line else ""
        yield f"{label:>12} ┤{''.join(cells)}{note}"
    yield f"{'':>12} └{'─' * len(points)}{'─' * 2}"
    marks = "".join("×" if outcome != "finished" else " " for _, _, outcome in points)
    if marks.strip():
        yield f"{'':>12}  {paint('31', marks)}  × not finished"


def _cell(height: float, row: int, outcome: str, paint: Paint, *, is_line: bool) -> str:
    filled = max(0.0, min(1.0, height - (row - 1)))
    block = _BLOCKS[round(filled * 8)]
    if block == " ":
        return paint("2", "╌") if is_line else " "
    return paint("31" if outcome != "finished" else "36", block)


def verdict(trend: Trend) -> str:
    """In a sentence."""
    if trend.usual is None:
        finished = sum(outcome == "finished" for _, _, outcome in trend.points)
        return f"{finished} finished runs are too few to tell; it takes {RECENT + 4}"
    now, usual = in_words(trend.measure, trend.now), in_words(trend.measure, trend.usual)
    said = f"the latest {RECENT} have a median of {now}, those before {usual}"
    change = f" ({trend.ratio - 1:+.0%})" if trend.ratio is not None else ""
    sure = f"by chance in {trend.chance:.1%} of cases" if trend.chance is not None else ""
    return f"{'WORSE' if trend.degraded else 'no worse'}: {said}{change}; {sure}"
