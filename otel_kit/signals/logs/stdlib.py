"""The bridge from ``logging``: each stdlib record becomes one OTel record, whatever the program configures.

``logging.Logger.callHandlers`` is where every record passes once, before any handler: a handler of ours on the root logger
would miss loggers with ``propagate=False``, and would be removed by ``dictConfig`` and ``basicConfig(force=True)``.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from otel_kit import semconv
from otel_kit.signals.logs import access, levels, queued, record, stdlib_levels
from otel_kit.signals.logs.caller import module
from otel_kit.signals.logs.message import exception_of, misfit, said
from otel_kit.signals.logs.program_handlers import survey
from otel_kit.signals.logs.values import text

CallHandlers = Callable[[logging.Logger, logging.LogRecord], None]

# Ours and the SDK's own words never become telemetry: an error while exporting would feed itself.
_NEVER = ("opentelemetry", "otel_kit")
# What a transport says while it carries our export is about our export.
_TRANSPORT = frozenset(
    {
        "urllib3",
        "requests",
        "grpc",
        "http",
        "httpx",
        "httpcore",
        "asyncio",
        "charset_normalizer",
        "concurrent",
    }
)
_LAST_OWN_FIELD = list(vars(logging.makeLogRecord({})))[-1]
_OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
# uvicorn's copy of the message with colours; structlog's wrap_for_formatter.
_NOT_EXTRA = _OWN_FIELDS | {"color_message", "_logger", "_name"}
_METHOD = "callHandlers"
# Calls between the program and _qualified: fewest by Logger.info, more by logging.info or with a stacklevel.
_NEAREST, _FURTHEST = 9, 18
MOST_FUNCTIONS = 10_000
_functions: dict[tuple[str, int, str], str] = {}
_STANDARD_NAMES = frozenset({name.upper() for name in levels.NAMES} | {"NOTSET"})


class _Hook:
    """Whether our function is in place, whether it is wanted, and what it stands before."""

    present = False
    on = False
    original: CallHandlers = logging.Logger.callHandlers


class _Quiet(threading.local):
    """The logger whose next record in this thread is known already, and must not be taken a second time."""

    name: str | None = None


quiet = _Quiet()


def install() -> None:
    """See every stdlib record from now on. Once is enough."""
    if not _Hook.present:
        _Hook.original, _Hook.present = logging.Logger.callHandlers, True
        setattr(logging.Logger, _METHOD, _call_handlers)
    queued.install(_is_wanted)
    _Hook.on = True
    stdlib_levels.lower(levels.current())
    levels.follow(stdlib_levels.follow)


def remove() -> None:
    """Undo :func:`install`. Where somebody has wrapped our function since, it stays and passes everything on."""
    _Hook.on = False
    levels.follow(None)
    queued.remove()
    stdlib_levels.restore()
    if logging.Logger.callHandlers is _call_handlers:
        setattr(logging.Logger, _METHOD, _Hook.original)
        _Hook.present = False


@contextmanager
def known_already(name: str | None) -> Iterator[None]:
    """For the time of a block, one stdlib record of that logger is only passed to the program's handlers."""
    before, quiet.name = quiet.name, name
    try:
        yield
    finally:
        quiet.name = before


def _call_handlers(logger: logging.Logger, made: logging.LogRecord) -> None:
    verdict = [True]
    if _Hook.on:
        record.guarded("logs.stdlib", _take, logger, made, verdict, later=True)
    if verdict[0]:
        _Hook.original(logger, made)


def _take(logger: logging.Logger, made: logging.LogRecord, verdict: list[bool]) -> None:
    """Make a record of it, and say whether the program's handlers are to see it."""
    wanted = verdict[0] = made.levelno >= stdlib_levels.program_level(logger)
    name = made.name or logger.name
    if _is_ours(made) and _is_about_telemetry(name):
        verdict[0] = False
        return
    if not record.state.active or _is_about_telemetry(name):
        return
    shown = False
    if record.state.console:
        found, prints = survey(logger, made.levelno)
        # Without any handler the standard library prints warnings itself: our console does that then.
        verdict[0], shown = wanted and found, wanted and prints
    if quiet.name == name:
        quiet.name = None
    elif access.is_told(name, made, shown) or queued.was_taken(made):
        return
    elif made.levelno >= levels.threshold(name):
        _emit(name, made, shown)


