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


# What numpy and pandas print: "Index(['…'], dtype='object', name='token')", "0  …\nName: token, dtype: object",
# "rec.array([('ann', '…')], dtype=[('user', '<U3'), ('token', '<U40')])".
_NAMED_INDEX = expression(
    r"\],\s{1,16}dtype='[\w\[\]]{1,24}',\s{1,16}(?:length=\d{1,9},\s{1,16})?name='([\w.\- ]{2,80})'"
)
_NAMED_SERIES = expression(r"\nName: ([\w.\- ]{2,80}), (?:Length: \d{1,9}, )?dtype: ")
_FIELDS = expression(r"\],\s{1,16}dtype=\[(\([^\[\]\n]{2,2000}\))\]")
_FIELD = expression(r"\('([^'\n]{1,80})'")
_RECORD = expression(r"\(([^()\n]{2,1024})\)")
_STRING = expression(r"'([^'\\\n]{1,512})'")
_LAST_WORD = expression(r"(?m)^\S{1,80}[ ]{2,}(\S{1,512})$")
REACH, MOST_PRINTED = 4_096, 20


def arrays(text: str) -> Findings:
    """Values of arrays and series whose names are printed behind them."""
    for pattern, head, value in ((_NAMED_INDEX, "[", _STRING), (_NAMED_SERIES, "", _LAST_WORD)):
        for match in bounded(pattern, text, MOST_PRINTED):
            start = max(0, match.start() - REACH)
            start = max(start, text.rfind(head, start, match.start()) if head else start)
            verdict = judge(match.group(1))
            for item in value.finditer(text, start, match.start()):
                if withheld(verdict, item.group(1)):
                    yield Finding(item.start(1), item.end(1), verdict.rule)
    for match in bounded(_FIELDS, text, MOST_PRINTED):
        verdicts = [judge(field.group(1)) for field in _FIELD.finditer(match.group(1))]
        for record in _RECORD.finditer(text, max(0, match.start() - REACH), match.start()):
            cells = list(_CELLS[","].finditer(text, record.start(1), record.end(1)))
            for cell, verdict in zip(cells, verdicts, strict=False):
                inner = _STRING.search(cell.group())
                if inner and len(cells) == len(verdicts) and withheld(verdict, inner.group(1)):
                    first = cell.start() + inner.start(1)
                    yield Finding(first, first + len(inner.group(1)), verdict.rule)
