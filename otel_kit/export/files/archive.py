"""What was rotated away: compressed in the background, and cleared by count, age and size.

Only files with names of the layout are touched: the directory may hold others. One process at a time tends them, under a lock
of its own, so that writers do not wait for it.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import shutil
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from otel_kit import _guard
from otel_kit.export.files.layout import Layout
from otel_kit.export.files.logfile import Directory

LOCK = ".archive.lock"
PARTIAL = ".gz.partial"
ABANDONED = 3600.0  # seconds after which a partial file is nobody's work any more
# Processes may be in different time zones, or have made lines before midnight that they write after it.
SETTLED = 26 * 3600.0
_BLOCK = 1 << 20


class Keeping(NamedTuple):
    """What is kept of what was rotated away.

    Attributes:
        copies: how many of each file.
        days: how old they may get.
        total: how many bytes all files of the layout may have together; the oldest go first.
        compress: whether they are compressed.
    """

    copies: int
    days: float
    total: int
    compress: bool


class _Old(NamedTuple):
    """A file that nobody writes into any more."""

    modified: float
    size: int
    path: Path


class Archive:
    """Tends the old files of a directory, in a thread of its own that ends when there is nothing to do.

    Args:
        directory: where they are.
        keeping: what is kept.
        layout: which names its files have.
    """

    def __init__(self, directory: Path, keeping: Keeping, layout: Layout) -> None:
        self._directory, self._keeping, self._patterns = directory, keeping, layout.patterns()
        self._tending, self._writing = Directory(directory, LOCK), Directory(directory)
        self.renew()

    def renew(self) -> None:
        """In a forked child there is no thread yet, and the parent's locks are not its own."""
        self._tending.close()
        self._writing.close()
        self._wanted = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def tend(self) -> None:
        """Have the old files tended soon; returns at once."""
        self._wanted.set()
        with self._starting:
            if self._thread is None or not self._thread.is_alive():
                thread = threading.Thread(target=self._run, name="otel_kit files", daemon=True)
                with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: next time
                    thread.start()
                    self._thread = thread

    def wait(self, timeout: float) -> None:
        """Wait for the thread to end, ``timeout`` seconds at most."""
        if self._thread is not None:
            self._thread.join(timeout)

    def _run(self) -> None:
        while self._wanted.is_set():
            self._wanted.clear()
            try:
                with self._tending.locked():
                    self._compress_all()
                    self._clear()
            except Exception as error:
                _guard.contained("files.archive", error)
        self._tending.close()
        self._writing.close()

    def _compress_all(self) -> None:
        if not self._keeping.compress:
            return
        for old in (old for family in self._families()[0] for old in family if old.path.suffix != ".gz"):
            try:
                compress(old.path, self._writing)
            except OSError as error:  # a full disk, perhaps: clearing comes next
                _guard.contained("files.compress", error)

    def _clear(self) -> None:
        for path in self._superfluous():
            with contextlib.suppress(OSError):
                path.unlink()
        now = time.time()
        for path, stat in _files_in(self._directory):
            if path.name.endswith(PARTIAL) and now - stat.st_mtime > ABANDONED:
                with contextlib.suppress(OSError):
                    path.unlink()

    def _families(self) -> tuple[list[list[_Old]], int]:
        """For each file of the layout what is old, the oldest first; and the size of what is in use."""
        families: list[list[_Old]] = [[] for _ in self._patterns]
        in_use, settled = 0, time.time() - SETTLED
        for path, stat in _files_in(self._directory):
            name = path.relative_to(self._directory).as_posix()
            for family, pattern in zip(families, self._patterns, strict=True):
                if not (found := pattern.fullmatch(name)):
                    continue
                parts = found.groupdict()
                # A file of a day is old when it has not been written for longer than a day: not by its name alone.
                if parts["rotated"] or parts["packed"] or (parts.get("day") and stat.st_mtime < settled):
                    family.append(_Old(stat.st_mtime, stat.st_size, path))
                else:
                    in_use += stat.st_size
        return [sorted(family) for family in families], in_use

    def _superfluous(self) -> Iterator[Path]:
        families, size = self._families()
        oldest = time.time() - self._keeping.days * 86_400
        kept: list[_Old] = []
        for family in families:
            many = max(0, len(family) - self._keeping.copies)
            for number, old in enumerate(family):
                if number < many or old.modified < oldest:
                    yield old.path
                else:
                    kept.append(old)
        yield from self._beyond(sorted(kept), size)

    def _beyond(self, kept: Sequence[_Old], size: int) -> Iterator[Path]:
        """The oldest, as far as all together are too large."""
        size += sum(old.size for old in kept)
        for old in kept:
            if size <= self._keeping.total:
                return
            size -= old.size
            yield old.path


def _files_in(directory: Path) -> Iterator[tuple[Path, os.stat_result]]:
    # Not rglob, which raises up to 3.12 where a folder is deleted meanwhile.
    for folder, _, names in os.walk(directory):
        for path in (Path(folder, name) for name in names):
            with contextlib.suppress(OSError):
                stat = path.lstat()
                if path.is_file():
                    yield path, stat


def compress(path: Path, writing: Directory) -> None:
    """Make ``path.gz`` of a file, whose lines are at any moment in one of them, or in both.

    A kill leaves the file, or both with the same lines; the next time mends that. Where a compressed file of the name is there
    with other lines, as after the clock went back, these are added to it.

    Args:
        path: the file.
        writing: whose lock the writers hold; held while the one replaces the other.
    """
    target = path.with_name(f"{path.name}.gz")
    partial = path.with_name(
        f".{path.name}.{os.getpid()}{PARTIAL}"
    )  # hidden from logs/app*.jsonl* in a shell
    try:
        before = path.stat()
        has_them = target.exists() and _ends_with(target, path, before.st_size)
        if not has_them:
            _pack(path, partial, target)
            os.utime(partial, (before.st_atime, before.st_mtime))
        with writing.locked():
            now = path.stat()
            if (now.st_size, now.st_ino) != (before.st_size, before.st_ino):
                return  # somebody wrote into it: another time
            if not has_them:
                os.replace(partial, target)
            path.unlink()
    except FileNotFoundError:  # cleared meanwhile
        return
    finally:
        partial.unlink(missing_ok=True)


def _pack(path: Path, partial: Path, target: Path) -> None:
    with partial.open("wb") as out:
        if target.exists():
            with target.open("rb") as earlier:
                shutil.copyfileobj(earlier, out, _BLOCK)
        with path.open("rb") as lines, gzip.GzipFile(path.name, "wb", 6, out) as packed:
            shutil.copyfileobj(lines, packed, _BLOCK)
        out.flush()
        os.fsync(out.fileno())  # the file goes next


def _ends_with(target: Path, path: Path, size: int) -> bool:
    """Whether a compressed file has the lines of a file at its end.

    Raises:
        OSError: it cannot be read; then both stay.
    """
    try:
        with gzip.open(target, "rb") as packed, path.open("rb") as lines:
            whole = sum(map(len, iter(lambda: packed.read(_BLOCK), b"")))
            if whole < size:
                return False
            packed.seek(whole - size)
            return all(packed.read(_BLOCK) == each for each in iter(lambda: lines.read(_BLOCK), b""))
    except (EOFError, zlib.error) as error:
        raise OSError(f"{target.name} is broken") from error
