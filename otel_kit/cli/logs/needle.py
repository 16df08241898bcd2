"""What a line must hold, as bytes, for a condition to be possible: found in raw chunks before any JSON is read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

# What stands in JSON as it is: no quote, backslash, or character that may be escaped. ASCII, for whose letters case is simple.
_AS_IT_IS = re.compile(r"[ !#-\[\]-~]+")


class Needle(NamedTuple):
    """One of these is in each line that can fit.

    Attributes:
        parts: the alternatives.
        folded: they are in lower case, and so must the line be made.
    """

    parts: tuple[bytes, ...]
    folded: bool = False

    def is_in(self, line: bytes) -> bool:
        """Whether a line can fit."""
        text = line.lower() if self.folded else line
        return any(part in text for part in self.parts)

    def count(self, chunk: bytes) -> int:
        """How often the alternatives are in a chunk."""
        text = chunk.lower() if self.folded else chunk
        return sum(map(text.count, self.parts))


def longest_plain(text: str) -> str:
    """The longest piece that surely stands in JSON as it is."""
    return max(_AS_IT_IS.findall(text), key=len, default="")


def in_text(text: str) -> list[Needle]:
    """For a text that may be anywhere, in any case."""
    piece = longest_plain(text)
    return [Needle((piece.lower().encode(),), folded=True)] if piece else []


def either(left: Sequence[Needle], right: Sequence[Needle]) -> list[Needle]:
    """What one of two sides needs: nothing, where one of them needs nothing."""
    if not left or not right:
        return []
    one, other = _rarest(left), _rarest(right)
    if one.folded == other.folded:
        return [Needle(one.parts + other.parts, one.folded)]
    return [Needle(tuple(part.lower() for part in one.parts + other.parts), folded=True)]


def _rarest(needles: Sequence[Needle]) -> Needle:
    return max(needles, key=lambda needle: min(map(len, needle.parts)))


def lines_with(chunk: bytes, needle: Needle) -> Iterator[bytes]:
    """The lines of a chunk that hold a needle, in order."""
    text = chunk.lower() if needle.folded else chunk
    if len(needle.parts) == 1:
        spans: Iterator[tuple[int, int]] | list[tuple[int, int]] = _spans(text, needle.parts[0])
    else:
        spans = sorted({span for part in needle.parts for span in _spans(text, part)})
    for start, end in spans:
        yield chunk[start:end]


def _spans(text: bytes, part: bytes) -> Iterator[tuple[int, int]]:
    at = text.find(part)
    while at >= 0:
        start, end = text.rfind(b"\n", 0, at) + 1, text.find(b"\n", at)
        end = len(text) if end < 0 else end
        yield start, end
        at = text.find(part, end)
