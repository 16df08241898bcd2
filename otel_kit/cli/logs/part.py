"""A part of a file that one process reads, in pieces of whole lines."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from otel_kit.cli.logs.record import stamp_of
from otel_kit.cli.logs.source import BROKEN_GZIP, Source, read_at

PIECE = 4 << 20
PART = 32 << 20
# Lines of several processes and threads are not in exact order: so many seconds earlier or later may be beside each other.
_PEEK = 1 << 16


class Part(NamedTuple):
    """The lines of a file that begin from ``start`` on and before ``end``.

    Attributes:
        source: the file.
        start, end: in bytes; of a compressed file, the whole.
    """

    source: Source
    start: int = 0
    end: int = 0


def parts_of(sources: Sequence[Source]) -> list[Part]:
    """All parts, in the order of the files."""
    found = []
    for source in sources:
        if source.is_packed:
            found.append(Part(source))
        else:
            found += [
                Part(source, start, min(start + PART, source.size)) for start in range(0, source.size, PART)
            ]
    return found


def pieces(part: Part) -> Iterator[bytes]:
    """The part's lines, some megabytes at a time, each piece with whole lines."""
    rest = b""
    for read in _packed(part.source) if part.source.file is None else _plain(part, part.source.file):
        cut = read.rfind(b"\n") + 1
        if not cut:
            rest += read
            continue
        yield rest + read[:cut]
        rest = read[cut:]
    if rest:
        yield rest


def _plain(part: Part, file: int) -> Iterator[bytes]:
    at = _line_begins(file, part.start)
    end = _line_begins(file, part.end) if part.end < part.source.size else part.end
    while at < end and (read := read_at(file, min(PIECE, end - at), at)):
        yield read
        at += len(read)


def _line_begins(file: int, offset: int) -> int:
    """Where the first line begins that begins at an offset or behind it."""
    at = offset - 1
    while offset and (read := read_at(file, _PEEK, at)):
        if (found := read.find(b"\n")) >= 0:
            return at + found + 1
        at += len(read)
    return at if offset else 0


def _packed(source: Source) -> Iterator[bytes]:
    """What can be unpacked: of a file that was cut off, its beginning; of one that was cleared away meanwhile, nothing."""
    try:
        with gzip.open(source.path, "rb") as lines:
            while read := lines.read(PIECE):
                yield read
    except BROKEN_GZIP:
        return


def stamp_at(part: Part, offset: int) -> bytes:
    """The time of the first line from an offset on; empty where it has none."""
    if part.source.file is None:
        return b""
    return stamp_of(read_at(part.source.file, _PEEK, _line_begins(part.source.file, offset)))
