"""A line at the bottom of the terminal that stays there: what is printed meanwhile appears above it.

The stream's own ``write`` is replaced while there is a line, so that it does not matter who writes or since when he has
held the stream: ``print``, ``logging``, our console. What is written without Python (a child's output) cannot be seen.
"""

from __future__ import annotations

import shutil
import sys
import threading
from typing import IO, Any

CLEAR = "\r\x1b[K"


class Bottom:
    """The line. One for the process: the batch that began last has it."""

    def __init__(self) -> None:
        # Reentrant: a signal's handler may print while its thread is at it.
        self._lock = threading.RLock()
        self._streams: list[tuple[Any, Any]] = []
        self._text = ""
        self._at_start = True
        self._drawing = False
        self.owner: object = None

    def draw(self, owner: object, text: str) -> None:
        """Show a line, in place of what is there."""
        with self._lock:
            if self.owner is not owner:
                return
            self._text = text
            self._put(f"{CLEAR}{text}" if self._at_start else "")

    def take(self, owner: object) -> None:
        """From now on the line is that one's."""
        with self._lock:
            self.owner = owner
            if not self._streams:
                self._listen()

    def give_back(self, owner: object, heir: object = None) -> None:
        """The line goes away, or to whoever had it before."""
        with self._lock:
            if self.owner is not owner:
                return
            self.owner, self._text = heir, ""
            if self._at_start:
                self._put(CLEAR)
            if heir is None:
                self._forget()

    def _listen(self) -> None:
        for stream in (sys.stderr, sys.stdout):
            if is_terminal(stream) and hasattr(stream, "__dict__"):
                self._streams.append((stream, stream.write))
                stream.write = self._above(stream.write)  # type: ignore[method-assign]

    def _forget(self) -> None:
        for stream, _ in self._streams:
            del stream.write
        self._streams.clear()

    def _above(self, write: Any) -> Any:
        def written(text: str) -> Any:
            with self._lock:
                if self._drawing or not text:
                    return write(text)
                if self._at_start and self._text:
                    write(CLEAR)
                count = write(text)
                self._at_start = text.endswith("\n")
                if self._at_start and self._text:
                    write(self._text)
                return count

        return written

    def _put(self, text: str) -> None:
        if not self._streams or not text:
            return
        stream, write = self._streams[0]
        self._drawing = True
        try:
            write(text)
            stream.flush()
        except Exception:  # the terminal is gone; the program is told by what it writes itself
            self._text = ""
        finally:
            self._drawing = False


bottom = Bottom()


def is_terminal(stream: IO[str] | None) -> bool:
    """Whether somebody is looking."""
    try:
        return bool(stream and stream.isatty())
    except Exception:
        return False


def width() -> int:
    """Columns of the terminal, one less: a line that fills it would wrap on some."""
    return max(20, shutil.get_terminal_size().columns - 1)
