"""Lines as they are written: across rotations, truncation, and files that come and go."""

from __future__ import annotations

import contextlib
import gzip
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from otel_kit.cli.logs.source import BROKEN_GZIP, Source, live_files, read_at, rotated_from

EVERY = 0.2
PIECE = 1 << 20


class Tail:
    """The new lines of one file, whatever is done to it.

    Args:
        path: the file; it may come later.
        from_start: whether what it has now is new.
    """

    def __init__(self, path: Path, *, from_start: bool) -> None:
        self._path, self._file, self._at, self._rest = path, -1, 0, b""
        self._known = set(self._rotated())
        if self._open() and not from_start:
            self._at = os.fstat(self._file).st_size

    def _open(self) -> bool:
        """Open the file, and know what was rotated away before: both from one moment, or once more."""
        with contextlib.suppress(OSError):
            while True:
                self._file, self._at = os.open(self._path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0)), 0
                known = set(self._rotated())
                if self._is_there():
                    self._known = known
                    return True
                self.close()
        return False

    def _is_there(self) -> bool:
        try:
            there, here = os.stat(self._path), os.fstat(self._file)
        except OSError:
            return False
        return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)

    def _rotated(self) -> list[str]:
        return [path.name.removesuffix(".gz") for path in rotated_from(self._path)]

    def lines(self) -> Iterator[bytes]:
        """What was added since the last time."""
        if self._file < 0:
            before = self._known
            opened = self._open()
            if not opened:
                self._known = set(self._rotated())
            yield from self._whole(self._known - before)  # came and went since the last look
            if not opened:
                return
        moved = (
            not self._is_there()
        )  # first this, then the rest of it: nothing is written into it after its rename
        yield from self._added()
        if moved:
            yield from self._left()

    def _added(self) -> Iterator[bytes]:
        if os.fstat(self._file).st_size < self._at:  # truncated, as copytruncate does
            self._at, self._rest = 0, b""
        while read := read_at(self._file, PIECE, self._at):
            self._at += len(read)
            *whole, self._rest = (self._rest + read).split(b"\n")
            yield from filter(None, whole)

    def _left(self) -> Iterator[bytes]:
        """The file was moved away: what was moved after it is to be read from its beginning."""
        self.close()
        known, self._known = self._known, set(self._rotated())
        if self._rest:
            yield self._rest
            self._rest = b""
        # The first one since is the one that was open.
        yield from self._whole(set(sorted(self._known - known)[1:]))

    def _whole(self, names: set[str]) -> Iterator[bytes]:
        for name in sorted(names):
            yield from _all_of(self._path.with_name(name))

    def before(self, source: Source) -> Source | None:
        """The part of a file that was written before; None where it is not this file."""
        if self._file < 0 or source.file is None:
            return None
        there, here = os.fstat(source.file), os.fstat(self._file)
        same = (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)
        return source._replace(size=min(source.size, self._at)) if same else None

    def knows(self, source: Source) -> bool:
        """Whether a file was rotated away before."""
        return source.path.parent == self._path.parent and source.path.name.removesuffix(".gz") in self._known

    def close(self) -> None:
        """Let go of the file."""
        if self._file >= 0:
            os.close(self._file)
        self._file = -1


def _all_of(path: Path) -> Iterator[bytes]:
    with contextlib.suppress(*BROKEN_GZIP):
        try:
            text = path.read_bytes()
        except FileNotFoundError:
            text = gzip.decompress(path.with_name(f"{path.name}.gz").read_bytes())
        yield from filter(None, text.split(b"\n"))


def tails_of(arguments: Iterable[str]) -> dict[Path, Tail]:
    """The files that are written now, each from its present end on."""
    return {path: Tail(path, from_start=False) for path in live_files(arguments)}


def follow(
    arguments: Sequence[str], tails: dict[Path, Tail], show: Callable[[bytes], None], done: Callable[[], None]
) -> None:
    """Show lines as they come, until Ctrl-C; files that come into a directory are followed too.

    Args:
        arguments: files and directories.
        tails: the files of these so far.
        show: takes each line.
        done: called when there is nothing more for the moment.
    """
    while True:
        for tail in tails.values():
            for line in tail.lines():
                show(line)
        done()
        time.sleep(EVERY)
        for path in live_files(arguments):
            if path not in tails:
                tails[path] = Tail(path, from_start=True)
