"""Read an audit trail and name the first entry that was changed, removed or inserted.

What a chain of hashes can tell: whoever changes, removes, inserts or moves an entry breaks the chain there, unless all entries
after it are written anew. What it cannot tell by itself: that entries are missing at the end, or that the whole file is
another one. For that somebody has to know a newer hash: each record of an audit event carries its own to wherever the records go.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from otel_kit.toolkit.trust.entry import FOREIGN, NOTHING, Entry, marking, read
from otel_kit.toolkit.trust.trail import settled_size

CHANGED, REMOVED, INSERTED, MOVED = "changed", "removed", "inserted", "moved"
UNFINISHED, EMPTY, UNKNOWN_HEAD = "unfinished", "empty", "head not found"


class Finding(NamedTuple):
    """The first thing that is wrong.

    Attributes:
        kind: ``changed``, ``removed``, ``inserted``, ``moved``, ``unfinished``, ``empty`` or ``head not found``.
        line: where, from 1; 0 for the whole file.
        sentence: what, for people.
    """

    kind: str
    line: int
    sentence: str


class Verdict(NamedTuple):
    """What is known about a trail.

    Attributes:
        entries: how many there are, up to the finding.
        first, last: the first and the last of them; None where there is none.
        finding: what is wrong; None where the chain is unbroken.
        notes: writes that were interrupted and marked, a sentence each.
    """

    entries: int
    first: Entry | None
    last: Entry | None
    finding: Finding | None
    notes: tuple[str, ...]


class _Line(NamedTuple):
    number: int
    data: bytes
    ended: bool
    entry: Entry | None


def verify(path: str | os.PathLike[str], head: str = "") -> Verdict:
    """Check every entry of a trail.

    Args:
        path: the file. It may be written to meanwhile: what was there at the beginning is checked.
        head: the hash of an entry that the trail has to hold, or its first 16 digits at least.

    Raises:
        OSError: the file cannot be read.
    """
    trail = _Trail(path)
    last: _Line | None = None
    first: Entry | None = None
    entries, seen, notes = 0, not head, []
    lines = iter(trail)
    line = next(lines, None)
    while line is not None:
        following = next(lines, None)
        if _is_marked(line, following):
            assert following is not None
            notes.append(_note(line, following))
        else:
            finding = trail.judge(last, line, following)
            if finding is not None:
                return Verdict(entries, first, last.entry if last else None, finding, tuple(notes))
            assert line.entry is not None
            last, first, entries = line, first or line.entry, entries + 1
            seen = seen or line.entry.hash.startswith(head)
        line = following
    return Verdict(entries, first, last.entry if last else None, _at_the_end(entries, seen), tuple(notes))


def _at_the_end(entries: int, seen: bool) -> Finding | None:
    if not entries:
        return Finding(EMPTY, 0, "the file holds no entry: it was emptied, or never written to")
    if not seen:
        sentence = (
            "no entry has the hash that was given: the end was cut off, or the whole file is another one"
        )
        return Finding(UNKNOWN_HEAD, 0, sentence)
    return None


def _is_marked(line: _Line, following: _Line | None) -> bool:
    """Whether a line is the rest of an interrupted write that the next entry tells of."""
    if line.entry is not None or following is None or following.entry is None or not following.entry.holds:
        return False
    facts = following.entry.facts()
    told = marking(line.data)
    return {name: facts.get(name) for name in told} == told


def _note(line: _Line, following: _Line) -> str:
    assert following.entry is not None
    return (
        f"line {line.number} is the rest of a write that was interrupted ({len(line.data)} bytes), "
        f"as entry {following.entry.seq} says"
    )


class _Trail:
    """The lines of the file as it was when it was first looked at."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, self._size = path, settled_size(path)

    def __iter__(self) -> Iterator[_Line]:
        left = self._size
        with open(self._path, "rb") as stream:
            for number, data in enumerate(stream, 1):
                data, left = data[:left], left - len(data)
                if not data:
                    return
                ended = data.endswith(b"\n")
                data = data.removesuffix(b"\n")
                yield _Line(number, data, ended, read(data))

    def judge(self, last: _Line | None, line: _Line, following: _Line | None) -> Finding | None:
        """What is wrong with a line after ``last``, which is right."""
        seq, tip = (
            (0, NOTHING) if last is None or last.entry is None else (last.entry.seq + 1, last.entry.hash)
        )
        entry = line.entry
        if not line.ended:
            return _unfinished(line, seq)
        if entry is not None and entry.holds and entry.prev == tip and entry.seq == seq:
            return None
        if entry is None or not entry.holds or entry.prev == tip:
            return _damaged(line, following, seq, tip)
        return self._unlinked(last, line, entry, seq, tip)

    def _unlinked(self, last: _Line | None, line: _Line, entry: Entry, seq: int, tip: str) -> Finding:
        """An entry that is whole, but follows upon another one than the one before it."""
        root = self._where(lambda other: other.hash == entry.prev)
        successor = self._where(lambda other: other.prev == tip and other.line != entry.line, line.number)
        twin = self._twin(line, entry)
        if twin is not None:
            sentence = f"line {line.number} was inserted: it is a copy of line {twin}"
            return Finding(INSERTED, line.number, sentence)
        if successor is not None and root is not None and root > line.number:
            sentence = f"entry {entry.seq} was moved: it stands after {_name(last)}"
            return Finding(MOVED, line.number, sentence)
        if successor is not None:
            sentence = (
                f"line {line.number} was inserted after {_name(last)}, of which another entry is the next"
            )
            return Finding(INSERTED, line.number, sentence)
        if root is not None or entry.prev == NOTHING:
            return self._inserted_before(line, root or 0)
        if entry.seq > seq:
            return Finding(REMOVED, line.number, _removed(seq, entry.seq - 1, line.number))
        if entry.seq == seq and last is not None:
            sentence = (
                f"{_name(last)} was changed, and its hash made anew: entry {seq} follows upon another one"
            )
            return Finding(CHANGED, last.number, sentence)
        sentence = f"line {line.number} was inserted after {_name(last)}: it follows upon no entry"
        return Finding(INSERTED, line.number, sentence)

    def _inserted_before(self, line: _Line, root: int) -> Finding:
        """What stands between a line and the one that it follows upon; the trail's beginning is line 0."""
        first, end = root + 1, line.number - 1
        where = f"line {first} was" if first == end else f"lines {first} to {end} were"
        then = (
            f"line {line.number} follows upon line {root}"
            if root
            else f"the trail begins with line {line.number}"
        )
        return Finding(INSERTED, first, f"{where} inserted: {then}")

    def _twin(self, line: _Line, entry: Entry) -> int | None:
        first = self._where(lambda other: other.hash == entry.hash)
        return first if first != line.number else self._where(lambda other: other.hash == entry.hash, first)

    def _where(self, matches: Callable[[Entry], bool], after: int = 0) -> int | None:
        """The first line after a line whose entry matches."""
        found = (line for line in self if line.number > after and line.entry is not None)
        return next((line.number for line in found if line.entry and matches(line.entry)), None)


