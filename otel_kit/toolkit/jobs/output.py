"""What a command in the background says: two files of its run, rotated by size."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from otel_kit.toolkit.jobs.places import attempt

STDOUT, STDERR = "stdout.log", "stderr.log"
LARGEST = 10_000_000
KEPT = 5
_PIECE = 65_536
_POLL = 0.2


class Rotating:
    """A file that is put aside when it gets large: ``stdout.log.1`` is the one before.

    Args:
        path: of the file.
        largest: bytes.
    """

    def __init__(self, path: str, largest: int = LARGEST) -> None:
        self.path, self._largest = path, largest
        self._stream: IO[bytes] | None = None
        self._size = 0

    def write(self, data: bytes) -> None:
        """Append. Raises OSError where it cannot be written."""
        if self._stream is None or self._size >= self._largest:
            self._open()
        assert self._stream is not None
        self._stream.write(data)
        self._size += len(data)

    def _open(self) -> None:
        self.close()
        if self._size >= self._largest:
            for number in range(KEPT - 1, 0, -1):
                if os.path.exists(f"{self.path}.{number}"):
                    os.replace(f"{self.path}.{number}", f"{self.path}.{number + 1}")
            os.replace(self.path, f"{self.path}.1")
        os.makedirs(os.path.dirname(self.path), exist_ok=True)
        self._stream = open(self.path, "ab", buffering=0)  # noqa: SIM115 (closed by close)
        self._size = os.fstat(self._stream.fileno()).st_size

    def close(self) -> None:
        """No more is written for now."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None


def keep(pipe: IO[bytes], path: str, largest: int = LARGEST) -> threading.Thread:
    """Write what comes from a pipe into a file, in a thread, until its end; what cannot be written is lost, and said once."""

    def copy() -> None:
        file = Rotating(path, largest)
        while data := os.read(pipe.fileno(), _PIECE):
            piece = data
            attempt("what the command says", path, lambda: file.write(piece))  # noqa: B023 (called at once)
        file.close()

    thread = threading.Thread(target=copy, name="otel_kit output", daemon=True)
    thread.start()
    return thread


def parts(path: str) -> list[str]:
    """A file and those before it, the oldest first."""
    numbered = [f"{path}.{number}" for number in range(KEPT, 0, -1)]
    return [each for each in (*numbered, path) if os.path.exists(each)]


def job_logs(folder: str, *, follow: Callable[[], bool] | None = None) -> Iterator[bytes]:
    """What a background run has said, both streams, piece by piece.

    Args:
        folder: of the run.
        follow: whether there may be more; None for what is there now.
    """
    files = [os.path.join(folder, name) for name in (STDOUT, STDERR)]
    at: dict[str, int] = {}
    for path in files:
        for part in parts(path):
            yield from _read(part, at)
    while follow is not None:
        more = follow()
        for path in files:
            for part in parts(path):
                yield from _read(part, at)
        if not more:
            return
        sys.stdout.flush()
        time.sleep(_POLL)


def _read(path: str, at: dict[str, int]) -> Iterator[bytes]:
    """What is new in a file, which is known by its inode: rotation only renames it."""
    try:
        with open(path, "rb") as stream:
            inode = str(os.fstat(stream.fileno()).st_ino)
            stream.seek(at.get(inode, 0))
            while data := stream.read(_PIECE):
                yield data
            at[inode] = stream.tell()
    except FileNotFoundError:  # rotated away this moment
        return
