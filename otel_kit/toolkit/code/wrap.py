"""A function of any kind, with something around each call of it; what it does and what it is stay the same.

Limits: a wrapper's frame is in tracebacks and on the stack. A call that does not fit the signature of a coroutine function
or of a generator function fails as it is awaited or stepped, not as it is called.
"""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol


class Run(AbstractContextManager[None], Protocol):
    """What is around one call. A generator's runs in steps, and each is inside of it as a context manager."""

    def returned(self, result: object = None) -> None:
        """It ended well."""

    def raised(self, error: BaseException) -> None:
        """It ended with an exception."""


class Begin(Protocol):
    """What begins a run, before the function is called; None where nothing is to be around this call."""

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Run | None: ...


def wrap(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    """Put a run around each call: sync, async, or with steps of a generator or async generator."""
    if inspect.iscoroutinefunction(function):
        return _coroutine(function, begin)
    if inspect.isgeneratorfunction(function):
        return _generator(function, begin)
    if inspect.isasyncgenfunction(function):
        return _async_generator(function, begin)
    return _function(function, begin)


def _function(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        run = begin(args, kwargs, steps=False)
        if run is None:
            return function(*args, **kwargs)
        try:
            result = function(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        run.returned(result)
        return result

    return wrapper


def _coroutine(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> Any:
        run = begin(args, kwargs, steps=False)
        if run is None:
            return await function(*args, **kwargs)
        try:
            result = await function(*args, **kwargs)
        except BaseException as error:
            run.raised(error)
            raise
        run.returned(result)
        return result

    return wrapper


def _generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        run = begin(args, kwargs, steps=True)
        if run is None:
            return (yield from function(*args, **kwargs))
        try:
            result = yield from _steps(function(*args, **kwargs), run)
        except BaseException as error:
            run.raised(error)
            raise
        run.returned(result)
        return result

    # Of ``types.coroutine``: what it makes can be awaited.
    code = getattr(function, "__code__", None)
    awaited = code is not None and code.co_flags & inspect.CO_ITERABLE_COROUTINE
    return types.coroutine(wrapper) if awaited else wrapper


def _steps(generator: Generator[Any, Any, Any], run: Run) -> Generator[Any, Any, Any]:
    go: Callable[[Any], Any] = generator.send
    value: Any = None
    while True:
        try:
            with run:
                item = go(value)
        except StopIteration as stop:
            return stop.value
        finally:
            value = None  # an exception that was thrown in must not be held by a frame of its own traceback
        try:
            value = yield item
            go = generator.send
        except BaseException as error:
            go, value = generator.throw, error


def _async_generator(function: Callable[..., Any], begin: Begin) -> Callable[..., Any]:
    @functools.wraps(function)
    async def wrapper(*args: Any, **kwargs: Any) -> AsyncGenerator[Any, Any]:
        run = begin(args, kwargs, steps=True)
        around = nullcontext() if run is None else run
        go: Callable[[Any], Any] | None = None
        value: Any = None
        try:
            generator = function(*args, **kwargs)
            while True:
                try:
                    with around:
                        item = await (go or generator.asend)(value)
                except StopAsyncIteration:
                    break
                finally:
                    value = None
                try:
                    value = yield item
                    go = generator.asend
                except BaseException as error:
                    go, value = generator.athrow, error
        except BaseException as error:
            if run is not None:
                run.raised(error)
            raise
        if run is not None:
            run.returned()

    return wrapper
