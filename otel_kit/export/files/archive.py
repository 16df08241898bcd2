"""What was rotated away: compressed in the background, and cleared by count, age and size."""

from __future__ import annotations

import contextlib
import gzip
import os
import re
import shutil
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from otel_kit import _guard

PARTIAL = ".gz.partial"
ABANDONED = 3600.0  # seconds after which a partial file is nobody's work any more
# app.20261122-141503-0000.log(.gz), as rotation names it, and operations-2026-11-22.log(.gz).
_ROTATED = re.compile(r"(?P<base>.+)\.\d{8}-\d{6}-\d{4,}(?P<suffix>\.\w+)(\.gz)?")
_DATED = re.compile(r"(?P<base>.+)-(?P<day>\d{4}-\d\d-\d\d)(?P<suffix>\.\w+)(\.gz)?")


class Keeping(NamedTuple):
    """What is kept of what was rotated away.

    Attributes:
        copies: how many of each file.
        days: how old they may get.
        total: how many bytes all files of the directory may have together; the oldest go first.
        compress: whether they are compressed.
    """

    copies: int
    days: float
    total: int
    compress: bool


class Archive:
    """Tends the old files of a directory, in a thread of its own that ends when there is nothing to do."""

    def __init__(self, directory: Path, keeping: Keeping) -> None:
        self._directory, self._keeping = directory, keeping
        self.renew()

    def renew(self) -> None:
        """In a forked child there is no thread yet."""
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
                self._compress_all()
                self._clear()
            except Exception as error:
                _guard.contained("files.archive", error)

    def _compress_all(self) -> None:
        if not self._keeping.compress:
            return
        for path in self._old():
            if path.suffix != ".gz":
                compress(path)

    def _clear(self) -> None:
        for path in self._superfluous():
            with contextlib.suppress(OSError):
                path.unlink()
        now = time.time()
        for path in self._directory.rglob(f"*{PARTIAL}"):
            with contextlib.suppress(OSError):
                if now - path.stat().st_mtime > ABANDONED:
                    path.unlink()

    def _old(self) -> list[Path]:
        """Files that nobody writes into any more, the oldest first."""
        today = time.strftime("%Y-%m-%d")
        found = [
            path
            for path in self._directory.rglob("*")
            if _ROTATED.fullmatch(path.name)
            or ((dated := _DATED.fullmatch(path.name)) and dated["day"] < today)
        ]
        return sorted(found, key=_age_of)

    def _superfluous(self) -> Iterator[Path]:
        old, families = self._old(), defaultdict(list)
        for path in old:
            families[_family(path)].append(path)
        gone: set[Path] = set()
        oldest = time.time() - self._keeping.days * 86_400
        for members in families.values():
            gone |= set(members[: max(0, len(members) - self._keeping.copies)])
            gone |= {path for path in members if _age_of(path) < oldest}
        size = sum(map(_size_of, set(self._directory.rglob("*.*")) - gone))
        for path in old:
            if size <= self._keeping.total:
                break
            if path not in gone:
                gone.add(path)
                size -= _size_of(path)
        yield from gone


def compress(path: Path) -> None:
    """Make ``path.gz`` of a file. A kill leaves the file, or both with the same lines; the next time mends that."""
    target = path.with_name(f"{path.name}.gz")
    if not target.exists():
        partial = path.with_name(f"{path.name}.{os.getpid()}{PARTIAL}")
        try:
            with path.open("rb") as lines, gzip.open(partial, "wb", compresslevel=6) as packed:
                shutil.copyfileobj(lines, packed, 1 << 20)
            stat = path.stat()
            os.utime(partial, (stat.st_atime, stat.st_mtime))
            os.rename(partial, target)
        except FileNotFoundError:  # another process was faster
            return
        finally:
            partial.unlink(missing_ok=True)
    path.unlink(missing_ok=True)


def _family(path: Path) -> tuple[Path, str, str]:
    found = _ROTATED.fullmatch(path.name) or _DATED.fullmatch(path.name)
    assert found is not None
    return path.parent, found["base"], found["suffix"]


def _age_of(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
