"""Which files the arguments of ``otel-kit logs`` stand for, and in which order their lines were written."""

from __future__ import annotations

import gzip
import os
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from otel_kit.cli.logs.record import stamp_of

# What was rotated away from app.jsonl: by otel_kit, and by logrotate with and without dateext.
_OURS = r"{stem}\.\d{{8}}-\d{{6}}-\d{{4,}}{suffix}(\.gz)?"
_LOGROTATE = r"{stem}{suffix}(\.\d+|-\d{{8}}(-\d+)?)(\.gz)?"
_LINES = re.compile(r".+\.jsonl([.-][\d-]+)?(\.gz)?")
_ROTATED = re.compile(r".+\.\d{8}-\d{6}-\d{4,}\.\w+(\.gz)?|.+\.jsonl[.-][\d-]+(\.gz)?|.+\.gz")
_FIRST = 4096
BROKEN_GZIP = (OSError, EOFError, zlib.error)


class Source(NamedTuple):
    """A file to be read.

    Attributes:
        path: where it was found.
        file: a descriptor, so that a rotation changes nothing about what is read; None for a compressed file.
        size: how many bytes of it are read.
        first: the time of its first line, as text that sorts.
    """

    path: Path
    file: int | None
    size: int
    first: bytes

    @property
    def is_packed(self) -> bool:
        """Whether it is compressed."""
        return self.file is None

    @property
    def looks_plain(self) -> bool:
        """Whether its beginning is no JSON."""
        return bool(self.size) and not beginning(self.path, self.file).startswith(b"{")


def live_files(arguments: Iterable[str]) -> list[Path]:
    """Of the files that are named, those that may still be written."""
    return [path for path in named_files(arguments) if not _ROTATED.fullmatch(path.name)]


def named_files(arguments: Iterable[str]) -> list[Path]:
    """The files that are named, and of a directory its JSON lines."""
    found: dict[Path, None] = {}
    for argument in arguments:
        path = Path(argument)
        found.update(dict.fromkeys(_of_directory(path) if path.is_dir() else [path]))
    return list(found)


def _of_directory(directory: Path) -> list[Path]:
    # Not rglob, which raises up to 3.12 where a folder is deleted meanwhile.
    found = (Path(folder, name) for folder, _, names in os.walk(directory) for name in names)
    every = sorted(path for path in found if _LINES.fullmatch(path.name))
    return [path for path in every if path.parent == directory and path.name.startswith("app.")] or every


def rotated_from(path: Path) -> list[Path]:
    """What was rotated away from a file, by name; of a file and its compressed copy, which has the same lines, one."""
    if path.suffix == ".gz":
        return []
    names = [
        form.format(stem=re.escape(path.stem), suffix=re.escape(path.suffix)) for form in (_OURS, _LOGROTATE)
    ]
    pattern = re.compile("|".join(names))
    try:
        found = {each for each in os.listdir(path.parent) if pattern.fullmatch(each)}
    except OSError:
        return []
    return [
        path.with_name(each)
        for each in sorted(found)
        if each.removesuffix(".gz") == each or each[:-3] not in found
    ]


def sources(arguments: Iterable[str]) -> list[Source]:
    """All files, opened, those whose lines began first first.

    Raises:
        OSError: a file that was named cannot be read.
    """
    found: dict[tuple[int, int], Source] = {}
    for path in named_files(arguments):
        # The live one first: what is rotated away from here on is known by its inode.
        for each in (path, *rotated_from(path)):
            if (opened := _opened(each, must=each == path)) is not None:
                stat = os.fstat(opened.file) if opened.file is not None else each.stat()
                found.setdefault((stat.st_dev, stat.st_ino), opened)
    return sorted(_once(found.values()), key=lambda source: (source.first, source.path.name))


def _once(found: Iterable[Source]) -> Iterator[Source]:
    """Without the compressed copy of a file that is there too."""
    opened = list(found)
    names = {source.path for source in opened}
    for source in opened:
        if not (source.is_packed and source.path.with_suffix("") in names):
            yield source


def _opened(path: Path, *, must: bool) -> Source | None:
    try:
        if path.suffix == ".gz":
            return Source(path, None, path.stat().st_size, stamp_of(beginning(path, None)))
        file = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
        return Source(path, file, os.fstat(file).st_size, stamp_of(beginning(path, file)))
    except FileNotFoundError:
        packed = path.with_name(f"{path.name}.gz")  # compressed since it was listed
        if packed.exists():
            return _opened(packed, must=must)
        if must:
            raise
        return None


def beginning(path: Path, file: int | None) -> bytes:
    """The first bytes of a file."""
    if file is not None:
        return read_at(file, _FIRST, 0)
    try:
        with gzip.open(path, "rb") as lines:
            return lines.read(_FIRST)
    except BROKEN_GZIP:
        return b""


def read_at(file: int, size: int, offset: int) -> bytes:
    """Bytes of a file from an offset on; where the system has no ``pread``, as Windows, one process reads alone."""
    if hasattr(os, "pread"):
        return os.pread(file, size, offset)
    os.lseek(file, offset, os.SEEK_SET)
    return os.read(file, size)


def close(found: Iterable[Source]) -> None:
    """Close the files."""
    for source in found:
        if source.file is not None:
            os.close(source.file)
