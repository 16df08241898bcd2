"""Small files of the surroundings, read so that nothing about them can block, flood or fail the program."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

MOST_FOLDERS = 64


def read_small(path: str, limit: int) -> bytes:
    """The content of a regular file, at most ``limit`` bytes of it.

    Raises:
        OSError: there is no such file, or it cannot be read. A pipe or a device counts as no file: it would block.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise FileNotFoundError(path)
    with open(path, "rb") as stream:
        return stream.read(limit)


def text_of(path: str, limit: int = 4096) -> str:
    """The same as text without surrounding space; empty where there is none."""
    try:
        return read_small(path, limit).decode(errors="replace").strip()
    except (OSError, ValueError):
        return ""


def upwards(folder: str) -> Iterator[str]:
    """The folder and those above it, a bounded number of them."""
    folder = os.path.abspath(folder)
    for _ in range(MOST_FOLDERS):
        yield folder
        folder, below = os.path.dirname(folder), folder
        if folder == below:
            return
