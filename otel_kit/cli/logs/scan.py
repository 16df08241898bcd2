"""What is done with the lines of one part: those that fit are found, counted, measured, or shown with their neighbours."""

from __future__ import annotations

import contextlib
import re
from array import array
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from otel_kit.cli.logs.needle import Needle, lines_with
from otel_kit.cli.logs.part import Part, pieces, stamp_at
from otel_kit.cli.logs.query import ANYTHING, Condition
from otel_kit.cli.logs.record import Field, Line, stamp_of
from otel_kit.cli.logs.table import Table

# Lines of several threads and processes are not in exact order: a line so many seconds away may stand beside another.
SLACK = 60.0
NONE = "(none)"
Match = tuple[bytes, bytes]  # time and line
_LONG_HEX = re.compile("[0-9a-f]{8,}")
Groups = dict[str, "array[float]"]


def fitting(part: Part, condition: Condition) -> Iterator[Line]:
    """The lines of a part that fit."""
    return filter(condition.holds, map(Line, _candidates(part, condition)))


def lines(part: Part, condition: Condition) -> Iterator[bytes]:
    """The lines of a part that fit."""
    if condition is ANYTHING:  # nothing to be read from them
        yield from _candidates(part, condition)
    else:
        yield from (line.raw for line in fitting(part, condition))


def _candidates(part: Part, condition: Condition) -> Iterator[bytes]:
    """Lines that can fit: looked for by what is rarest, so that most of the file is only searched, never split."""
    if _is_out_of_time(part, condition):
        return
    needles, order = condition.needles, list[Needle]()
    for piece in pieces(part):
        order = order or _rarest_first(needles, piece)
        if not order:
            yield from filter(None, piece.split(b"\n"))
            continue
        first, *others = order
        for line in lines_with(piece, first):
            if all(needle.is_in(line) for needle in others):
                yield line


def _rarest_first(needles: Sequence[Needle], piece: bytes) -> list[Needle]:
    """Needles that are worth looking for, by how often they are in a piece: not those that every other line has."""
    counts = {needle: needle.count(piece) for needle in needles}
    most = piece.count(b"\n") // 4
    return sorted((needle for needle in counts if counts[needle] <= most), key=counts.__getitem__)


def _is_out_of_time(part: Part, condition: Condition) -> bool:
    """Whether all of a part is surely before or after the times that are asked for."""
    first = stamp_at(part, part.start) if condition.until else b""
    if first and first.decode() > _moved(condition.until, SLACK):
        return True
    last = stamp_at(part, part.end) if condition.since and part.end < part.source.size else b""
    return bool(last) and last.decode() < _moved(condition.since, -SLACK)


def _moved(stamp: str, seconds: float) -> str:
    moved = datetime.fromisoformat(stamp) + timedelta(seconds=seconds)
    return moved.strftime("%Y-%m-%dT%H:%M:%S.%f")


def matches(part: Part, condition: Condition) -> list[Match]:
    """The lines that fit. One without a time, such as a line of a traceback in plain text, has that of the one before."""
    return list(stream(part, condition))


def stream(part: Part, condition: Condition) -> Iterator[Match]:
    """The same, one by one."""
    stamp = part.source.first
    for line in lines(part, condition):
        stamp = stamp_of(line) or stamp
        yield stamp, line


def counted(part: Part, condition: Condition, name: str) -> Counter[str]:
    """How many lines that fit have each value of a field."""
    field, marks, found = Field(name), Counter[bytes | str | None](), Counter[str]()
    for rows, rest, without in _tabled(part, condition, [field]):
        marks.update(mark for (mark,) in rows)
        marks.update(map(field.mark, rest))
        marks[None] += without
    for mark, count in (+marks).items():
        found[_text(field, mark)] += count
    return found


def measured(part: Part, condition: Condition, name: str, by: str) -> Groups:
    """The numbers of a field in the lines that fit, for each value of another field."""
    field, group = Field(name), Field(by) if by else None
    scale, by_mark = field.scale(), dict[bytes | str | None, list[float]]()
    for rows, rest, _ in _tabled(part, condition, [field, group] if group else [field]):
        for value, *mark in rows:
            with contextlib.suppress(ValueError):  # it is no number
                by_mark.setdefault(mark[0] if mark else "", []).append(float(value) * scale)
        for line in rest:
            if (number := field.number(line)) is not None:
                by_mark.setdefault(group.mark(line) if group else "", []).append(number)
    found = Groups()
    for each, numbers in by_mark.items():
        found.setdefault(_text(group, each) if group else "", array("d")).extend(numbers)
    return found


def _tabled(
    part: Part, condition: Condition, fields: Sequence[Field]
) -> Iterator[tuple[Sequence[tuple[bytes, ...]], Iterable[bytes], int]]:
    """Of all lines that fit: values of some, others to be looked at, and how many of neither have no value."""
    columns = [column for field in fields if (column := field.column())]
    if condition is not ANYTHING or len(columns) < len(fields):
        yield (), lines(part, condition), 0
        return
    table = Table(columns)
    for piece in pieces(part):
        found = table.rows(piece)
        if found is None:
            yield (), filter(None, piece.split(b"\n")), 0
        else:
            yield found[0], (), found[1]


def _text(field: Field, mark: bytes | str | None) -> str:
    return NONE if mark is None else field.text(mark)


def whole_id(text: str) -> re.Pattern[bytes]:
    """Finds an id, not one that only begins or ends like it; of a long hexadecimal one its beginning is enough."""
    end = "" if _LONG_HEX.fullmatch(text) else r"(?![\w-])"
    return re.compile(rf"(?<![\w-]){re.escape(text)}{end}".encode())


def around(
    part: Part, condition: Condition, text: bytes, sought: re.Pattern[bytes], context: int
) -> list[tuple[int, bytes, bool]]:
    """Lines with their numbers, and whether each holds the id: those that do, their neighbours, and both ends of the part,
    which may be neighbours of lines in another part.
    """
    kept: dict[int, tuple[int, bytes, bool]] = {}
    before: deque[tuple[int, bytes, bool]] = deque(maxlen=context)
    after = context
    for number, line in enumerate(lines(part, condition)):
        one = (number, line, text in line and sought.search(line) is not None)
        if one[2]:
            kept.update((each[0], each) for each in before)
            after = context + 1
        if after:
            kept[number] = one
            after -= 1
        before.append(one)
    kept.update((each[0], each) for each in before)
    return [kept[number] for number in sorted(kept)]
