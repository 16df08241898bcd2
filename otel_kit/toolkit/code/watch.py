"""Local variables that are watched: each change becomes a record with name, old, new, file and line."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from otel_kit import semconv
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.levels import INFO, Gate
from otel_kit.toolkit.code import line_events, line_tracing
from otel_kit.toolkit.code.records import say
from otel_kit.toolkit.code.values import SHORT, cut, shown

UNSET = "(unset)"

_PLAIN = (str, bytes, int, float, complex, bool)
_nothing = object()
_watch_lines: Callable[[FrameType, Callable[[int], None]], Callable[[], None] | None] = (
    line_events.watch_lines if sys.version_info >= (3, 12) else line_tracing.watch_lines
)


class Watch:
    """Watches variables of one frame from now on, until :meth:`stop`.

    Args:
        frame: of the program.
        names: of its variables; they need not be set yet.
        gate: what emits.
    """

    def __init__(self, frame: FrameType, names: tuple[str, ...], gate: Gate) -> None:
        self._frame, self._names, self._gate = frame, names, gate
        self._line = frame.f_lineno
        self._values: dict[str, tuple[Any, str]] = {}
        here = frame.f_locals
        for name in names:
            self._values[name] = self._seen(name, here.get(name, _nothing))
        self._stop = _watch_lines(frame, self._look)

    def stop(self) -> None:
        """Tell what the last line did, and watch no longer."""
        if self._stop is not None:
            self._stop()
        self._look(self._line)

    def _look(self, line: int) -> None:
        """The line before this one is done."""
        here = self._frame.f_locals
        for name in self._names:
            old, text = self._values[name]
            new = here.get(name, _nothing)
            if new is not old and not is_same(old, new):
                self._values[name] = seen = self._seen(name, new)
                self._tell(name, text, seen[1])
        self._line = line

    def _seen(self, name: str, value: Any) -> tuple[Any, str]:
        return value, UNSET if value is _nothing else shown(name, value)

    def _tell(self, name: str, old: str, new: str) -> None:
        code = self._frame.f_code
        attributes = {
            semconv.CODE_CHANGED: name,
            semconv.CODE_OLD: old,
            semconv.CODE_NEW: new,
            semconv.CODE_FUNCTION_NAME: f"{self._gate.name}.{code.co_qualname}",
            semconv.CODE_FILE_PATH: code.co_filename,
            semconv.CODE_LINE_NUMBER: self._line,
        }
        body = f"{name}: {cut(old, SHORT)} → {cut(new, SHORT)}"
        say(self._gate, INFO, body, attributes, semconv.EVENT_VARIABLE_CHANGED)


def check_names(frame: FrameType, names: tuple[str, ...]) -> None:
    """Raise where a function has no variable of that name, which is a typing error.

    Raises:
        ArgumentError: it names the variables that there are.
    """
    code = frame.f_code
    if not code.co_flags & inspect.CO_OPTIMIZED:  # of a module or class: any name may come
        return
    known = (*code.co_varnames, *code.co_cellvars, *code.co_freevars)
    for name in names:
        if name not in known:
            raise ArgumentError(
                "block(watch)", name, f"variables of {code.co_name}: {', '.join(known)}", known
            )


def is_same(old: object, new: object) -> bool:
    """Whether a plain value is equal to what was there; of an object only itself is the same."""
    return type(new) is type(old) and type(new) in _PLAIN and new == old
