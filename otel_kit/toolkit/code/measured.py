"""``@measured``: each call of a function, measured."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Generator, Mapping
from time import thread_time
from typing import Any, TypeVar, overload

from otel_kit import semconv
from otel_kit.context.wrapped import code_of, module_of, name_of, wrap
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.values import is_a
from otel_kit.toolkit.code.measure import LONGEST_NAME, Plan, Work, begun, checked, code, tracer_of

Function = TypeVar("Function", bound=Callable[..., Any])


@overload
def measured(name: Function, /) -> Function: ...


@overload
def measured(
    name: str | None = None, /, *, slower_than: float | None = None
) -> Callable[[Function], Function]: ...


def measured(name: Any = None, /, *, slower_than: float | None = None) -> Any:
    """Measure each call of a function: bare, or ``@measured("restock", slower_than=2.0)``.

    What is measured and emitted is that of :func:`measure`. Functions may be sync, async, generators, async generators and
    methods; the CPU time of a coroutine or generator is that of its own steps, without what runs in between (of an async
    generator, what runs while it waits is in it).

    Args:
        name: of the operation; by default the function's qualified name.
        slower_than: seconds from which on the record is a warning.

    Raises:
        ArgumentError: ``name`` is no text, ``slower_than`` no number of seconds, or what is decorated no function.

    Returns:
        The function, wrapped; or a decorator that does so.
    """
    if callable(name) or is_a(name, classmethod):
        return _wrapped(name, None, None)
    if name is not None and (not isinstance(name, str) or not name):
        raise ArgumentError("measured(name)", name, "a text, or nothing")
    seconds = checked(slower_than)
    return lambda function: _wrapped(function, name, seconds)


def _wrapped(function: Any, name: str | None, slower_than: float | None) -> Any:
    plan = _plan_of(function, name, slower_than)

    def begin(args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Work | None:
        return begun(plan, steps=steps)

    again = functools.partial(_wrapped, name=name, slower_than=slower_than)
    return wrap(function, begin, again, by="measured", part=code, awaiting=_Steps)


def _plan_of(function: Any, name: str | None, slower_than: float | None) -> Plan:
    qualified, scope, made_of = name_of(function), module_of(function), code_of(function)
    place: dict[str, Any] = {semconv.CODE_FUNCTION_NAME: f"{scope}.{qualified}"}
    if made_of is not None:
        place[semconv.CODE_FILE_PATH] = made_of.co_filename
        place[semconv.CODE_LINE_NUMBER] = made_of.co_firstlineno
    return Plan((name or qualified)[:LONGEST_NAME], slower_than, scope, place, tracer_of(scope))


class _Steps:
    """Awaits something and takes the time that others have meanwhile out of the work's CPU time."""

    __slots__ = ("_awaited", "_work")

    def __init__(self, work: Work, awaited: Awaitable[Any]) -> None:
        self._work, self._awaited = work, awaited

    def __await__(self) -> Generator[Any, Any, Any]:
        # As ``yield from``, with two looks at the clock around each yield.
        steps = self._awaited.__await__()
        step: Callable[[], Any] = functools.partial(next, steps)
        while True:
            try:
                found = step()
            except StopIteration as stop:
                return stop.value
            paused = thread_time()
            try:
                sent = yield found
            except GeneratorExit:
                close = getattr(steps, "close", None)
                if close is not None:
                    close()
                raise
            except BaseException as error:
                step = functools.partial(_thrown, steps, error)
            else:
                step = functools.partial(next, steps) if sent is None else functools.partial(steps.send, sent)
            finally:
                self._work.cpu -= thread_time() - paused


def _thrown(steps: Any, error: BaseException) -> Any:
    throw = getattr(steps, "throw", None)
    if throw is None:  # an iterator that is no generator
        raise error
    return throw(error)
