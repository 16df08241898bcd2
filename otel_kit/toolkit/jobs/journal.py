"""What is done of a batch, in a file that outlives the process, so that the batch can go on where it was cut off.

A line for the beginning of each item and one for its end, or one for both where an item begins as another ends, each with a
checksum. Killed at any byte, at most the last line is unfinished, which says nothing then; an item whose line of beginning
has no end is in doubt: it may be done, or half done.

What can be lost here, and when: nothing by the end of the process, however it comes. When the power goes, the lines of the last
second. When the disk is full, what cannot be written, which is said.
"""

from __future__ import annotations

import os
import threading
import time
from hashlib import blake2b
from importlib import import_module
from zlib import crc32

from otel_kit.errors import JobError
from otel_kit.toolkit.jobs.places import attempt, file_name, tell_of

BEGUN, DONE, FAILED, COMPLETE = "b", "d", "f", "e"
NEXT = "n"  # one is done, and another begun
LONGEST_LABEL = 100
LONGEST_ID = 32
AS_IT_IS = "="  # before what is short and plain, of which no digest is needed
SYNC_EVERY = 1.0
ADDRESS = " at 0x"  # in the text of an item that is not the same in the next process


class _Process:
    """Which one this is of those that were forked: asking for the pid would be a system call for each line."""

    generation = 0

    def forked(self) -> None:
        """This is a child now."""
        self.generation += 1


_process = _Process()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_process.forked)


