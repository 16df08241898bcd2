"""Where lines go: the standard error stream as it is at that moment, one write for each item, and never an error.

A line that cannot be written is lost and nobody is told: the place to tell would be this very stream.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from typing import IO, Literal

from otel_kit.export.console.colors import Colors, colors_for, is_terminal

Style = Literal["auto", "pretty", "json"]
Pretty = Callable[[Colors], str]
Json = Callable[[], str]


class _Lock:
    """One lock for all lines of the process. Reentrant: a signal handler may log while its thread is writing."""

    held = threading.RLock()


class Output:
    """Writes items in a style.

    Args:
        style: ``pretty``, ``json``, or ``auto``: pretty on a terminal, else json.
        stream: where to; by default ``sys.stderr`` as it is at each write.
    """

    def __init__(self, style: Style = "auto", stream: IO[str] | None = None) -> None:
        self._style = style
        self._stream = stream

    def write(self, pretty: Pretty, json: Json) -> None:
        """Write one item: the text that the function for the style in use gives, and a line break."""
        stream = self._stream or _standard_error()
        if stream is None:
            return
        if self._style == "pretty" or (self._style == "auto" and is_terminal(stream)):
            _put(stream, pretty(colors_for(stream)), "backslashreplace")
        else:
            _put(stream, json(), "json")


def _standard_error() -> IO[str] | None:
    """The program's, but not one that makes a log record of each line, as Celery's and Airflow's do: it would come back."""
    stream = sys.stderr
    return sys.__stderr__ if hasattr(stream, "logger") else stream


def _put(stream: IO[str], text: str, otherwise: str) -> None:
    with _Lock.held:
        try:
            try:
                stream.write(f"{text}\n")
            except UnicodeEncodeError:
                stream.write(f"{_encodable(text, stream, otherwise)}\n")
            stream.flush()
        except Exception:
            # Closed, full, broken, or no stream at all.
            return


def _encodable(text: str, stream: IO[str], otherwise: str) -> str:
    if otherwise == "json":
        return "".join(c if c.isascii() else _json_escape(c) for c in text)
    encoding = getattr(stream, "encoding", None) or "ascii"
    return text.encode(encoding, otherwise).decode(encoding)


def _json_escape(character: str) -> str:
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))


def _after_fork() -> None:
    _Lock.held = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
