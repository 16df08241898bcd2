"""A callable of any kind, with something around each call of it; what it does and what it is stay the same.

A function's wrapper is compiled with the function's own parameters: calls that do not fit fail as before, and whatever looks at
it finds what it found. A callable that is no Python function gets a :class:`~otel_kit.context.stand.Stand` around it.

Limits: a wrapper's frame is in tracebacks and on the stack, and keeps what a call was given until it ends.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import keyword
import types
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from types import CodeType, FunctionType
from typing import Any, NamedTuple, Protocol

from otel_kit.context.headroom import EVERY_CALLS, EVERY_OPEN, for_calls, for_steps, give_back
from otel_kit.context.stand import Stand, stand_for
from otel_kit.errors import ArgumentError

MOST_SHAPES = 1000
# Of frames of wrappers: no real file, so that nobody looks for its lines, and ours.
FILE = "<made>/otel_kit/context/wrapped"


class Run(Protocol):
    """What is around one call. A generator's runs in steps, and each is inside of it as a context manager.

    One with a method ``gave`` is told of each item that a generator gives.
    """

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: Any) -> None: ...

    def returned(self, result: object = None) -> None:
        """It ended well."""

    def raised(self, error: BaseException) -> None:
        """It ended with an exception."""


class Around:
    """The run of a call that is inside of a context manager from its begin to its end."""

    __slots__ = ("_block",)

    def __init__(self, block: AbstractContextManager[Any]) -> None:
        self._block = block
        block.__enter__()

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...

    def returned(self, result: object = None) -> None:
        """It ended well."""
        self._block.__exit__(None, None, None)

    def raised(self, error: BaseException) -> None:
        """It ended with an exception."""
        self._block.__exit__(type(error), error, error.__traceback__)


class Begin(Protocol):
    """What begins a run, before the function is called; None where nothing is to be around this call.

    Defaults are among the arguments.
    """

    def __call__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Run | None: ...


class Switch(Protocol):
    """Whether runs are begun at all."""

    @property
    def on(self) -> bool: ...


class _Set:
    def __init__(self, on: bool) -> None:
        self.on = on


ALWAYS, _NEVER = _Set(True), _Set(False)


def wrap(
    target: Any,
    begin: Begin,
    again: Callable[[Any], Any],
    *,
    by: str,
    part: Switch = ALWAYS,
    awaiting: Callable[[Any, Any], Any] | None = None,
) -> Any:
    """Put a run around each call: sync, async, or with steps of a generator or async generator.

    Args:
        target: the function, another callable, or a static or class method.
        begin: begins a run.
        again: does the same to another callable that stands for this one: inside of it, bound to an object, or unpickled.
        by: the decorator's argument, for the error.
        part: while it is off, calls go straight on.
        awaiting: what is awaited in place of what a coroutine function gave: of the run, and of that.

    Raises:
        ArgumentError: it is a class, or cannot be called.
    """
    own: Any = type(target)
    if issubclass(own, staticmethod | classmethod):
        return own(again(target.__func__))
    if issubclass(own, type) or not callable(target):
        raise ArgumentError(by, target, "a function or a method")
    kind = _kind_of(target)
    if type(target) is FunctionType:
        shape = _shape_of(target.__code__)
        return _dressed(_made(kind, shape, target, part, begin, awaiting), target, shape)
    return stand_for(target, _made(kind, _ANY, target, part, begin, awaiting), again, _like)


def layers(target: Any) -> Iterator[Any]:
    """A callable, and what is inside of it, as far as that can be known."""
    for _ in range(100):
        if target is None:
            return
        yield target
        if type(target) is FunctionType:
            target = _inside(target) or target.__dict__.get("__wrapped__")
        elif issubclass(type(target), Stand):
            target = target._otel_kit_target
        elif issubclass(type(target), functools.partial):
            target = target.func
        elif type(target) is types.MethodType:
            target = target.__func__
        elif type(target) is _LRU_CACHE:
            target = target.__wrapped__
        else:
            return


def innermost(target: Any) -> Any:
    """The function that the others are around."""
    return list(layers(target))[-1]


def name_of(target: Any) -> str:
    """The qualified name of any callable."""
    for known in (target, *layers(target), type(target)):
        for attribute in ("__qualname__", "__name__"):
            name = attribute_of(known, attribute)
            if type(name) is str and name:
                return name
    return "?"


def module_of(target: Any) -> str:
    """The name of the module that a callable is defined in."""
    for known in (target, innermost(target)):
        name = attribute_of(known, "__module__")
        if type(name) is str and name:
            return name
    return "otel_kit"


def code_of(target: Any) -> CodeType | None:
    """The code of the function inside, where it has any."""
    function = innermost(target)
    return function.__code__ if type(function) is FunctionType else None


def attribute_of(target: Any, name: str) -> Any:
    """An attribute, or None, whatever the object answers."""
    try:
        return getattr(target, name, None)
    except Exception:
        return None


_LRU_CACHE = type(functools.lru_cache(maxsize=1)(lambda: None))


def _inside(function: FunctionType) -> Any:
    """What a wrapper of ours is around."""
    names = function.__code__.co_freevars
    return function.__closure__[names.index("function__")].cell_contents if "function__" in names else None  # type: ignore[index]


def _dressed(call: Any, function: FunctionType, shape: _Shape) -> Any:
    defaults = ("__defaults__", "__kwdefaults__") if shape is not _ANY else ()
    for name in (*functools.WRAPPER_ASSIGNMENTS, *defaults):
        with contextlib.suppress(AttributeError):
            setattr(call, name, getattr(function, name))
    if "__wrapped__" in function.__dict__:
        # Another decorator's: what it keeps there, it may change with each call.
        call.__dict__ = function.__dict__
    else:
        call.__dict__.update(function.__dict__)
        call.__wrapped__ = function
    return call


def _like(function: FunctionType, call: Callable[..., Any]) -> Any:
    """A function that looks like the first one, and calls the second."""
    shape = _shape_of(function.__code__)
    return _dressed(_made(_kind_of(function), shape, call, _NEVER, _nobody, None), function, shape)


def _nobody(args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> None:
    """Nothing is begun."""


# -- kinds


def _kind_of(target: Any) -> str:
    function = target
    for _ in range(100):
        if issubclass(type(function), functools.partial):
            function = function.func
        elif type(function) is types.MethodType:
            function = function.__func__
        else:
            break
    if type(function) is not FunctionType:
        function = inspect.getattr_static(type(function), "__call__", None)
    flags = function.__code__.co_flags if type(function) is FunctionType else 0
    if flags & inspect.CO_ITERABLE_COROUTINE:
        return _AWAITED
    for flag, kind in _KINDS:
        if flags & flag:
            return kind
    with contextlib.suppress(Exception):  # one that answers to everything, and oddly
        if inspect.iscoroutinefunction(target):
            return _COROUTINE  # it says so itself: what it gives can be awaited
    return _CALL


# Names that end in two underscores are ours.
_CALL = """
    def call({parameters}):
        run__ = begin__({args}, {kwargs}, steps=False) if part__.on else None
        depth__[0] = deep__ = depth__[0] + 1
        room__ = None if deep__ % every_calls__ else for_calls__(deep__)
        try:
            result__ = function__({passed})
        except BaseException as error__:
            if run__ is not None:
                run__.raised(error__)
            raise
        finally:
            depth__[0] -= 1
            if room__ is not None:
                give_back__(room__)
        if run__ is not None:
            run__.returned(result__)
        return result__
