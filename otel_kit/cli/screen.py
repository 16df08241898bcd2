"""A page that is drawn again and again on a terminal, until ``q`` or Ctrl-C; nothing flickers, and nothing wraps."""

from __future__ import annotations

import os
import re
import select
import shutil
import signal
import sys
import unicodedata
from collections.abc import Sequence
from importlib import import_module
from types import TracebackType
from typing import Any, Self

_HOME, _TO_END_OF_LINE, _TO_END = "\x1b[H", "\x1b[K", "\x1b[J"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_COLOR = re.compile(r"(\x1b\[[\d;]*m)")
_RESET = "\x1b[0m"


class Screen:
    """The terminal, from the beginning of a block to its end, however that comes."""

    def __init__(self) -> None:
        self._keys: int | None = None
        self._mode: Any = None
        self._handler: Any = None

    def __enter__(self) -> Self:
        self._handler = signal.signal(signal.SIGTERM, _leave)
        self._listen()
        sys.stdout.write(f"{_HIDE}{_HOME}{_TO_END}")
        return self

    def _listen(self) -> None:
        """Take keys one by one; not from a terminal whose foreground belongs to somebody else: that would stop us."""
        try:
            termios, tty = import_module("termios"), import_module("tty")
            keys = sys.stdin.fileno()
            if os.tcgetpgrp(keys) != os.getpgrp():
                return
            self._mode = termios.tcgetattr(keys)
            tty.setcbreak(keys)
            self._keys = keys
        except (ImportError, OSError, ValueError, AttributeError):  # no terminal to read from: Ctrl-C ends it
            return

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._keys is not None:
            termios = import_module("termios")
            termios.tcsetattr(self._keys, termios.TCSADRAIN, self._mode)
        signal.signal(signal.SIGTERM, self._handler)
        sys.stdout.write(_SHOW)
        sys.stdout.flush()

    def draw(self, lines: Sequence[str]) -> None:
        """Show lines in place of those that are there; what has no room is left out, and said."""
        columns, rows = shutil.get_terminal_size()
        most = max(1, rows - 1)
        if len(lines) > most:
            lines = [*lines[: most - 1], f"… {len(lines) - most + 1} lines more"]
        shown = "".join(f"{clipped(line, columns)}{_TO_END_OF_LINE}\n" for line in lines)
        sys.stdout.write(f"{_HOME}{shown}{_TO_END}")
        sys.stdout.flush()

    def wait(self, seconds: float) -> bool:
        """Wait until the next time; whether somebody has had enough."""
        readable = select.select([] if self._keys is None else [self._keys], [], [], seconds)[0]
        if not readable:
            return False
        pressed = os.read(sys.stdin.fileno(), 64)
        return not pressed or pressed.lower().startswith((b"q", b"\x04"))  # closed, q, Ctrl-D


def _leave(number: int, frame: object) -> None:
    raise SystemExit(128 + number)


def clipped(line: str, columns: int) -> str:
    """The beginning of a line, as much as fits, with its colours, and a sign that there is more."""
    if _width(_COLOR.sub("", line)) <= columns:
        return line
    shown, left = "", columns - 1
    for piece in _COLOR.split(line):
        if _COLOR.fullmatch(piece):
            shown += piece
            continue
        for character in piece:
            left -= _width(character)
            if left < 0:
                return f"{shown}…{_RESET if _COLOR.search(line) else ''}"
            shown += character
    return shown


def _width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text
    )
