"""Fields of all lines of a piece at once, which takes a third of looking at each line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from otel_kit.cli.logs.glimpse import ATTRIBUTES, BEGINNING, EXCEPTION, SIMPLE

_SAMPLE = 1 << 16
_KEY = re.compile(rb'"[^"\\\n]*": ')


class Column(NamedTuple):
    """How the bytes of a line show a field.

    Attributes:
        ends: what the field's key may end in, the colon and the space included.
        absent: ends of keys that would be meant instead.
    """

    ends: tuple[bytes, ...]
    absent: tuple[bytes, ...] = ()

    def is_key(self, key: bytes) -> bool:
        """Whether a key, from its quote to the space, is one of the field."""
        return any(key in (end, b'"' + end) or key.endswith(b"." + end) for end in self.ends)

    def count(self, piece: bytes) -> int:
        """In how many places something looks like a key of the field, or like one that would be meant instead."""
        return sum(map(piece.count, self.ends + self.absent))


class Table:
    """The values of columns, where all are in the same lines, each under one key.

    Args:
        columns: one or more.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._row: re.Pattern[bytes] | None = None
        self._order: list[int] = []

    def rows(self, piece: bytes) -> tuple[list[tuple[bytes, ...]], int] | None:
        """The bytes of the values in each line that has them, and how many lines have none.

        Returns:
            None where that is not sure: then each line is to be looked at.
        """
        lines = piece.count(b"\n") + (not piece.endswith(b"\n"))
        if not _is_flat(piece, lines):
            return None
        self._row = self._row or self._learned(piece[:_SAMPLE])
        if self._row is None:
            return None
        # One match in a line, and as many matches as there are keys: each line with a key has one, and is matched.
        found = self._row.findall(piece)
        if any(column.count(piece) != len(found) for column in self._columns):
            self._row = None
            return None
        if len(self._columns) == 1:
            return [(value,) for value in found], lines - len(found)
        return [tuple([row[at] for at in self._order]) for row in found], lines - len(found)

    def _learned(self, sample: bytes) -> re.Pattern[bytes] | None:
        """What matches a row, by the keys that a sample has."""
        keys = dict.fromkeys(_KEY.findall(sample))
        mine = [[key for key in keys if column.is_key(key)] for column in self._columns]
        if any(len(each) != 1 for each in mine):
            return None
        places = [sample.find(key) for (key,) in mine]
        self._order = _sorted(_sorted(places))
        cells = [re.escape(mine[number][0]) + f"({SIMPLE})".encode() for number in _sorted(places)]
        return re.compile(b"[^\n]*?".join(cells) + b"[^\n]*")


def _sorted(places: Sequence[int]) -> list[int]:
    """The numbers of the places, from the first place to the last."""
    return sorted(range(len(places)), key=places.__getitem__)


def _is_flat(piece: bytes, lines: int) -> bool:
    """Whether no line has an object beside its attributes and its exception, and all are JSON."""
    objects = lines + piece.count(ATTRIBUTES + b'{"') + piece.count(EXCEPTION + b'{"')
    return piece.startswith(BEGINNING) and piece.count(b'{"') == objects
