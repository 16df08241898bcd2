"""On request: Python warnings, and exceptions that nobody caught in the main thread, in threads and in asyncio, as records.

What was in place before is still called: a traceback that the interpreter prints is still printed.
"""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any

from otel_kit import semconv
from otel_kit._imports import when_imported
from otel_kit.signals.logs import levels, record
from otel_kit.signals.logs.message import said
from otel_kit.signals.logs.program_handlers import survey
from otel_kit.signals.logs.stdlib import known_already
from otel_kit.signals.logs.values import text


class _Hooks:
    """What is wanted, and what stood there before us; None where we are not in place."""

    warnings = False
    uncaught = False
    asyncio_registered = False
    showwarning: Callable[..., Any] | None = None
    excepthook: Callable[..., Any] | None = None
    threads: Callable[..., Any] | None = None
    loops: Callable[..., Any] | None = None


def capture_warnings(on: bool) -> None:
    """Make a record of each Python warning that is shown, or stop doing so."""
    _Hooks.warnings = on
    if on and _Hooks.showwarning is None:
        _Hooks.showwarning, warnings.showwarning = warnings.showwarning, _showwarning
    elif not on and warnings.showwarning is _showwarning and _Hooks.showwarning is not None:
        warnings.showwarning, _Hooks.showwarning = _Hooks.showwarning, None


def capture_uncaught(on: bool) -> None:
    """Make a record of each exception that nobody caught, or stop doing so."""
    _Hooks.uncaught = on
    if on:
        _place()
    else:
        _displace()


def _place() -> None:
    if _Hooks.excepthook is None:
        _Hooks.excepthook, sys.excepthook = sys.excepthook, _excepthook
    if _Hooks.threads is None:
        _Hooks.threads, threading.excepthook = threading.excepthook, _thread_excepthook
    if not _Hooks.asyncio_registered:
        _Hooks.asyncio_registered = True
        when_imported("asyncio.base_events", _patch_asyncio)
    elif "asyncio.base_events" in sys.modules:
        _patch_asyncio()


def _displace() -> None:
    """Put back what was there, except where somebody has put a hook before ours: then ours stays and only passes on."""
    if _Hooks.excepthook is not None and sys.excepthook is _excepthook:
        sys.excepthook, _Hooks.excepthook = _Hooks.excepthook, None
    if _Hooks.threads is not None and threading.excepthook is _thread_excepthook:
        threading.excepthook, _Hooks.threads = _Hooks.threads, None
    base_events = sys.modules.get("asyncio.base_events")
    if base_events is not None and _Hooks.loops is not None:
        loop = base_events.BaseEventLoop
        if loop.call_exception_handler is _call_exception_handler:
            loop.call_exception_handler, _Hooks.loops = _Hooks.loops, None


def _patch_asyncio() -> None:
    if _Hooks.uncaught and _Hooks.loops is None:
        loop = sys.modules["asyncio.base_events"].BaseEventLoop
        _Hooks.loops, loop.call_exception_handler = loop.call_exception_handler, _call_exception_handler


def _showwarning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: Any = None,
    line: str | None = None,
) -> None:
    before: Callable[..., Any] = _Hooks.showwarning or warnings._showwarning_orig  # type: ignore[attr-defined]
    if file is not None or not (_Hooks.warnings and record.state.active):
        before(message, category, filename, lineno, file, line)
        return
    # Our console shows it instead of the interpreter, unless the program shows warnings in a way of its own.
    ours_to_show = record.state.console and getattr(before, "__module__", None) == "warnings"
    through_logging = getattr(before, "__module__", None) == "logging"
    shown = survey(logging.getLogger("py.warnings"), levels.WARNING)[1] if through_logging else True
    taken = record.guarded(
        "logs.warnings", _emit_warning, message, category, filename, lineno, shown and not ours_to_show
    )
    if not (taken and ours_to_show):
        with known_already("py.warnings"):
            before(message, category, filename, lineno, file, line)


def _emit_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, shown: bool
) -> None:
    attributes = {
        semconv.WARNING_CATEGORY: category.__name__,
        semconv.CODE_FILE_PATH: filename,
        semconv.CODE_LINE_NUMBER: lineno,
    }
    body = text(message)
    record.emit("py.warnings", levels.WARNING, body, attributes, shown=shown)


def _excepthook(kind: type[BaseException], exception: BaseException, traceback: TracebackType | None) -> None:
    # ^C is the user's wish, not an error.
    if _Hooks.uncaught and record.state.active and not issubclass(kind, KeyboardInterrupt):
        record.guarded(
            "logs.uncaught", _emit_uncaught, "sys.excepthook", levels.CRITICAL, exception, "the program", {}
        )
    (_Hooks.excepthook or sys.__excepthook__)(kind, exception, traceback)


def _thread_excepthook(args: Any) -> None:
    wanted = _Hooks.uncaught and record.state.active and args.exc_value is not None
    if wanted and not issubclass(args.exc_type, SystemExit):
        name = "a thread" if args.thread is None else f"thread {args.thread.name}"
        attributes = {} if args.thread is None else {semconv.THREAD_NAME: args.thread.name}
        record.guarded(
            "logs.uncaught",
            _emit_uncaught,
            "threading.excepthook",
            levels.ERROR,
            args.exc_value,
            name,
            attributes,
        )
    (_Hooks.threads or threading.__excepthook__)(args)


def _emit_uncaught(
    name: str, level: int, exception: BaseException, where: str, attributes: dict[str, Any]
) -> None:
    record.emit(
        name,
        level,
        f"uncaught exception in {where}: {type(exception).__name__}: {text(exception)}",
        attributes,
        event_name=semconv.EVENT_EXCEPTION,
        exception=exception,
        shown=True,
    )


def _call_exception_handler(loop: Any, context: dict[str, Any]) -> None:
    before = _Hooks.loops or type(loop).default_exception_handler
    if not (_Hooks.uncaught and record.state.active):
        before(loop, context)
        return
    record.guarded("logs.uncaught", _emit_loop, context)
    # asyncio's default handler logs through logging: that record is this one.
    with known_already("asyncio"):
        before(loop, context)


def _emit_loop(context: dict[str, Any]) -> None:
    exception = context.get("exception")
    record.emit(
        "asyncio",
        levels.ERROR,
        said(context.get("message") or "unhandled exception in event loop")[0],
        {key: context[key] for key in ("task", "future", "handle") if key in context},
        event_name=semconv.EVENT_EXCEPTION if exception is not None else None,
        exception=exception if isinstance(exception, BaseException) else None,
        shown=survey(logging.getLogger("asyncio"), levels.ERROR)[1],
    )
