"""What is decorated stays what it was for whatever looks at it: ``inspect``, ``typing``, ``pickle``, ``copy``."""

from __future__ import annotations

import abc
import asyncio
import copy
import functools
import inspect
import multiprocessing
import pickle
import sys
import typing
from collections.abc import AsyncIterator, Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar
from unittest import mock

import pytest

import otel_kit
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.toolkit.code import debug_on_error, measured, traced

Decorator = Callable[[Any], Any]
DECORATORS: list[Any] = [
    pytest.param(traced, id="traced"),
    pytest.param(measured, id="measured"),
    pytest.param(otel_kit.span, id="span"),
    pytest.param(debug_on_error, id="debug_on_error"),
    pytest.param(otel_kit.agent.tool("search"), id="agent.tool"),
    pytest.param(otel_kit.bind(order_id=7), id="bind"),
]
each_decorator = pytest.mark.parametrize("decorate", DECORATORS)


def plain(
    a: int, b: Basket | None = None, /, c: int = 2, *rest: int, d: int, e: str = "e", **more: Any
) -> str:
    """All kinds of parameters."""
    return f"{a} {b} {c} {rest} {d} {e} {more}"


async def co(run: int, result: int = 1) -> int:
    return run + result


def gen(function: int, begin: int = 3) -> Iterator[int]:
    yield from range(function, begin)


async def agen(part: int, *, error: int = 1) -> AsyncIterator[int]:
    yield part
    yield error


class Basket:
    """Something with methods."""

    def __init__(self, items: list[str]) -> None:
        self.items = items

    def add(self, item: str, *, times: int = 1) -> Basket:
        return Basket([*self.items, *[item] * times])


class Answering:
    """Answers to everything, as proxies of remote calls do."""

    def __getattr__(self, name: str) -> Any:
        return Answering()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return args, kwargs


class Refusing:
    """Raises whatever it is asked."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __call__(self, number: int) -> int:
        return number


def registered(function: Any) -> Any:
    """A decorator that keeps something on what it makes, anew with each call, as tenacity's does."""

    @functools.wraps(function)
    def called(*args: Any, **kwargs: Any) -> Any:
        found.statistics = {"calls": found.statistics["calls"] + 1}
        return function(*args, **kwargs)

    found: Any = called
    found.statistics = {"calls": 0}
    found.retry = object()
    return called


@each_decorator
@pytest.mark.parametrize("function", [plain, co, gen, agen, Basket.add, registered(plain), lambda x, y=1: x])
def test_whoever_looks_at_a_function_sees_the_same(decorate: Decorator, function: Any) -> None:
    """Signature, argspec, type hints, defaults, kind, source or names of a function differ once it is decorated."""
    made = decorate(function)
    for look in (
        inspect.signature,
        functools.partial(inspect.signature, eval_str=True),
        functools.partial(inspect.signature, follow_wrapped=False),
        inspect.getfullargspec,
        typing.get_type_hints,
        inspect.unwrap,
        inspect.getsource,
        inspect.iscoroutinefunction,
        inspect.isgeneratorfunction,
        inspect.isasyncgenfunction,
        inspect.isfunction,
    ):
        assert look(made) == look(function), look  # type: ignore[operator]
    for name in ("__name__", "__qualname__", "__doc__", "__module__", "__defaults__", "__kwdefaults__"):
        assert getattr(made, name) == getattr(function, name)
    assert made is not function


@each_decorator
def test_a_function_takes_what_it_took(decorate: Decorator) -> None:
    """A call gives something else, or what does not fit is refused later, or in other words."""
    made = decorate(plain)
    ways: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((1,), {"d": 4}),
        ((1, None, 3, 5, 6), {"d": 4, "e": "x", "a": 7, "other": 8}),
        ((1,), {"c": 9, "d": 4, "function": 1, "run": 2}),
    ]
    with capture():
        for args, kwargs in ways:
            assert made(*args, **kwargs) == plain(*args, **kwargs)
        for function in (plain, co, gen, agen):
            told = []
            for each in (function, decorate(function)):
                with pytest.raises(TypeError) as caught:
                    each()  # type: ignore[operator]
                told.append(str(caught.value))
            assert told[0] == told[1]
        assert asyncio.run(decorate(co)(1)) == 2
        assert list(decorate(gen)(1)) == [1, 2]

        async def items() -> list[int]:
            return [item async for item in decorate(agen)(5)]

        assert asyncio.run(items()) == [5, 1]