"""
_COROUTINE = """
    async def call({parameters}):
        run__ = begin__({args}, {kwargs}, steps=False) if part__.on else None
        open__[0] = count__ = open__[0] + 1
        room__ = None if count__ % every_open__ else for_steps__()
        try:
            if run__ is None:
                return await function__({passed})
            result__ = await awaiting__(run__, function__({passed}))
        except BaseException as error__:
            if run__ is not None:
                run__.raised(error__)
            raise
        finally:
            open__[0] -= 1
            if room__ is not None:
                give_back__(room__)
        run__.returned(result__)
        return result__
"""
_GENERATOR = """
    def call({parameters}):
        run__ = begin__({args}, {kwargs}, steps=True) if part__.on else None
        open__[0] = count__ = open__[0] + 1
        room__ = None if count__ % every_open__ else for_steps__()
        try:
            if run__ is None:
                return (yield from function__({passed}))
            result__ = yield from steps__(function__({passed}), run__)
        except BaseException as error__:
            if run__ is not None:
                run__.raised(error__)
            raise
        finally:
            open__[0] -= 1
            if room__ is not None:
                give_back__(room__)
        run__.returned(result__)
        return result__
"""
# What ``types.coroutine`` made can be awaited.
_AWAITED = f"\n    @coroutine__{_GENERATOR}"
_ASYNC_GENERATOR = """
    async def call({parameters}):
        run__ = begin__({args}, {kwargs}, steps=True) if part__.on else None
        around__, gave__ = nothing__ if run__ is None else run__, getattr(run__, "gave", None)
        go__ = value__ = None
        open__[0] = count__ = open__[0] + 1
        room__ = None if count__ % every_open__ else for_steps__()
        try:
            generator__ = function__({passed})
            while True:
                try:
                    with around__:
                        item__ = await (go__ or generator__.asend)(value__)
                except StopAsyncIteration:
                    break
                finally:
                    value__ = None  # what was thrown in must not be held by a frame of its own traceback
                if gave__ is not None:
                    gave__(item__)
                try:
                    value__ = yield item__
                    go__ = generator__.asend
                except BaseException as error__:
                    go__, value__ = generator__.athrow, error__
        except BaseException as error__:
            if run__ is not None:
                run__.raised(error__)
            raise
        finally:
            open__[0] -= 1
            if room__ is not None:
                give_back__(room__)
        if run__ is not None:
            run__.returned()
