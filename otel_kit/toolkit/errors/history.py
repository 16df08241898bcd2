"""Which errors were seen before, and in which versions: in memory, and in a file where a state directory is given.

The file has a line for each error and version, written with one append. Several processes share it: before an error counts
as new, what others have written since is read. Two processes that meet the same error for the first time in the same
millisecond may both call it new.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from typing import Any, NamedTuple

from otel_kit import _guard

MOST = 2_000  # errors; past it the one that was seen longest ago is forgotten
MOST_VERSIONS = 20  # of one error
LONGEST_READ = 1 << 20
_LINES = 2 * MOST  # of the file; past it the file is written anew with the errors that are known


class First(NamedTuple):
    """When an error was seen first: seconds since the epoch, and the version."""

    time: float
    version: str


class Known:
    """One error that was seen before."""

    __slots__ = ("first", "last", "versions")

    def __init__(self, first: First) -> None:
        self.first, self.last, self.versions = first, first.time, {first.version}


class History:
    """What was seen.

    Args:
        path: of the file; None for memory alone.
    """

    def __init__(self, path: str | None = None) -> None:
        self._path: Any = path
        self._told = False
        self._known: dict[str, Known] = {}
        self._read = self._lines = 0
        self._file: tuple[int, int] | None = None  # device and inode: another process may have replaced it

    def see(self, fingerprint: str, version: str, now: float) -> First | None:
        """Take note of an error.

        Args:
            fingerprint: which one.
            version: of the program.
            now: seconds since the epoch.

        Returns:
            Where that is news, when it was seen first: now, or before in another version; else None.
        """
        known = self._known.get(fingerprint)
        if known is not None and version in known.versions:
            known.last = now
            return None
        self._safely(self._catch_up)
        known = self._known.get(fingerprint)
        if known is not None and version in known.versions:
            return None
        self._note(fingerprint, version, now)
        self._safely(self._write, f"{fingerprint}\t{now:.3f}\t{version}\n")
        return self._known[fingerprint].first

    def _note(self, fingerprint: str, version: str, at: float) -> None:
        known = self._known.get(fingerprint)
        if known is None:
            self._make_room()
            known = self._known[fingerprint] = Known(First(at, version))
        if len(known.versions) >= MOST_VERSIONS:
            known.versions = {known.first.version}
        known.versions.add(version)
        known.last = max(known.last, at)

    def _make_room(self) -> None:
        if len(self._known) >= MOST:  # a tenth at once, or each new one would look at all
            by_age = sorted(self._known, key=lambda fingerprint: self._known[fingerprint].last)
            for fingerprint in by_age[: MOST // 10]:
                del self._known[fingerprint]

    # -- the file

    def _safely(self, step: Callable[..., None], *arguments: str) -> None:
        """Where the disk is full, or not ours, memory has to do."""
        if self._path is not None:
            try:
                step(*arguments)
            except OSError as error:
                self._tell(error)
                _guard.contained("errors.history", error)

    def _tell(self, error: OSError) -> None:
        """Say once why a restart will have forgotten what was seen."""
        if not self._told:
            self._told = True
            place, reason = os.path.dirname(self._path), error.strerror or type(error).__name__
            _guard.say(
                f"the state directory {place} cannot be written: {reason}; which errors were seen is remembered "
                "until the program ends"
            )

    def _catch_up(self) -> None:
        try:
            found = os.stat(self._path)
        except FileNotFoundError:
            return
        if (found.st_dev, found.st_ino) != self._file or found.st_size < self._read:
            self._file, self._lines = (found.st_dev, found.st_ino), 0
            self._read = max(0, found.st_size - LONGEST_READ)
        if found.st_size > self._read:
            with open(self._path, "rb") as file:
                file.seek(self._read)
                data = file.read(LONGEST_READ)
            whole = data.rpartition(b"\n")[0]  # the end of the last line may not be written yet
            self._read += len(whole) + bool(whole)
            for line in whole.decode("utf-8", "replace").splitlines():
                if line:
                    self._take(line)

    def _take(self, line: str) -> None:
        self._lines += 1
        fingerprint, _, rest = line.partition("\t")
        at, _, version = rest.partition("\t")
        with contextlib.suppress(ValueError):  # half of a line, or somebody else's
            self._note(fingerprint[:64], version[:200], float(at))

    def _write(self, line: str) -> None:
        if self._lines > _LINES:
            self._rewrite()
        os.makedirs(os.path.dirname(self._path), exist_ok=True)
        # The line break before it: what stands there may be half of a line, of a process that was killed.
        _append(self._path, os.O_APPEND, f"\n{line}")

    def _rewrite(self) -> None:
        lines = [
            f"{fingerprint}\t{known.first.time:.3f}\t{version}\n"
            for fingerprint, known in sorted(self._known.items(), key=lambda item: item[1].last)[-MOST // 2 :]
            for version in sorted(known.versions, key=lambda version: version != known.first.version)
        ]
        temporary = f"{self._path}.{os.getpid()}"
        _append(temporary, os.O_TRUNC, "".join(lines))
        os.replace(temporary, self._path)
        self._lines = len(lines)


def _append(path: str, how: int, text: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_CREAT | how, 0o600)
    try:
        os.write(file, text.encode("utf-8", "replace"))
    finally:
        os.close(file)