@each_decorator
def test_attributes_of_a_callable_stay(decorate: Decorator) -> None:
    """What ``lru_cache``, ``singledispatch``, ``partial`` or another decorator put on a callable is lost, or stale."""

    @decorate
    @functools.lru_cache(maxsize=10)
    def square(x: int) -> int:
        return x * x

    assert (square(3), square(3), square.cache_info().hits) == (9, 9, 1)
    assert square.__wrapped__(4) == 16
    assert square.cache_info().currsize == 1
    square.cache_clear()
    assert (square.cache_info().currsize, square.cache_parameters()["maxsize"]) == (0, 10)
    assert (square.__name__, square.__module__) == ("square", __name__)
    assert copy.deepcopy(square) is copy.copy(square) is square
    assert isinstance(square, type(functools.lru_cache(plain)))

    @decorate
    @functools.singledispatch
    def kind(x: Any) -> str:
        return "any"

    @kind.register
    def _(x: int) -> str:
        return "int"

    assert (kind("x"), kind(1), set(kind.registry)) == ("any", "int", {object, int})

    made, undecorated = decorate(registered(plain)), registered(plain)
    made(1, d=2)
    assert made.statistics == {"calls": 1}
    assert made.__wrapped__ is undecorated.__wrapped__
    assert made.retry is not None

    part = functools.partial(plain, 1, d=2)
    made = decorate(part)
    assert (made.func, made.args, made.keywords) == (plain, (1,), {"d": 2})
    assert isinstance(made, functools.partial)
    assert inspect.signature(made) == inspect.signature(part)
    assert made() == part()
    assert inspect.iscoroutinefunction(decorate(functools.partial(co, 1)))
    with capture():
        assert asyncio.run(decorate(functools.partial(co, 1))()) == 2


@each_decorator
def test_callables_that_answer_everything_can_be_decorated(decorate: Decorator) -> None:
    """A mock, a proxy that has each attribute, or one that refuses all of them cannot be decorated, or called."""
    with capture():
        made = decorate(Answering())
        assert made(1, x=2) == ((1,), {"x": 2})
        assert isinstance(made, Answering)
        assert decorate(Refusing())(7) == 7
        for kind in (mock.Mock, mock.MagicMock):
            mocked = kind(return_value=5)
            made = decorate(mocked)
            assert made(1, x=2) == 5
            made.assert_called_once_with(1, x=2)
            made.return_value = 6
            assert (made(), mocked.call_count, isinstance(made, kind)) == (6, 2, True)
        awaited = decorate(mock.AsyncMock(return_value=3))
        assert inspect.iscoroutinefunction(awaited)
        assert asyncio.run(awaited()) == 3
        assert decorate(mock.create_autospec(plain, return_value="x"))(1, d=2) == "x"


class Caller:
    async def __call__(self, x: int, *, y: int = 2) -> int:
        return x + y

    def __len__(self) -> int:
        return 0


@each_decorator
def test_a_callable_object_stays_one(decorate: Decorator) -> None:
    """A framework takes an object that is awaited for one that is not, or its signature, text or operators are others."""
    caller = Caller()
    made: Any = decorate(caller)
    assert inspect.iscoroutinefunction(made.__call__)
    for look in (inspect.signature, inspect.getfullargspec, repr, hash, len, dir, bool):
        assert look(made) == look(caller)  # type: ignore[operator]
    made.limit = 3
    assert (caller.limit, isinstance(made, Caller)) == (3, True)  # type: ignore[attr-defined]
    with capture():
        assert asyncio.run(made(1)) == 3
        assert asyncio.run(copy.deepcopy(made)(1, y=4)) == 5
    for each in (caller, made):
        with pytest.raises(
            TypeError, match=r"Caller.__call__\(\) missing 1 required positional argument: 'x'"
        ):
            each()


def test_a_cache_that_is_decorated_can_be_observed() -> None:
    """Observing a decorated cache takes the decorator away."""

    @otel_kit.observe_cache("squares")
    @traced
    @functools.lru_cache
    def square(x: int) -> int:
        return x * x

    with capture() as seen:
        assert (square(3), square(3)) == (9, 9)
        assert len(seen.spans) == 2
    assert square.cache_info().hits == 1