class Journal:
    """The journal of one batch, held by one process at a time.

    Args:
        name: of the batch.
        folder: where it is.

    Attributes:
        states: by item, what its last line says.
        labels: by item, what it is called, of those that are begun and not ended.
    """

    def __init__(self, name: str, folder: str) -> None:
        self.name = name
        self.path = os.path.join(folder, f"{file_name(name)}.journal")
        self.states: dict[str, str] = {}
        self.labels: dict[str, str] = {}
        self._fd = -1
        self._generation = _process.generation
        self._synced = time.monotonic()
        self._torn = False
        self._waiting = ""
        # Reentrant: a signal's handler may record the end in the middle of a line.
        self._lock = threading.RLock()

    def open(self) -> None:
        """Take the file, and read what it says.

        Raises:
            JobError: another process is at this batch.
        """
        attempt(self._what, self.path, self._open)

    @property
    def _what(self) -> str:
        return f"batch {self.name}: the journal, without which it cannot be resumed,"

    def _open(self) -> None:
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        try:
            self._hold(fd)
            self._read(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd

    def _hold(self, fd: int) -> None:
        try:
            fcntl = import_module("fcntl")
        except ImportError:  # not on this system: two at once are not told apart
            return
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JobError(
                f"batch {self.name!r} is being worked on by another process or thread ({self.path} is locked); "
                "wait for it, or give this one another name"
            ) from None

    def _read(self, fd: int) -> None:
        with open(os.dup(fd), "rb") as stream:
            stream.seek(0)
            data = stream.read()
        if not data.endswith(_line(COMPLETE)):
            for line in data.split(b"\n"):
                self._take(line)
        self._torn = bool(data) and not data.endswith(b"\n")
        if data and not self.states:  # complete: this is a new beginning
            os.ftruncate(fd, 0)
            self._torn = False

    def _take(self, line: bytes) -> None:
        sum_, _, rest = line.partition(b" ")
        if not rest or sum_ != b"%08x" % crc32(rest):
            return
        kind, _, tail = rest.decode("utf-8", "replace").partition(" ")
        if kind == NEXT:
            item, _, tail = tail.partition(" ")
            self.states[item] = DONE
            self.labels.pop(item, None)
            kind = BEGUN
        item, _, label = tail.partition(" ")
        if kind == COMPLETE:
            self.states.clear()
            self.labels.clear()
        elif kind == BEGUN:
            self.states[item] = BEGUN
            self.labels[item] = label or item.removeprefix(AS_IT_IS)
        else:
            self.states[item] = kind
            self.labels.pop(item, None)

    def begin(self, item: str, label: str) -> None:
        """An item is begun; when this returns a kill cannot undo it."""
        self.states[item] = BEGUN
        if label != item[1:]:
            self.labels[item] = label = _plain(label)
            rest = f"{item} {label}"
        else:
            rest = item
        with self._lock:
            waiting, self._waiting = self._waiting, ""
            self._write(_line(f"{NEXT} {waiting} {rest}" if waiting else f"{BEGUN} {rest}"))

    def end(self, item: str, kind: str) -> None:
        """An item is ``DONE`` or ``FAILED``."""
        self.states[item] = kind
        self.labels.pop(item, None)
        self._append(f"{kind} {item}")

    def end_with_next(self, item: str) -> None:
        """An item is done, and another one begins in the next moment: both are one line. Killed between, this one is in doubt."""
        self.states[item] = DONE
        if self.labels:
            self.labels.pop(item, None)
        self._waiting = item

    def _append(self, text: str) -> None:
        with self._lock:
            waiting, self._waiting = self._waiting, ""
            lines = [f"{DONE} {waiting}"] if waiting else []
            if text:
                lines.append(text)
            if lines:
                self._write(b"".join(map(_line, lines)))

    def _write(self, data: bytes) -> None:
        if self._fd < 0 or self._generation != _process.generation:
            return
        if self._torn:  # what is unfinished is ended, so that it spoils no other line
            data = b"\n" + data
        try:
            count = os.write(self._fd, data)
            self._torn = count != len(data)
            if self._torn:
                os.write(self._fd, b"\n" + data)  # raises, and so says why there was no room
                self._torn = False
        except OSError as error:
            self._torn = True
            tell_of(self._what, self.path, error)

    def keep(self) -> None:
        """Once a second: have what was written survive a power failure, and the file's removal."""
        if self._fd < 0 or time.monotonic() - self._synced < SYNC_EVERY:
            return
        self._synced = time.monotonic()
        self._append("")
        attempt(self._what, self.path, self._keep)

    def _keep(self) -> None:
        with self._lock:
            if self._fd < 0:
                return
            if os.fstat(self._fd).st_nlink == 0:
                self._restore()
            fd = os.dup(self._fd)
        try:  # without the lock: it may take a while
            _to_disk(fd)
        finally:
            os.close(fd)

    def _restore(self) -> None:
        """The file was removed: a new one says the same."""
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        fd = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o644)
        self._hold(fd)
        old, self._fd = self._fd, fd
        os.close(old)
        for item, kind in list(self.states.items()):
            self._write(_line(f"{kind} {item} {self.labels.get(item, '')}"))

    def close(self, *, complete: bool) -> None:
        """No more is written.

        Args:
            complete: nothing is left to be done; the next one begins anew.
        """
        with self._lock:
            if self._fd < 0:
                return
            self._append(COMPLETE if complete else "")
            fd, self._fd = self._fd, -1
        if self._generation == _process.generation:
            attempt(self._what, self.path, lambda: _to_disk(fd))
        os.close(fd)


def _to_disk(fd: int) -> None:
    getattr(os, "fdatasync", os.fsync)(fd)


def _line(text: str) -> bytes:
    data = text.encode("utf-8", "backslashreplace")
    return b"%08x %b\n" % (crc32(data), data)


def _plain(label: str) -> str:
    return label if label.isalnum() else " ".join(label[:LONGEST_LABEL].split())


def item_id(text: str, occurrence: int) -> str:
    """What an item is in the journal: what it is known by, and which one of those that are alike."""
    if len(text) <= LONGEST_ID and text.isalnum() and text.isascii():
        return f"{AS_IT_IS}{text}.{occurrence}" if occurrence else AS_IT_IS + text
    digest = blake2b(text.encode("utf-8", "backslashreplace"), digest_size=12).hexdigest()
    return f"{digest}.{occurrence}" if occurrence else digest
