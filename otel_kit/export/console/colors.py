"""Colours of a terminal, or none."""

from __future__ import annotations

import os
from typing import IO, NamedTuple


class Colors(NamedTuple):
    """The escape sequences in use; all empty where nothing is coloured."""

    reset: str = ""
    dim: str = ""
    bold: str = ""
    key: str = ""
    name: str = ""
    levels: tuple[tuple[int, str], ...] = ()

    def level(self, number: int) -> str:
        """The colour of an OTel severity number."""
        return next((color for least, color in self.levels if number >= least), "")

    @property
    def error(self) -> str:
        """The colour of what went wrong."""
        return self.level(17)


PLAIN = Colors()
COLORED = Colors(
    reset="\x1b[0m",
    dim="\x1b[2m",
    bold="\x1b[1m",
    key="\x1b[36m",
    name="\x1b[34m",
    levels=(
        (21, "\x1b[1;97;41m"),
        (17, "\x1b[1;31m"),
        (13, "\x1b[1;33m"),
        (9, "\x1b[32m"),
        (5, "\x1b[34m"),
        (0, "\x1b[2m"),
    ),
)


def colors_for(stream: IO[str]) -> Colors:
    """Colours if the stream is a terminal; ``NO_COLOR`` and ``FORCE_COLOR`` decide where they are set."""
    if os.environ.get("NO_COLOR"):
        return PLAIN
    if os.environ.get("FORCE_COLOR"):
        return COLORED
    return COLORED if is_terminal(stream) and os.environ.get("TERM") != "dumb" else PLAIN


def is_terminal(stream: object) -> bool:
    """Whether a stream is a terminal; a closed or strange one is not."""
    try:
        return bool(stream.isatty())  # type: ignore[attr-defined]
    except Exception:
        return False