@each_decorator
def test_methods_bind_as_they_did(decorate: Decorator) -> None:
    """A method of any kind, decorated in its class or beside it, is bound otherwise, or differs when looked at."""

    class Other:
        def own(self, x: int) -> tuple[Any, int]:
            return self, x

    other = Other()

    class Shop(abc.ABC):
        prices: ClassVar[list[int]] = []

        @decorate
        @classmethod
        def of(cls, x: int) -> Any:
            return cls, x

        @classmethod
        @decorate
        def also(cls, x: int) -> Any:
            return cls, x

        @decorate
        @staticmethod
        def free(x: int) -> int:
            return x

        @property
        @decorate
        def total(self) -> int:
            return 3

        @functools.cached_property
        @decorate
        def heavy(self) -> list[int]:
            return [1]

        @decorate
        @functools.lru_cache  # noqa: B019
        def price(self, x: int) -> tuple[Shop, int]:
            return self, x

        @decorate
        @abc.abstractmethod
        def must(self, x: int) -> int: ...

        half = functools.partialmethod(free, 2)  # type: ignore[arg-type,var-annotated]
        theirs = decorate(other.own)
        length = decorate(len)

    with pytest.raises(TypeError, match="abstract"):
        Shop()  # type: ignore[abstract]

    class Real(Shop):
        @decorate
        def must(self, x: int) -> int:
            return super().must(x) or x

    shop = Real()
    assert (shop.of(1), Real.also(2), shop.free(3), shop.total) == ((Real, 1), (Real, 2), 3, 3)
    assert shop.heavy is shop.heavy
    assert (shop.price(3), Shop.price.cache_info().misses) == ((shop, 3), 1)
    assert (shop.must(4), shop.theirs(5), shop.length("ab")) == (4, (other, 5), 2)
    for name in ("of", "also", "free", "must"):
        assert list(inspect.signature(getattr(shop, name)).parameters) == ["x"]
    bound = decorate(other.own)
    assert (bound.__self__, bound.__func__, bound == other.own) == (other, Other.own, True)
    assert inspect.signature(bound) == inspect.signature(other.own)
    assert inspect.getfullargspec(bound) == inspect.getfullargspec(other.own)


@pytest.mark.parametrize(
    "decorate", [measured, otel_kit.span, debug_on_error, otel_kit.agent.tool("x"), otel_kit.bind(a=1)]
)
def test_a_class_is_refused_as_it_is_decorated(decorate: Decorator) -> None:
    """A class that is decorated becomes a function."""
    with pytest.raises(ArgumentError, match="a function"):
        decorate(Basket)


@traced
@dataclass(frozen=True, order=True)
class Point:
    """A dataclass that is traced as a whole."""

    x: int
    y: int = 2

    def moved(self, by: int = 1) -> Point:
        return Point(self.x + by, self.y)


@dataclass(frozen=True, order=True)
class Untraced:
    x: int
    y: int = 2

    def moved(self, by: int = 1) -> Point:
        return Point(self.x + by, self.y)


def test_a_traced_class_looks_the_same() -> None:
    """Signature, argspec or type hints of a class or of its methods differ once it is traced."""
    for look in (inspect.signature, inspect.getfullargspec, typing.get_type_hints):
        for one, other in (
            (Point, Untraced),
            (Point.__init__, Untraced.__init__),
            (Point.moved, Untraced.moved),
        ):
            assert look(one) == look(other)  # type: ignore[operator]
    point = Point(1)
    assert copy.deepcopy(point) == pickle.loads(pickle.dumps(point)) == point
    assert (point.moved(), Point(1) < Point(2), hash(point)) == (Point(2), True, hash(Untraced(1)))


@measured
def tripled(x: int) -> int:
    return 3 * x


@otel_kit.span
@functools.lru_cache
def cached(x: int) -> int:
    return 4 * x


@debug_on_error
def doubled(x: int) -> int:
    return 2 * x


halved = measured(functools.partial(divmod, 8))
spanned = otel_kit.span("part", product="tea")(functools.partial(divmod, 8))


@pytest.mark.parametrize("function", [tripled, cached, doubled, halved, spanned])
def test_what_is_decorated_goes_to_other_processes(function: Any) -> None:
    """A decorated function or partial cannot be pickled, or does something else in a spawned process."""
    found = pickle.loads(pickle.dumps(function))
    assert found is function or function in (halved, spanned)
    assert found(2) == function(2)
    assert copy.copy(function)(2) == copy.deepcopy(function)(2) == function(2)


