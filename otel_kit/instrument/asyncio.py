"""asyncio: a callback or a step of a task that holds the event loop up is one log record, with place and duration.

Measured at ``Handle._run``, which every callback of asyncio's own loops passes: 0.2 µs for each. uvloop has handles of
its own in C, so nothing is seen there. A task is told at the place where it stands after the step, which is the line that it
awaits next: what held the loop up is in that function, above that line.

Imports hold the loop up, too, above all as a server starts: once, and by no fault of a line. What they explain is no warning.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from functools import wraps
from time import monotonic
from types import CodeType, FrameType
from typing import Any

from opentelemetry import _logs as logs_api
from opentelemetry._logs import LogRecord, SeverityNumber

from otel_kit import _guard, semconv
from otel_kit.context.place import is_users
from otel_kit.instrument._loop import Threshold, last
from otel_kit.signals.logs import levels

LOGGER = "otel_kit.asyncio"
LONGEST = 256
DEEPEST = 100  # coroutines that await each other
# Measured: 2 ms for a module of fastapi, sqlalchemy or celery from a warm disk; a cold one takes several times as long.
IMPORT_SECONDS = 0.01
# Other threads import, too: what our own export needs, and the standard library, is not what held the loop up.
_OURS = frozenset(("otel_kit", "opentelemetry", "google", "grpc", "urllib3"))

_lock = threading.Lock()
_run: Callable[..., None] | None = None


def instrument() -> None:
    """Turn it on, for loops that run already, too; nothing happens where it is on already."""
    global _run
    from asyncio.events import Handle

    with _lock:
        if _run is not None:
            return
        _run = original = Handle._run

        @wraps(original)
        def run(handle: Any) -> None:
            modules, begun = len(sys.modules), monotonic()
            original(handle)
            seconds = monotonic() - begun
            if seconds >= Threshold.seconds:
                _tell(handle, begun, seconds, len(sys.modules) - modules)
            # The traceback of a task that failed holds this frame, and through it the task: it would never be told.
            del handle

        setattr(Handle, "_run", run)  # noqa: B010  (mypy knows that methods are not assigned to)


def undo() -> None:
    """Turn it off again."""
    global _run
    from asyncio.events import Handle

    with _lock:
        if _run is not None:
            setattr(Handle, "_run", _run)  # noqa: B010
            _run = None


def _tell(handle: Any, begun: float, seconds: float, new: int) -> None:
    try:
        imported = _of_the_program(list(sys.modules)[-new:]) if new > 0 else 0
        is_explained = seconds - imported * IMPORT_SECONDS < Threshold.seconds
        severity = SeverityNumber.DEBUG if is_explained else SeverityNumber.WARN
        if levels.threshold(LOGGER) <= (levels.DEBUG if is_explained else levels.WARNING):
            # In the callback's own context: the record belongs to the request that held up the others.
            served = last if last.at >= begun else None
            context = handle._context if served is None or served.context is None else served.context
            endpoint = served.endpoint if served is not None else None
            context.run(_emit, handle._callback, endpoint, seconds, imported, severity)
    except Exception as error:
        _guard.contained("instrument.asyncio", error)


def _of_the_program(modules: list[str]) -> int:
    roots = [name.partition(".")[0] for name in modules]
    return sum(root not in _OURS and root not in sys.stdlib_module_names for root in roots)


def _emit(callback: Any, endpoint: Any, seconds: float, imported: int, severity: SeverityNumber) -> None:
    task = _task_of(callback)
    place, name = _place_of(endpoint or (task.get_coro() if task is not None else callback))
    attributes = {semconv.ASYNCIO_DURATION: seconds, **place}
    if task is not None:
        attributes[semconv.ASYNCIO_TASK_NAME] = task.get_name()[:LONGEST]
    body = f"the event loop was held up for {seconds:.3f} s by {name}"
    if imported:
        attributes[semconv.ASYNCIO_IMPORTED_MODULES] = imported
        body += f", while {imported} modules were imported"
    logs_api.get_logger(LOGGER).emit(
        LogRecord(
            severity_number=severity,
            severity_text=severity.name,
            body=body,
            event_name=semconv.EVENT_ASYNCIO_BLOCKED,
            attributes=attributes,
        )
    )


def _task_of(callback: Any) -> Any:
    """The task whose step this is: a bound method of a task written in Python, or C's wrapper of one."""
    owner = getattr(callback, "__self__", None)
    return owner if hasattr(owner, "get_coro") and hasattr(owner, "get_name") else None


def _place_of(work: Any) -> tuple[dict[str, Any], str]:
    """Where a coroutine stands, or where a function begins; and how it is called."""
    frame = _innermost(work)
    if frame is not None:
        return _described(frame.f_code, frame.f_lineno, None)
    while hasattr(work, "func"):  # functools.partial
        work = work.func
    work = getattr(work, "__wrapped__", work)
    code = getattr(work, "cr_code", None) or getattr(work, "gi_code", None) or getattr(work, "__code__", None)
    name = str(getattr(work, "__qualname__", None) or type(work).__qualname__)[:LONGEST]
    if isinstance(code, CodeType):
        module = getattr(work, "__module__", None)
        return _described(code, code.co_firstlineno, f"{module}.{name}" if module else None)
    return {semconv.CODE_FUNCTION_NAME: name}, name


def _innermost(work: Any) -> FrameType | None:
    """The last frame of the program's own in the chain of coroutines that await each other; or the last at all."""
    users = found = None
    for _ in range(DEEPEST):
        frame = getattr(work, "cr_frame", None) or getattr(work, "gi_frame", None)
        if frame is None:
            break
        found = frame
        users = frame if is_users(frame.f_code) else users
        work = getattr(work, "cr_await", None) or getattr(work, "gi_yieldfrom", None)
    return users or found


def _described(code: CodeType, line: int, name: str | None) -> tuple[dict[str, Any], str]:
    name = name or code.co_qualname[:LONGEST]
    place = {
        semconv.CODE_FUNCTION_NAME: name,
        semconv.CODE_FILE_PATH: code.co_filename,
        semconv.CODE_LINE_NUMBER: line,
    }
    return place, name