"""
_KINDS = (
    (inspect.CO_COROUTINE, _COROUTINE),
    (inspect.CO_GENERATOR, _GENERATOR),
    (inspect.CO_ASYNC_GENERATOR, _ASYNC_GENERATOR),
)


def _steps(generator: Generator[Any, Any, Any], run: Run) -> Generator[Any, Any, Any]:
    gave = getattr(run, "gave", None)
    go: Callable[[Any], Any] = generator.send
    value: Any = None
    while True:
        try:
            with run:
                item = go(value)
        except StopIteration as stop:
            return stop.value
        finally:
            value = None  # what was thrown in must not be held by a frame of its own traceback
        if gave is not None:
            gave(item)
        try:
            value = yield item
            go = generator.send
        except BaseException as error:
            go, value = generator.throw, error


# How many wrapped functions run, in all threads together, and how many coroutines and generators are open: enough to know
# that one may call itself, and cheap.
_depth, _open = [0], [0]


def _awaiting(run: Run, awaited: Any) -> Any:
    return awaited


# -- shapes


class _Shape(NamedTuple):
    """Parameters as the source of a wrapper has them.

    Attributes:
        parameters: of the wrapper.
        passed: what it calls the function with.
        args, kwargs: what it tells of that.
    """

    parameters: str
    passed: str
    args: str
    kwargs: str


_ANY = _Shape("*args, **kwargs", "*args, **kwargs", "args", "kwargs")
_makers: dict[tuple[str, _Shape], Callable[..., Any]] = {}


def _shape_of(code: CodeType) -> _Shape:
    names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
    rest, more = _variable(code)
    if not all(_is_plain(name) for name in (*names, rest or "x", more or "x")):
        return _ANY
    positional, by_name = names[: code.co_argcount], names[code.co_argcount :]
    # Whether there is a default, and which, is the business of __defaults__.
    words = list(positional)
    if code.co_posonlyargcount:
        words.insert(code.co_posonlyargcount, "/")
    if rest or by_name:
        words.append(f"*{rest}")
    words += by_name
    words += [f"**{more}"] * bool(more)
    args = [*positional, *[f"*{rest}"] * bool(rest)]
    passed = [*args, *(f"{name}={name}" for name in by_name), *[f"**{more}"] * bool(more)]
    given = [*(f"{name!r}: {name}" for name in by_name), *[f"**{more}"] * bool(more)]
    return _Shape(
        ", ".join(words),
        ", ".join(passed),
        f"({''.join(f'{name}, ' for name in args)})",
        f"{{{', '.join(given)}}}",
    )


def _variable(code: CodeType) -> tuple[str, str]:
    after = code.co_argcount + code.co_kwonlyargcount
    rest = code.co_varnames[after] if code.co_flags & inspect.CO_VARARGS else ""
    more = code.co_varnames[after + bool(rest)] if code.co_flags & inspect.CO_VARKEYWORDS else ""
    return rest, more


def _is_plain(name: str) -> bool:
    return name.isidentifier() and not keyword.iskeyword(name) and not name.endswith("__")


def _made(
    kind: str,
    shape: _Shape,
    target: Any,
    part: Switch,
    begin: Begin,
    awaiting: Callable[[Any, Any], Any] | None,
) -> Any:
    make = _makers.get((kind, shape))
    if make is None:
        if len(_makers) >= MOST_SHAPES:
            _makers.clear()
        make = _makers[kind, shape] = _maker(kind, shape)
    return make(target, part, begin, awaiting or _awaiting)


def _maker(kind: str, shape: _Shape) -> Callable[..., Any]:
    head = "def make(function__, part__, begin__, awaiting__):"
    source = f"{head}{kind.format(**shape._asdict())}\n    return call\n"
    room = {
        "__name__": __name__,
        "coroutine__": types.coroutine,
        "depth__": _depth,
        "every_calls__": EVERY_CALLS,
        "every_open__": EVERY_OPEN,
        "for_calls__": for_calls,
        "for_steps__": for_steps,
        "give_back__": give_back,
        "nothing__": nullcontext(),
        "open__": _open,
        "steps__": _steps,
    }
    exec(compile(source, FILE, "exec", dont_inherit=True), room)
    made: Callable[..., Any] = room["make"]  # type: ignore[assignment]
    return made
