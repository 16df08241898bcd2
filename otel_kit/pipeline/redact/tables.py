"""Tables in a text: Markdown, CSV, and columns that blanks align; the head says what the cells below it are."""

from __future__ import annotations

import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, Findings, bounded
from otel_kit.pipeline.redact.keys import Asks, Verdict, judge
from otel_kit.pipeline.redact.values import withheld

MOST_ROWS, WIDEST = 200, 1_024
_NAME = expression(r"[\"']?[A-Za-z][\w.\- ]{0,40}[\"']?")
_CELLS = {
    ",": expression(r"[^,\n]+"),
    ";": expression(r"[^;\n]+"),
    "\t": expression(r"[^\t\n]+"),
    "┆": expression(r"[^┆│\n]+"),
    "|": expression(r"[^|\n]+"),
}
_WORDS = expression(r"\S+")


def tables(text: str, lower: str, asks: re.Pattern[str]) -> Findings:
    """Cells below the name of a secret.

    Args:
        text: the text.
        lower: the same in lower case.
        asks: finds what may be such a name, so that a line without one costs nothing.
    """
    end = -1
    for hit in bounded(asks, lower):
        if hit.start() > end:
            start, end = lower.rfind("\n", 0, hit.start()) + 1, lower.find("\n", hit.end())
            if end < 0:
                return
            if end - start <= WIDEST and (head := _head(text[start:end])):
                yield from _rows(text, end + 1, *head)
                return


def _head(line: str) -> tuple[re.Pattern[str], list[Verdict]] | None:
    """How the cells of a line are told apart, and the verdicts on the names in them; None if it is no head of a table."""
    cells = next((_CELLS[mark] for mark in _CELLS if line.count(mark) >= 1), _WORDS)
    names = [cell.strip() for cell in cells.findall(line) if cell.strip()]
    if len(names) < 2 or not all(map(_NAME.fullmatch, names)):
        return None
    verdicts = [judge(name.strip("\"'")) for name in names]
    if cells is _WORDS and not (line != line.strip() or "  " in line):
        return None
    return (cells, verdicts) if any(v.asks not in (Asks.TEXT, Asks.QUANTITY) for v in verdicts) else None


def _rows(text: str, start: int, cells: re.Pattern[str], verdicts: list[Verdict]) -> Findings:
    for _ in range(MOST_ROWS):
        end = text.find("\n", start)
        end = len(text) if end < 0 else end
        if end - start > WIDEST:
            return
        found = [cell for cell in cells.finditer(text, start, end) if cell.group().strip()]
        # Data frames number their rows in a column that has no name.
        numbered = len(found) == len(verdicts) + 1 and found[0].group().strip().isdigit()
        for cell, verdict in zip(found[numbered:], verdicts, strict=False):
            value = cell.group().strip().strip("\"'")
            if (
                len(found) - numbered == len(verdicts)
                and withheld(verdict, value)
                and not looks.placeholder(value)
            ):
                first = cell.start() + cell.group().index(value)
                yield Finding(first, first + len(value), verdict.rule)
        if end == len(text):
            return
        start = end + 1
