"""The one place that makes an OpenTelemetry LogRecord; the only file that knows the API's underscored logs module.

It also knows whether records are wanted (``active``), keeps what is said while a record is being made from running in
circles, and keeps every error of ours out of the program.
"""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable
from functools import partial
from time import time_ns
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry._logs import SeverityNumber, get_logger
from opentelemetry.context import Context, create_key, get_value, set_value

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.context.debugging import locals_of
from otel_kit.context.described import description_of
from otel_kit.context.reported import said_by_program
from otel_kit.signals.logs.levels import severity
from otel_kit.signals.logs.values import plain_attributes, text

_runtime = otel_context._RUNTIME_CONTEXT
SHOWN_KEY = create_key("otel_kit_log_shown")
# Loggers are kept by name up to this many; a program that makes up names pays a little more from then on, not memory.
MAX_SCOPES = 1000
# An event said inside the __str__ of a value is kept, one said inside that is not. What is said while the SDK is at work, by
# a processor or by a signal handler, waits until it has finished; what is said then is not kept, for it would never end.
_NESTED, _CLOSED = 1, 9
MOST_WAITING = 100
_WARNING = 30


class _State:
    """Whether records are made at all, and whether our console shows them."""

    active = False
    console = False


class _Depth(threading.local):
    """How deep this thread is in steps of ours, and what waits for the outermost of them to end."""

    value = 0
    draining = False

    def __init__(self) -> None:
        self.waiting: list[tuple[str, Callable[..., None], tuple[Any, ...]]] = []


state = _State()
_depth = _Depth()
_scopes: dict[str, tuple[Callable[..., None], bool]] = {}
_severities: dict[int, tuple[SeverityNumber, str, str]] = {}
_FIELDS = (
    "timestamp",
    "observed_timestamp",
    "context",
    "severity_number",
    "severity_text",
    "body",
    "attributes",
    "event_name",
    "exception",
)
# Counted under Python's names of the levels.
_COUNTED = {"WARN": "warning", "FATAL": "critical"}


def switch(*, active: bool, console: bool) -> None:
    """Have events made into records or not, and forget loggers of an earlier provider."""
    global _scopes
    _scopes = {}
    state.active, state.console = active, console


def already_shown(context: Context | None) -> bool:
    """Whether the program has printed the event of a record with this context itself."""
    return bool(context) and bool(get_value(SHOWN_KEY, context))


def guarded(where: str, step: Callable[..., None], *arguments: Any, later: bool = False) -> bool:
    """Run a step of ours inside a call of the program: it never raises and never runs in circles.

    Args:
        where: the part that failed, for the count of contained errors.
        step: what to do.
        arguments: the step's.
        later: where the thread is inside the SDK, the step may run after that.

    Returns:
        False if the step was not run now, because this thread is in one already.
    """
    depth = _depth.value
    if depth > _NESTED:
        if later and depth >= _CLOSED and not _depth.draining and len(_depth.waiting) < MOST_WAITING:
            _depth.waiting.append((where, step, arguments))
        return False
    _depth.value = depth + 1
    try:
        step(*arguments)
    except Exception as error:
        _guard.contained(where, error)
    finally:
        _depth.value = depth
        if depth == 0 and _depth.waiting:
            _drain()
    return True


def _drain() -> None:
    _depth.draining = True
    try:
        while _depth.waiting:
            where, step, arguments = _depth.waiting.pop(0)
            guarded(where, step, *arguments)
    finally:
        _depth.draining = False


def emit(
    name: str,
    level: int,
    body: str,
    attributes: dict[str, Any],
    *,
    timestamp: int | None = None,
    level_name: str | None = None,
    event_name: str | None = None,
    exception: BaseException | None = None,
    shown: bool = False,
    counts: bool = True,
) -> None:
    """Make one record and hand it to the OTel logger of that name.

    Args:
        name: the logger's name, the record's instrumentation scope.
        level: as in ``logging``, and 5 for TRACE.
        body: the event's text; line breaks at its end are no part of it.
        attributes: its key-values, of any type.
        timestamp: nanoseconds since the epoch; now, where none is given.
        level_name: the severity text, where the program has a name of its own for the level.
        event_name: the record's OTel event name.
        exception: becomes ``exception.type``, ``.message`` and ``.stacktrace``.
        shown: the program prints this event itself, so our console must not.
        counts: it counts for the work that it was emitted in; what the kit says about that work itself does not.
    """
    number, known_name, counted = _severities.get(level) or _severity(level)
    if counts:
        tally.count(counted)
        if level >= _WARNING and tally.is_counting():
            tally.tell(
                tally.RECORD,
                level=level,
                body=body,
                attributes=attributes,
                exception=exception,
                event_name=event_name,
            )
    now = time_ns()
    take, is_careful = _scopes.get(name) or _scope(name)
    if not is_careful:
        attributes = plain_attributes(attributes)
    context = _runtime.get_current()
    if exception is not None:
        context = said_by_program(context)
        if carried := locals_of(exception):
            attributes = {**carried, **attributes}
        if not _speaks(exception):
            attributes, exception = {**_mute(exception), **attributes}, None
    if body.endswith("\n"):
        body = body.rstrip("\r\n")
    depth, _depth.value = _depth.value, _CLOSED
    try:
        take(
            now if timestamp is None else timestamp,
            now,
            set_value(SHOWN_KEY, True, context) if shown else context,
            number,
            level_name or known_name,
            body,
            attributes,
            event_name,
            exception,
        )
    finally:
        _depth.value = depth


def _severity(level: int) -> tuple[SeverityNumber, str, str]:
    number, name = severity(level)
    found = SeverityNumber(number), name, tally.LOG + _COUNTED.get(name, name.lower())
    if len(_severities) < MAX_SCOPES:
        _severities[level] = found
    return found


def _scope(name: str) -> tuple[Callable[..., None], bool]:
    """How to emit to the OTel logger of that name, and whether it takes any value; the SDK's own takes plain ones only."""
    # The provider has locks, on which a signal handler that logs would wait for ever.
    depth, _depth.value = _depth.value, _CLOSED
    try:
        # The SDK keeps each logger that it was asked for by name alone for ever; with attributes it keeps none.
        logger = get_logger(name) if len(_scopes) < MAX_SCOPES else get_logger(name, attributes={})
    finally:
        _depth.value = depth
    is_careful = not type(logger).__module__.startswith("opentelemetry.")
    found = getattr(logger, "take", None) or partial(_hand, logger.emit), is_careful
    if len(_scopes) < MAX_SCOPES:
        _scopes[name] = found
    return found


def _hand(emit_by: Callable[..., None], *fields: Any) -> None:
    """What :func:`emit` knows, to a logger that is none of ours."""
    emit_by(**dict(zip(_FIELDS, fields, strict=True)))


def _speaks(exception: BaseException) -> bool:
    try:
        return isinstance(str(exception), str)
    except Exception:
        return False


def _mute(exception: BaseException) -> dict[str, Any]:
    """What the SDK would have written about an exception, had its ``__str__`` not raised."""
    kind = type(exception)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return {
        **description_of(exception),
        semconv.EXCEPTION_TYPE: f"{module}{kind.__qualname__}",
        semconv.EXCEPTION_MESSAGE: text(exception),
        semconv.EXCEPTION_STACKTRACE: "".join(traceback.format_exception(exception)),
    }
