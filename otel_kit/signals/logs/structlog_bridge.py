"""The bridge from a structlog that the program configures itself: each event becomes one record, typed.

Every structlog logger, however it was made, bound or cached, sends its events through
``BoundLoggerBase._proxy_to_logger``. There a processor of ours is put into the logger's own list of processors, in place and
right before the renderer: behind the program's filters and enrichers, and before the event becomes text. So

- a ``DropEvent`` of the program's processors drops our record too; one raised by the renderer or later comes too late;
- where the event ends in ``logging``, the stdlib record behind it is told apart by logger and thread, and not taken again;
- ``structlog.testing.capture_logs`` works as ever, and what it captures is not emitted.

structlog is not imported here: a program that does not use it does not pay for it.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from typing import Any

from otel_kit import semconv
from otel_kit._imports import when_imported
from otel_kit.signals.logs import levels, record, stdlib, stdlib_levels
from otel_kit.signals.logs.caller import caller, code_attributes, module, stack
from otel_kit.signals.logs.message import exception_of, formatted, said
from otel_kit.signals.logs.program_handlers import is_terminal_stream, survey
from otel_kit.signals.logs.values import text, true

# Method names of structlog's loggers and of those that it can wrap; an unknown one is INFO.
_METHODS = {**levels.NAMES, "exception": levels.ERROR, "err": levels.ERROR, "failure": levels.CRITICAL}
_RENDERERS = frozenset(
    {
        "JSONRenderer",
        "KeyValueRenderer",
        "LogfmtRenderer",
        "ConsoleRenderer",
        "EventAdapter",
        "wrap_for_formatter",
        "render_to_log_kwargs",
        "render_to_log_args_and_kwargs",
    }
)
# What structlog's processors add and a record has fields of its own for.
_GENERATED = frozenset({"level", "level_number", "log_level", "logger", "timestamp"})
_CONSUMED = frozenset(
    {"exc_info", "stack_info", "stack", "exception", "positional_args", "event_name", "stacklevel"}
)


class _Hook:
    """Whether our method is in place, whether it is wanted, and what it stands before."""

    registered = False
    on = False
    base: type[Any] | None = None
    original: Callable[..., Any]


class _Event:
    """One call of a structlog log method: what the program gave, and whether its record has been made."""

    __slots__ = ("bound", "exception", "given", "taken")

    def __init__(self, bound: Any, method: str, given: Mapping[str, Any]) -> None:
        self.bound = bound
        self.given = {**bound._context, **given}
        current = sys.exc_info()[1]
        self.exception = exception_of(self.given.get("exc_info", method == "exception"), current)
        self.taken = False


class _Current(threading.local):
    event: _Event | None = None


_current = _Current()
# Reentrant: a signal handler may log while its thread is in here.
_lock = threading.RLock()


class Tap:
    """The processor that makes the record. ``body_key`` is where an ``EventRenamer`` before it has put the event."""

    def __init__(self, body_key: str = "event") -> None:
        self.body_key = body_key

    def __call__(
        self, logger: Any, method: str, event_dict: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        event = _current.event
        if event is not None and not event.taken and isinstance(event_dict, Mapping):
            record.guarded("logs.structlog", _take, event, logger, method, event_dict, self.body_key)
        return event_dict


def install() -> None:
    """See every structlog event from now on, also when structlog is imported later. Once is enough."""
    _Hook.on = True
    if not _Hook.registered:
        _Hook.registered = True
        when_imported("structlog", _patch)
    elif "structlog" in sys.modules:
        _patch()


def remove() -> None:
    """Undo :func:`install`: the method is put back; taps that remain in the program's lists do nothing."""
    _Hook.on = False
    if _Hook.base is not None and _Hook.base._proxy_to_logger is _proxy_to_logger:
        _Hook.base._proxy_to_logger = _Hook.original
        _Hook.base = None
        _untap(sys.modules["structlog"].get_config()["processors"])


def _patch() -> None:
    if _Hook.on and _Hook.base is None:
        _Hook.base = sys.modules["structlog"].BoundLoggerBase
        _Hook.original = _Hook.base._proxy_to_logger
        _Hook.base._proxy_to_logger = _proxy_to_logger


def _proxy_to_logger(bound: Any, method: str, /, *args: Any, **given: Any) -> Any:
    if not (_Hook.on and record.state.active):
        return _Hook.original(bound, method, *args, **given)
    before, quiet_before = _current.event, stdlib.quiet.name
    _current.event = None
    record.guarded("logs.structlog", _enter, bound, method, given, before)
    try:
        return _Hook.original(bound, method, *args, **given)
    finally:
        _current.event, stdlib.quiet.name = before, quiet_before


