"""``block``: a span for a stretch of code, and a record of each change of the variables that it watches."""

from __future__ import annotations

import sys
from collections.abc import Collection
from types import FrameType, TracebackType
from typing import Any

from opentelemetry.trace import INVALID_SPAN, Span

from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.signals import get_tracer
from otel_kit.signals.logs.caller import module
from otel_kit.signals.logs.levels import gate
from otel_kit.toolkit.code.records import contained
from otel_kit.toolkit.code.watch import Watch, check_names

_code = part("code")
_OFF: tuple[Any, None] = (None, None)


class block:
    """A span for a ``with`` block, which gives the OpenTelemetry span.

    Each change of a watched variable of the function around becomes an INFO record ``width: 640 → 320`` with the line
    that changed it. A change is another value under that name; what happens inside a list or an object is none.

    Args:
        name: the span's name.
        watch: names of local variables, which need not be set yet.
        attributes: the span's attributes, under the names as they are written here.

    Raises:
        ArgumentError: a name is no text, or there is no such variable.
    """

    __slots__ = ("_attributes", "_name", "_names", "_open")

    def __init__(self, name: str, /, *, watch: Collection[str] = (), **attributes: Any) -> None:
        if (type(name) is not str and not isinstance(name, str)) or not name:
            raise ArgumentError("block(name)", name, "a text")
        self._name = name
        self._attributes = attributes
        self._names = _names(watch) if watch else ()
        # The same block may be entered inside of itself.
        self._open: list[tuple[Any, Watch | None]] | None = None

    def __enter__(self) -> Span:
        if not _code.on:
            if self._open:
                self._open.append(_OFF)
            return INVALID_SPAN
        frame = _users(sys._getframe(1))
        check_names(frame, self._names)
        scope = module(frame)
        manager = get_tracer(scope).start_as_current_span(self._name, attributes=self._attributes)
        span = manager.__enter__()
        watch = None
        try:
            if self._names:
                watch = Watch(frame, self._names, gate(scope))
        except Exception as error:
            contained(error)
        if self._open is None:
            self._open = []
        self._open.append((manager, watch))
        return span

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if not self._open:
            return
        manager, watch = self._open.pop()
        if manager is None:
            return
        if watch is not None:
            try:
                watch.stop()
            except Exception as error:
                contained(error)
        manager.__exit__(exc_type, exc, tb)


def _names(watch: Any) -> tuple[str, ...]:
    names = (watch,) if isinstance(watch, str) else tuple(watch)
    for name in names:
        if not isinstance(name, str):
            raise ArgumentError("block(watch)", watch, "names of variables")
    return names


def _users(frame: FrameType) -> FrameType:
    """The frame with the block, also where an ExitStack enters it."""
    while frame.f_back is not None and module(frame) == "contextlib":
        frame = frame.f_back
    return frame
