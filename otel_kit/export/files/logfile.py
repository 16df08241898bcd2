"""One file that several processes append to, and its rotation.

No line is torn or lost, because whoever writes holds the directory's lock (``flock`` on ``.lock``), looks whether the path
still leads to the file that it has open (another process may have rotated it, ``logrotate`` may have moved it, somebody may
have deleted it), and writes whole lines at the end in one go. What a full disk cut off is taken back. Where a process was
killed in mid-write, its torn line is ended, so that the next one stands for itself. Rotation is one ``rename``, so that there
is no moment at which a kill could lose anything.

Between hosts that share a directory by NFS ``flock`` must be supported there; on Windows there is no lock, and one process
should write.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

LOCK = ".lock"
MODE = 0o640
FLAGS = os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class Directory:
    """A log directory, made when it is first needed, and made again when somebody deletes it.

    Args:
        path: where it is.
        lock: the name of the file that is locked.
    """

    def __init__(self, path: str | Path, lock: str = LOCK) -> None:
        self.path, self._name = Path(path), lock
        self._lock: int | None = None

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock for the time of a block.

        Raises:
            OSError: the directory cannot be made or written.
        """
        lock = self._opened()
        if fcntl:
            fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield
        finally:
            if fcntl:
                fcntl.flock(lock, fcntl.LOCK_UN)

    def _opened(self) -> int:
        path = self.path / self._name
        if self._lock is not None and not _leads_to(path, self._lock):
            self.close()
        if self._lock is None:
            self.path.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(path, FLAGS, MODE)
        return self._lock

    def close(self) -> None:
        """Let go of the lock's file."""
        lock, self._lock = self._lock, None
        if lock is not None:
            with contextlib.suppress(OSError):
                os.close(lock)


class OpenFile:
    """A file of the directory, open at its end. All methods are called under the directory's lock.

    Args:
        path: where it is.
        most_bytes: from which size on it is rotated; 0 for never.
        daily: rotated when its last line is of an earlier day.
    """

    def __init__(self, path: Path, most_bytes: int, *, daily: bool) -> None:
        self.path, self._most_bytes, self._daily = path, most_bytes, daily
        self._file: int | None = None

    def append(self, lines: list[bytes]) -> bool:
        """Write whole lines at the end; rotates before, and between lines, where it is due.

        Args:
            lines: those that were written are taken from the list, also where others cannot be.

        Returns:
            Whether anything was rotated away.

        Raises:
            OSError: the disk is full, or the directory cannot be written.
        """
        rotated = False
        while lines:
            size = self._ready()
            if size and self._is_due(size + len(lines[0])):
                self._rotate()
                rotated, size = True, self._ready()
            part = self._fitting(lines, size)
            self._write(b"".join(part), size)
            del lines[: len(part)]
        return rotated

    def _fitting(self, lines: list[bytes], size: int) -> list[bytes]:
        """The first of the lines that fit before the next rotation, one at least."""
        if not self._most_bytes:
            return lines[:]
        for number, each in enumerate(lines):
            size += len(each)
            if number and size > self._most_bytes:
                return lines[:number]
        return lines[:]

    def _is_due(self, size: int) -> bool:
        if self._most_bytes and size > self._most_bytes:
            return True
        assert self._file is not None
        return self._daily and _day(os.fstat(self._file).st_mtime) < _day(time.time())

    def _ready(self) -> int:
        """Open at the path as it is now, with a whole last line; gives the size."""
        if self._file is not None and not _leads_to(self.path, self._file):
            self.close()
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, FLAGS | os.O_APPEND, MODE)
        size = os.fstat(self._file).st_size
        if size and self._last_byte(size) != b"\n":
            self._write(b"\n", size)
            size += 1
        return size

    def _last_byte(self, size: int) -> bytes:
        assert self._file is not None
        os.lseek(
            self._file, size - 1, os.SEEK_SET
        )  # Windows has no pread; what is written goes to the end anyway
        return os.read(self._file, 1)

    def _write(self, data: bytes, size: int) -> None:
        assert self._file is not None
        try:
            written = 0
            while written < len(data):
                written += os.write(self._file, data[written:] if written else data)
        except OSError:
            # Nobody else writes while we hold the lock: what there is beyond the old end is our half line.
            with contextlib.suppress(OSError):
                if os.fstat(self._file).st_size > size:  # not where logrotate truncated it meanwhile
                    os.ftruncate(self._file, size)
            raise

    def _rotate(self) -> None:
        self.close()  # first: Windows renames no open file
        os.rename(self.path, _free_name(self.path))

    def close(self) -> None:
        """Let go of the file."""
        file, self._file = self._file, None
        if file is not None:
            with contextlib.suppress(OSError):
                os.close(file)


def _leads_to(path: Path, file: int) -> bool:
    try:
        there, here = os.stat(path), os.fstat(file)
    except OSError:
        return False
    return (there.st_ino, there.st_dev) == (here.st_ino, here.st_dev)


def _day(seconds: float) -> tuple[int, int]:
    at = time.localtime(seconds)
    return at.tm_year, at.tm_yday


def _free_name(path: Path) -> Path:
    """``app.20261122-141503-012345.log``: sorts by time, and keeps the ending by which programs know the format.

    In UTC, as the lines are, so that no hour comes twice. With microseconds a name is never used again, also after its file
    was cleared away: a process that is about to compress that file would take a new one for it.
    """
    now = time.time_ns() // 1000
    while True:
        stamp = time.strftime("%Y%m%d-%H%M%S", time.gmtime(now // 10**6))
        target = path.with_name(f"{path.stem}.{stamp}-{now % 10**6:06d}{path.suffix}")
        if not target.exists() and not target.with_name(f"{target.name}.gz").exists():
            return target
        now += 1