def test_spawned_processes_call_what_is_decorated() -> None:
    """A pool of spawned processes cannot call a decorated function."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.map(tripled, [1, 2]) == [3, 6]
        assert pool.map(cached, [1, 2]) == [4, 8]
        assert pool.map(halved, [3]) == [(2, 2)]


class Odd(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class Slotted(Exception):
    __slots__ = ("x",)

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)


@each_decorator
@pytest.mark.parametrize(
    "error",
    [Odd(), Slotted(), KeyboardInterrupt(), StopIteration(3), ExceptionGroup("g", [Odd()])],
    ids=["no text", "no attributes", "interrupt", "stop", "group"],
)
def test_odd_exceptions_leave_as_they_are(decorate: Decorator, error: BaseException) -> None:
    """An exception whose text raises, or that is none of the usual ones, is another one once it has left."""

    @decorate
    def fails() -> None:
        raise error

    with capture(), pytest.raises(type(error)) as caught:
        fails()
    assert caught.value is error


def recursion_of(decorate: Decorator, kind: str) -> Callable[[int], Any]:
    """A decorated function that calls itself so many times and returns how many, as something to call."""

    @decorate
    def down(n: int) -> int:
        return n and 1 + down(n - 1)

    @decorate
    async def adown(n: int) -> int:
        return n and 1 + await adown(n - 1)

    @decorate
    def gdown(n: int) -> Generator[int, None, int]:
        if n:
            return 1 + (yield from gdown(n - 1))
        yield n
        return n

    @decorate
    async def agdown(n: int) -> AsyncIterator[int]:
        if n:
            async for item in agdown(n - 1):
                yield item + 1
        else:
            yield 0

    def whole(n: int) -> Generator[int, None, None]:
        yield (yield from gdown(n))

    async def only(n: int) -> int:
        return max([item async for item in agdown(n)])

    return {
        "call": down,
        "coroutine": lambda n: asyncio.run(adown(n)),
        "generator": lambda n: max(whole(n)),
        "async generator": lambda n: asyncio.run(only(n)),
    }[kind]


each_kind = pytest.mark.parametrize("kind", ["call", "coroutine", "generator", "async generator"])
# The interpreter's own limit of calls in C was too low for this, and could not be set.
FEW_C_CALLS = (3, 12) <= sys.version_info < (3, 12, 2)


def in_thread(work: Callable[[], Any]) -> Any:
    """What it returns on a stack without pytest's own frames."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(work).result()


@each_decorator
@each_kind
@pytest.mark.parametrize("on", [True, False], ids=["on", "off"])
def test_recursion_gets_as_deep_as_before(decorate: Decorator, kind: str, on: bool) -> None:
    """A function that calls itself 900 times no longer can once it is decorated, or the limit is another one afterwards."""
    if FEW_C_CALLS and kind != "call":
        pytest.skip("this interpreter allows few calls in C")
    call, limit = recursion_of(decorate, kind), sys.getrecursionlimit()
    with capture() if on else nullcontext():
        result = in_thread(lambda: call(900))
    assert (result, sys.getrecursionlimit()) == (900, limit)


@each_decorator
@each_kind
def test_an_endless_recursion_raises(decorate: Decorator, kind: str) -> None:
    """A decorated function without end crashes the interpreter, or leaves another limit."""
    call, limit = recursion_of(decorate, kind), sys.getrecursionlimit()
    with pytest.raises(RecursionError):
        in_thread(lambda: call(-1))
    assert sys.getrecursionlimit() == limit


@each_decorator
def test_many_tasks_need_no_higher_limit(decorate: Decorator) -> None:
    """The recursion limit rises with the coroutines that wait at the same time."""
    limit, seen = sys.getrecursionlimit(), set()

    @decorate
    async def wait(all_wait: asyncio.Event) -> None:
        seen.add(sys.getrecursionlimit())
        await all_wait.wait()

    async def main() -> None:
        all_wait = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(1000):
                group.create_task(wait(all_wait))
            await asyncio.sleep(0)
            all_wait.set()

    in_thread(lambda: asyncio.run(main()))
    assert seen == {limit}


@each_decorator
def test_generators_that_are_closed_early_end_as_they_did(decorate: Decorator) -> None:
    """A generator, or an async one, that is closed, cancelled or left does not run its last lines, or runs them late."""
    told: list[str] = []

    @decorate
    def rows() -> Iterator[int]:
        try:
            yield 1
            yield 2
        finally:
            told.append("rows")

    @decorate
    async def pages() -> AsyncIterator[int]:
        try:
            yield 1
            await asyncio.sleep(60)
            yield 2
        finally:
            await asyncio.sleep(0)
            told.append("pages")

    @decorate
    def stubborn() -> Iterator[int]:
        try:
            yield 1
        except GeneratorExit:
            yield 2

    async def main() -> None:
        left = pages()
        async for _ in left:
            break
        await left.aclose()  # type: ignore[attr-defined]
        assert told.pop() == "pages"
        task = asyncio.ensure_future(all_of(pages()))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert told.pop() == "pages"

    with capture() as seen:
        for _ in rows():
            break
        assert told.pop() == "rows"
        odd: Any = stubborn()
        next(odd)
        with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
            odd.close()
        asyncio.run(main())
        assert not otel_kit.current_context().get("trace_id")
    assert all(span.end_time for span in seen.spans)


async def all_of(items: Any) -> list[Any]:
    return [item async for item in items]
