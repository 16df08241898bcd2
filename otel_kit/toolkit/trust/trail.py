"""The file of the audit trail: opened, locked, written and closed for each entry, so that it may belong to many processes.

Nothing is kept between two writes: threads, forks and other programs that write to the same file all read its last entry
under the lock. What can be lost here, and when: nothing that was acknowledged, unless the disk lies about having written. A
process that is killed in the middle of a write leaves a part of a line, which no caller took for written; the next write
ends that line and says in an entry of its own what stands there. Nothing is ever taken out of the file.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from otel_kit.errors import AuditError
from otel_kit.toolkit.trust.entry import NOTHING, Entry, marking, read, written

# A process that was stopped may hold the lock for ever.
PATIENCE = 10.0
LONGEST_PAUSE = 0.002
_PIECE = 16_384
_BEGIN = b'{"seq":0,"prev":"' + NOTHING.encode("ascii")


class AuditTrail:
    """An append-only file whose entries are chained by their hashes. Safe for threads and processes.

    Args:
        path: the file; it is made, readable for its owner only, when the first entry is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.path.abspath(path)

    def append(self, facts: Mapping[str, Any]) -> Entry:
        """Write an entry; when this returns it is on the disk.

        Args:
            facts: what the entry tells, as JSON can carry it.

        Raises:
            AuditError: the entry was not written, or nobody can tell; the message says why.
        """
        try:
            return self._append(facts)
        except AuditError:
            raise
        except (OSError, ImportError) as error:
            raise AuditError(self.path, f"{type(error).__name__}: {error}") from error

    def _append(self, facts: Mapping[str, Any]) -> Entry:
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            unlock = _locked(fd, self.path)
            try:
                return self._write(fd, facts)
            finally:
                # Closing is not enough: a child that was forked meanwhile has the file open, and so the lock.
                unlock()
        finally:
            os.close(fd)

    def _write(self, fd: int, facts: Mapping[str, Any]) -> Entry:
        size = os.fstat(fd).st_size
        last, remains = _end(fd, size)
        if last is None and remains and not _is_begun(remains):
            raise AuditError(self.path, "the file is no audit trail")
        last, repair = _repaired(last, remains)
        entry = _after(last, facts)
        _write_all(fd, self.path, repair + entry.line + b"\n")
        _to_disk(fd)
        if not size:
            _folder_to_disk(self.path)
        return entry


def _after(last: Entry | None, facts: Mapping[str, Any]) -> Entry:
    return written(0, NOTHING, facts) if last is None else written(last.seq + 1, last.hash, facts)


def _repaired(last: Entry | None, remains: bytes) -> tuple[Entry | None, bytes]:
    """The entry to go on from, and what has to be written before: the end of a line, and what stands in it."""
    if not remains:
        return last, b""
    end = b"" if remains.endswith(b"\n") else b"\n"
    whole = read(remains)
    if whole is not None and whole.holds:  # all but the last byte was written
        return whole, end
    mark = _after(last, marking(remains))
    return mark, end + mark.line + b"\n"


def _is_begun(remains: bytes) -> bool:
    """Whether the file holds nothing but the beginning of a first entry."""
    return b"\n" not in remains and remains[: len(_BEGIN)] == _BEGIN[: len(remains)]


def _end(fd: int, size: int) -> tuple[Entry | None, bytes]:
    """The last line that is an entry, and whatever stands behind it."""
    data, start = b"", size
    while start > 0:
        step = min(start, max(_PIECE, len(data)))
        start -= step
        data = os.pread(fd, step, start) + data
        found = _last_entry(data, whole=start == 0)
        if found is not None:
            return found
    return None, data


def _last_entry(data: bytes, *, whole: bool) -> tuple[Entry, bytes] | None:
    end = data.rfind(b"\n")
    while end >= 0:
        begin = data.rfind(b"\n", 0, end) + 1
        if begin == 0 and not whole:
            return None
        entry = read(data[begin:end])
        if entry is not None:
            return entry, data[end + 1 :]
        end = begin - 1
    return None


def _write_all(fd: int, path: str, data: bytes) -> None:
    count = os.write(fd, data)
    if count != len(data):  # the disk is full; what was written is the next write's to mark
        raise AuditError(path, f"only {count} of {len(data)} bytes could be written")


def settled_size(path: str | os.PathLike[str]) -> int:
    """The size of the file while nobody is in the middle of a write.

    Raises:
        OSError: there is no such file, or it cannot be read.
    """
    fd = os.open(path, os.O_RDONLY)
    try:
        unlock = _locked(fd, os.fspath(path), shared=True)
        size = os.fstat(fd).st_size
        unlock()
        return size
    finally:
        os.close(fd)


def _locked(fd: int, path: str, *, shared: bool = False) -> Callable[[], None]:
    """Lock the file against other writers; gives what unlocks it."""
    fcntl = import_module("fcntl")
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise AuditError(path, f"another process has held its lock for {PATIENCE:g} s") from None
            time.sleep(random.uniform(0, LONGEST_PAUSE))
        else:
            return lambda: fcntl.flock(fd, fcntl.LOCK_UN)


def _to_disk(fd: int) -> None:
    fcntl = import_module("fcntl")
    if hasattr(fcntl, "F_FULLFSYNC"):  # macOS: fsync leaves it in the drive's own memory
        fcntl.fcntl(fd, fcntl.F_FULLFSYNC)
    else:
        getattr(os, "fdatasync", os.fsync)(fd)


def _folder_to_disk(path: str) -> None:
    """A new file is there after a power failure only if its folder was written, too."""
    fd = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