def _is_wanted(made: logging.LogRecord) -> bool:
    name = made.name
    return record.state.active and not _is_about_telemetry(name) and made.levelno >= levels.threshold(name)


def _is_ours(made: logging.LogRecord) -> bool:
    """Whether a thread of ours says it: a program that wants to see everything does not mean our export."""
    return (made.threadName or "").startswith("otel_kit ")


def _is_about_telemetry(name: str) -> bool:
    family = name.partition(".")[0]
    if family in _NEVER:
        return True
    return family in _TRANSPORT and bool(get_value(_SUPPRESS_INSTRUMENTATION_KEY))


def _emit(name: str, made: logging.LogRecord, shown: bool) -> None:
    body, attributes = _said(made)
    _add_extra_fields(attributes, vars(made))
    event_name = attributes.pop("event_name", None)
    _add_place(attributes, made)
    exception = exception_of(made.exc_info, sys.exc_info()[1]) if made.exc_info else None
    if exception is None and made.exc_text:
        attributes[semconv.EXCEPTION_STACKTRACE] = made.exc_text
    record.emit(
        name,
        made.levelno,
        body,
        attributes,
        # A float of today's seconds has no nanoseconds to give.
        timestamp=int(made.created * 1e6) * 1000,
        level_name=None if made.levelname in _STANDARD_NAMES else _own_level_name(made),
        event_name=None if event_name is None else text(event_name) or None,
        exception=exception,
        shown=shown,
    )


def _add_extra_fields(attributes: dict[Any, Any], fields: dict[Any, Any]) -> None:
    """What the program added to a record. It stands behind what ``LogRecord`` sets itself, so the search starts there."""
    extra = []
    for key in reversed(fields):
        if key == _LAST_OWN_FIELD:
            break
        if key not in _NOT_EXTRA:
            extra.append(key)
    for key in reversed(extra):
        attributes[key] = fields[key]


def _said(made: logging.LogRecord) -> tuple[str, dict[str, Any]]:
    message, arguments = made.msg, made.args
    if not isinstance(message, str) and not arguments:
        return said(message)
    try:
        # The method, not the fields: a program may have a record class with a style of formatting of its own.
        body = made.getMessage()
    except Exception as error:
        return misfit(said(message)[0], arguments, error)
    return body, {semconv.LOG_TEMPLATE: message} if arguments else {}


def _add_place(attributes: dict[str, Any], made: logging.LogRecord) -> None:
    if made.pathname:
        attributes[semconv.CODE_FILE_PATH] = made.pathname
        attributes[semconv.CODE_LINE_NUMBER] = made.lineno
    if made.funcName:
        attributes[semconv.CODE_FUNCTION_NAME] = _function(made)
    if made.stack_info:
        attributes[semconv.CODE_STACKTRACE] = made.stack_info


def _function(made: logging.LogRecord) -> str:
    """The function with its module and class, where the frame that the record was made in is still near."""
    place: Any = (made.funcName, made.lineno, made.pathname)
    try:
        return _functions.get(place) or _found(*place)
    except Exception:  # fields of any type, in a record made by hand
        return text(made.funcName)


def _found(name: str, line: int, path: str) -> str:
    found = _qualified(name, line, path)
    # Source that is no file may be another one under the same name next time.
    if found is not None and len(_functions) < MOST_FUNCTIONS and not path.startswith("<"):
        _functions[name, line, path] = found
    return found or name


def _qualified(name: str, line: int, path: str) -> str | None:
    try:
        frame: FrameType | None = sys._getframe(_NEAREST)
    except ValueError:
        return None
    for _ in range(_FURTHEST - _NEAREST):
        if frame is None:
            break
        code = frame.f_code
        if code.co_name == name and frame.f_lineno == line and code.co_filename == path:
            return f"{module(frame)}.{code.co_qualname}"
        frame = frame.f_back
    return None


def _own_level_name(made: logging.LogRecord) -> str | None:
    """The name that a program gave to a level of its own, such as SUCCESS; the standard ones have OTel's names."""
    name = made.levelname
    return None if name.startswith("Level ") else name
