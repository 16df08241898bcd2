"""Take the context along: into one function that runs elsewhere, or into all threads and thread pools."""

from __future__ import annotations

import contextvars
import functools
import inspect
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar, cast

from opentelemetry import context as otel_context

from otel_kit.context import ids

if TYPE_CHECKING:
    from concurrent.futures import Future, ThreadPoolExecutor

P = ParamSpec("P")
R = TypeVar("R")

# Threads that serve all requests must not belong to the one that happened to start them.
_OURS = ("otel_kit", "Otel")
# The names of contextvars that follow by themselves: ours, and what is bound with structlog.
_FOLLOWING = ("otel_kit", "structlog_")
# Which line of a web server is told already is a matter of the thread that serves.
_STAYING = "otel_kit.access"

_lock = threading.Lock()
_undo: list[Callable[[], None]] = []
_carrying = False


def carry(function: Callable[P, R]) -> Callable[P, R]:
    """Make a function that runs in the context that holds now, wherever and whenever it is called.

    Ids, the current span, baggage and every other contextvar are those of this moment. The result can be
    called many times, from several threads at once; what a call changes in its context is gone after it. A
    coroutine function runs as a task of its own.

    Args:
        function: what is to run elsewhere: ``pool.submit(otel_kit.carry(work), 7)``.
    """
    captured = contextvars.copy_context()
    if inspect.iscoroutinefunction(function):
        return cast("Callable[P, R]", _carry_async(function, captured))

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        # A copy per call: one Context cannot be entered by two threads at once.
        return captured.copy().run(function, *args, **kwargs)

    return carried


def carry_threads(on: bool) -> None:
    """Let ids and the current span follow into new threads and thread pool jobs, or stop that.

    The program's own contextvars stay at home, so it behaves as before. Each pool job starts from its
    submitter's ids, and nothing that it leaves behind reaches the next job.

    Args:
        on: ``True`` patches ``threading.Thread.start`` and ``ThreadPoolExecutor.submit``; ``False`` takes
            that back.
    """
    global _carrying
    with _lock:
        _carrying = on
        if on and not _undo:
            _undo.extend([_patch_thread_start(), _patch_submit()])
        while not on and _undo:
            _undo.pop()()


def _carry_async(function: Callable[..., Any], captured: contextvars.Context) -> Callable[..., Any]:
    @functools.wraps(function)
    async def carried(*args: Any, **kwargs: Any) -> Any:
        # Whoever awaits this has imported asyncio already.
        import asyncio

        coroutine = function(*args, **kwargs)
        return await asyncio.get_running_loop().create_task(coroutine, context=captured.copy())

    return carried


class _Luggage:
    """What follows by itself: ids and OpenTelemetry's context, taken where it is made."""

    __slots__ = ("_bound", "_context", "_variables")

    def __init__(self) -> None:
        self._bound = ids.capture()
        self._context = otel_context.get_current()
        found = contextvars.copy_context().items()
        self._variables = [pair for pair in found if _follows(pair[0].name)]

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        """Call the function with this luggage, in a copy of the worker's context that is dropped after."""
        return contextvars.copy_context().run(self._run, function, args, kwargs)

    def _run(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        self.unpack()
        return function(*args, **kwargs)

    def unpack(self) -> None:
        """Let it hold here from now on."""
        for variable, value in self._variables:
            variable.set(value)
        ids.restore(self._bound)
        otel_context.attach(self._context)


def _follows(name: str) -> bool:
    return name.startswith(_FOLLOWING) and name != _STAYING


def _begin(thread: threading.Thread, luggage: _Luggage, own: Callable[[], None] | None) -> None:
    """What a thread runs: in a context of its own, which ends with it. From here on ``run`` is what it was."""
    if own is None:
        del thread.run
    else:
        thread.run = own  # type: ignore[method-assign]
    luggage.unpack()
    thread.run()


def _patch_thread_start() -> Callable[[], None]:
    original = threading.Thread.start

    @functools.wraps(original)
    def start(self: threading.Thread) -> None:
        if _carrying and not self._started.is_set() and not self.name.startswith(_OURS):  # type: ignore[attr-defined]
            own = vars(self).get("run")
            self.run = functools.partial(_begin, self, _Luggage(), own)  # type: ignore[method-assign]
        original(self)

    threading.Thread.start = start  # type: ignore[method-assign]
    return functools.partial(_put_back, threading.Thread, "start", start, original)


def _patch_submit() -> Callable[[], None]:
    from concurrent.futures import ThreadPoolExecutor  # OpenTelemetry's SDK has imported it already

    original: Callable[..., Any] = ThreadPoolExecutor.submit

    def submit(self: ThreadPoolExecutor, fn: Callable[..., R], /, *args: Any, **kwargs: Any) -> Future[R]:
        if not _carrying:
            return cast("Future[R]", original(self, fn, *args, **kwargs))
        # In an empty context, because submit may start a worker thread, which outlives this job.
        return contextvars.Context().run(original, self, _Luggage().run, fn, *args, **kwargs)

    functools.update_wrapper(submit, original)
    ThreadPoolExecutor.submit = submit  # type: ignore[method-assign,assignment]
    return functools.partial(_put_back, ThreadPoolExecutor, "submit", submit, original)


def _put_back(owner: type, name: str, ours: object, original: object) -> None:
    # Somebody may have wrapped ours meanwhile; taking theirs away would break them. Ours passes through then.
    if getattr(owner, name) is ours:
        setattr(owner, name, original)