def _enter(bound: Any, method: str, given: Mapping[str, Any], outer: _Event | None) -> None:
    _tap(bound)
    event = _Event(bound, method, given)
    # A structlog logger that wraps another: the inner one's event is the outer one's.
    if outer is not None and outer.taken and hasattr(outer.bound._logger, "_context"):
        event.taken = True
    _current.event = event


def _tap(bound: Any) -> None:
    """Put a tap into the list that a bound logger runs its events through. In place, for loggers share and keep that list."""
    if any(type(each) is Tap for each in bound._processors):
        return
    with _lock:
        if not isinstance(bound._processors, list):
            bound._processors = list(bound._processors)
        processors = bound._processors
        if any(type(each) is Tap for each in processors) or _is_capturing(processors):
            return
        names = [_name_of(each) for each in processors]
        index = next((i for i, name in enumerate(names) if name in _RENDERERS), max(len(names) - 1, 0))
        renamers = [each for each in processors[:index] if type(each).__name__ == "EventRenamer"]
        processors.insert(index, Tap(renamers[-1].to if renamers else "event"))


def _is_capturing(processors: list[Any]) -> bool:
    return bool(processors) and type(processors[-1]).__name__ == "LogCapture"


def _untap(processors: Iterable[Any]) -> None:
    if isinstance(processors, list):
        processors[:] = [each for each in processors if type(each) is not Tap]


def _name_of(processor: Any) -> str:
    return getattr(processor, "__name__", None) or type(processor).__name__


def _take(event: _Event, logger: Any, method: str, event_dict: Mapping[str, Any], body_key: str) -> None:
    level = _METHODS.get(method, levels.INFO)
    shown = _prints(logger, level)
    if shown is None:
        return
    event.taken = True
    frame = caller(_calling_frame())
    name = _logger_name(logger, event_dict, module(frame))
    if isinstance(logger, logging.Logger | logging.LoggerAdapter):
        stdlib.quiet.name = logger.name
    if level < levels.threshold(name):
        return
    body, attributes = _said(event, event_dict, body_key)
    attributes.update(code_attributes(frame))
    if true(event.given.get("stack_info")):
        attributes[semconv.CODE_STACKTRACE] = event_dict.get("stack") or stack(frame)
    event_name = event_dict.get("event_name")
    record.emit(
        name,
        level,
        body,
        attributes,
        event_name=None if event_name is None else text(event_name) or None,
        exception=event.exception or exception_of(event_dict.get("exc_info"), sys.exc_info()[1]),
        shown=shown,
    )


def _prints(logger: Any, level: int) -> bool | None:
    """Whether the program will print the event to the terminal; None if its ``logging`` will not even make a record."""
    if isinstance(logger, logging.LoggerAdapter):
        logger = logger.logger
    if not isinstance(logger, logging.Logger):
        return is_terminal_stream(getattr(logger, "_file", None))
    if not logger.isEnabledFor(level):
        return None
    return level >= stdlib_levels.program_level(logger) and survey(logger, level)[1]


def _calling_frame() -> Any:
    # structlog's async methods log from a thread of a pool and leave the frame that called them here.
    variables = sys.modules.get("structlog.contextvars")
    calling = getattr(variables, "_ASYNC_CALLING_STACK", None)
    frame = None if calling is None else calling.get(None)
    return frame or sys._getframe(1)


def _logger_name(logger: Any, event_dict: Mapping[str, Any], calling_module: str) -> str:
    if isinstance(logger, logging.Logger | logging.LoggerAdapter):
        return logger.name
    bound = event_dict.get("logger")
    return bound if isinstance(bound, str) and bound else calling_module


def _said(event: _Event, event_dict: Mapping[str, Any], body_key: str) -> tuple[str, dict[str, Any]]:
    attributes = {
        key: value
        for key, value in event_dict.items()
        if key not in _CONSUMED and (key not in _GENERATED or key in event.given)
    }
    message = attributes.pop(body_key, None)
    arguments = event_dict.get("positional_args")
    body, more = (
        formatted(text(message), arguments) if arguments else said("" if message is None else message)
    )
    if "exception" in event_dict and event.exception is None:
        more["exception"] = event_dict["exception"]
    return body, {**more, **attributes}


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