def _name(line: _Line | None) -> str:
    return "the beginning" if line is None or line.entry is None else f"entry {line.entry.seq}"


def _removed(first: int, last: int, line: int) -> str:
    what = f"entry {first} was" if first == last else f"entries {first} to {last} were"
    return f"{what} removed before line {line}"


def _damaged(line: _Line, following: _Line | None, seq: int, tip: str) -> Finding:
    """A line that is no entry, or whose hash is not its own, or that has the wrong number."""
    after = following.entry if following is not None else None
    if after is not None and after.holds and after.prev == tip and after.seq == seq:
        if after.facts().get("action") == FOREIGN:
            sentence = f"line {line.number} is no entry, nor was it when entry {seq} was written"
            return Finding(CHANGED, line.number, sentence)
        return Finding(
            INSERTED,
            line.number,
            f"line {line.number} was inserted: the next line follows upon the one before it",
        )
    what = "is no entry" if line.entry is None else "has another hash than it says"
    if line.entry is not None and line.entry.holds:
        what = f"says that it is entry {line.entry.seq}"
    return Finding(CHANGED, line.number, f"entry {seq} was changed: line {line.number} {what}")


def _unfinished(line: _Line, seq: int) -> Finding:
    if line.entry is not None and line.entry.holds:
        return Finding(
            UNFINISHED,
            line.number,
            f"entry {line.entry.seq} lacks the end of its line: the last byte was lost or cut off",
        )
    sentence = (
        f"line {line.number} is unfinished, where entry {seq} would be: a write that was interrupted and never acknowledged, "
        "or an entry that was cut off; the file alone cannot tell. The next entry written will mark it"
    )
    return Finding(UNFINISHED, line.number, sentence)
