"""``traced``: what one sees of calls, and that the program does what it did."""

from __future__ import annotations

import abc
import asyncio
import contextlib
import dataclasses
import enum
import functools
import gc
import inspect
import pickle
import re
import sys
import threading
import time
import tracemalloc
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest

import otel_kit
from otel_kit import semconv
from otel_kit.context import parts
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.toolkit.code import traced

ARGUMENT = semconv.CODE_ARGUMENT


def price(amount: int, /, *rest: int, currency: str = "EUR", **more: Any) -> str:
    """What it costs."""
    return f"{amount + sum(rest)} {currency}"


traced_price = traced(price)


@traced
def pickled(x: int) -> int:
    return x + 1


@traced
class Basket:
    """A class of which everything is traced."""

    size = 3

    def __init__(self, items: list[str]) -> None:
        self._items = items

    def __repr__(self) -> str:
        return f"Basket({self._items})"

    def add(self, item: str) -> int:
        self._items.append(item)
        return len(self._items)

    @staticmethod
    def empty() -> str:
        return "empty"

    @classmethod
    def of(cls, *items: str) -> Basket:
        return cls(list(items))

    @property
    def first(self) -> str:
        """The first item."""
        return self._items[0]

    @first.setter
    def first(self, item: str) -> None:
        self._items[0] = item

    @functools.cached_property
    def count(self) -> int:
        return len(self._items)

    async def pay(self) -> str:
        await asyncio.sleep(0)
        return "paid"

    def each(self) -> Iterator[str]:
        yield from self._items


def test_a_call_is_a_span_with_its_place_thread_and_error() -> None:
    """A traced call has no span, or the span does not say which function ran where, or that it failed."""

    @traced(name="divide")
    def quotient(a: int, b: int) -> float:
        return a / b

    with capture() as seen:
        assert quotient(6, 3) == 2
        with pytest.raises(ZeroDivisionError):
            quotient(1, 0)
    good, bad = seen.spans
    assert good.name == bad.name == "divide"
    attributes = dict(good.attributes or {})
    assert attributes["code.function.name"].endswith("quotient")
    assert attributes["code.file.path"] == __file__
    assert attributes["code.line.number"] == inspect.unwrap(quotient).__code__.co_firstlineno
    assert attributes["thread.name"] == threading.current_thread().name
    assert attributes["thread.id"] == threading.get_ident()
    assert (bad.attributes or {})["error.type"] == "ZeroDivisionError"
    assert good.instrumentation_scope
    assert good.instrumentation_scope.name == __name__


def test_chosen_arguments_and_the_result_are_attributes() -> None:
    """Arguments that were chosen, or the result, are missing or have lost their types; others were told."""

    @traced(args=("code", "limit"), result=True)
    def shorten(code: str, language: str = "python", *, limit: int = 3) -> str:
        return code[:limit]

    with capture() as seen:
        shorten("abcdef", "c", limit=2)
    found = {k: v for k, v in (seen.spans[0].attributes or {}).items() if k.startswith("otel_kit.")}
    assert found == {f"{ARGUMENT}.code": "abcdef", f"{ARGUMENT}.limit": 2, semconv.CODE_RESULT: "ab"}


def test_all_arguments_are_told_by_name_and_the_receiver_is_not() -> None:
    """A method's self is among its arguments, or rest and keyword arguments are not."""

    class Till:
        @traced(args=True)
        def take(self, amount: int, *coins: int, note: str = "", **more: str) -> None: ...

    with capture() as seen:
        Till().take(1, 2, 3, note="n", who="Ann")
    found = {k: v for k, v in (seen.spans[0].attributes or {}).items() if k.startswith(ARGUMENT)}
    assert found == {
        f"{ARGUMENT}.amount": 1,
        f"{ARGUMENT}.coins": "(2, 3)",
        f"{ARGUMENT}.note": "n",
        f"{ARGUMENT}.who": "Ann",
    }


def test_values_are_bounded_and_secrets_stay_home() -> None:
    """A long value is told whole, or a secret leaves by its name, inside a value, or cut in half."""
    token = "eyJ" + "hbGciOiJIUzI1NiJ9" * 20

    @traced(args=True, result=True, logs=True)
    def login(user: str, password: str, header: str, options: dict[str, Any], blob: list[int]) -> str:
        return user

    with capture() as seen:
        login("ann", "hunter2", f"Bearer {token}", {"api_key": "k-hunter2"}, list(range(10**6)))
        login("ann", password="hunter2", header="", options={}, blob=[])
    everything = repr([s.attributes for s in seen.spans]) + repr([(r.body, r.attributes) for r in seen.logs])
    assert "hunter2" not in everything
    assert token[:20] not in everything
    assert all(len(str(v)) <= 200 for s in seen.spans for v in (s.attributes or {}).values())
    assert "user='ann'" in everything


def test_the_records_of_a_call_show_its_way() -> None:
    """Entry and exit are not told as the page shows them: arrow, name, arguments, time, result, indented."""

    @traced(logs=True)
    def outer(n: int) -> int:
        return inner("def hello(): return 1, 2, 3, 4, 5") + n

    @traced(logs=True, name="inner")
    def inner(code: str) -> int:
        if not code:
            raise ValueError("no code")
        return 2

    with capture() as seen:
        outer(1)
        with pytest.raises(ValueError, match="no code"):
            inner("")
    bodies = [re.sub(r"[\d.,]+ (ms|µs)", "N ms", record.body) for record in seen.logs]
    name = "test_the_records_of_a_call_show_its_way.<locals>.outer"
    assert bodies == [
        f"→ {name}(n=1)",
        "  → inner(code='def hello(): return 1, 2, 3, 4…)",
        "  ← inner N ms 2",
        f"← {name} N ms 3",
        "→ inner(code='')",
        "✗ inner N ms ValueError: no code",
        "ValueError: no code",
    ]
    assert [record.event_name for record in seen.logs[:2]] == [semconv.EVENT_CODE_ENTERED] * 2
    spans = {span.name: span.context.span_id for span in seen.spans if span.context}
    assert seen.logs[0].span_id == seen.logs[3].span_id == spans[name]
    assert seen.logs[2].attributes[semconv.CODE_DURATION] >= 0


def test_the_records_obey_the_levels() -> None:
    """Entry and exit records come though the level of that logger filters INFO."""

    @traced(logs=True)
    def quiet() -> None: ...

    with capture(log_level="warning") as seen:
        quiet()
    assert len(seen.spans) == 1
    assert seen.logs == []


def test_a_slow_call_warns() -> None:
    """A call over the limit gives no warning, or one below it does."""

    @traced(slower_than=0.0, name="slow one")
    def slow() -> None:
        time.sleep(0.001)

    @traced(slower_than=60)
    def fast() -> None: ...

    with capture() as seen:
        slow()
        fast()
    (record,) = seen.logs
    assert record.severity_text == "WARN"
    assert record.event_name == semconv.EVENT_CODE_SLOW
    assert record.body.startswith("slow: slow one ")


def test_the_stack_is_told_on_request() -> None:
    """``stack=True`` does not say who called, or shows frames of ours."""

    @traced(stack=True)
    def inside() -> None: ...

    def somebody() -> None:
        inside()

    with capture() as seen:
        somebody()
    stack = str((seen.spans[0].attributes or {})["code.stacktrace"])
    assert "somebody" in stack
    assert "toolkit/code" not in stack.replace(__file__, "")


def test_what_a_function_is_stays() -> None:
    """Signature, names, documentation, module, source or kind of a function change as it is traced."""

    async def co() -> None: ...
    def gen() -> Iterator[int]:
        yield 1

    async def agen() -> AsyncIterator[int]:
        yield 1

    assert inspect.signature(traced_price) == inspect.signature(price)
    assert inspect.getsource(traced_price) == inspect.getsource(price)
    assert (
        traced_price.__name__,
        traced_price.__qualname__,
        traced_price.__doc__,
        traced_price.__module__,
    ) == (
        price.__name__,
        price.__qualname__,
        price.__doc__,
        price.__module__,
    )
    for kind, function in (
        (inspect.iscoroutinefunction, co),
        (inspect.isgeneratorfunction, gen),
        (inspect.isasyncgenfunction, agen),
        (inspect.isfunction, price),
    ):
        assert kind(traced(function))
    assert inspect.isgenerator(traced(gen)())
    assert traced(gen)().__name__ == "gen"
    assert pickle.loads(pickle.dumps(pickled)) is pickled
    assert traced(pickled) is pickled


def test_a_class_stays_what_it_is() -> None:
    """A traced class, its instances, methods or properties differ from before, or a member is not traced."""
    with capture() as seen:
        basket = Basket.of("tea", "cup")
        assert basket.add("pot") == 3
        assert Basket.empty() == basket.empty() == "empty"
        assert basket.first == "tea"
        basket.first = "whisk"
        assert list(basket.each()) == ["whisk", "cup", "pot"]
        assert (basket.count, basket.count) == (3, 3)
        assert asyncio.run(basket.pay()) == "paid"
        assert repr(pickle.loads(pickle.dumps(basket))) == repr(basket)
    assert Basket.first.__doc__ == "The first item."
    assert str(inspect.signature(Basket)) == "(items: 'list[str]') -> 'None'"
    assert isinstance(Basket.__dict__["empty"], staticmethod)
    assert isinstance(Basket.__dict__["of"], classmethod)
    assert sorted({span.name for span in seen.spans}) == [
        f"Basket.{name}" for name in ("__init__", "add", "count", "each", "empty", "first", "of", "pay")
    ]


def test_generators_keep_their_ways() -> None:
    """What is sent, thrown in, returned or closed does not reach a traced generator, or its span is wrong."""
    seen_inside: list[Any] = []

    def conversation() -> Iterator[Any]:
        try:
            seen_inside.append((yield 1))
            try:
                yield 2
            except KeyError as error:
                seen_inside.append(error)
            yield 3
        finally:
            seen_inside.append("closed")
        return "over"

    key = KeyError("k")
    results = []
    for function in (conversation, traced(conversation)):
        seen_inside.clear()
        with capture() as seen:
            talk: Any = function()
            said = [next(talk), talk.send("a"), talk.throw(key)]
            with pytest.raises(StopIteration) as stop:
                next(talk)
            early: Any = function()
            next(early)
            early.close()
        results.append((said, stop.value.value, list(seen_inside)))
    assert results[0] == results[1]
    assert len(seen.spans) == 2
    assert all(span.status.status_code.name == "UNSET" for span in seen.spans)


def test_a_generators_span_is_current_inside_of_it_only() -> None:
    """A span that the caller makes between two items is the generator's child, or one made inside is not."""

    @traced(name="items")
    def items() -> Iterator[int]:
        for i in range(2):
            with otel_kit.span("inside"):
                yield i
                with otel_kit.span("further inside"):
                    pass

    @traced(name="aitems")
    async def aitems() -> AsyncIterator[int]:
        for i in range(2):
            with otel_kit.span("ainside"):
                await asyncio.sleep(0)
            yield i

    async def use() -> None:
        async for _ in aitems():
            with otel_kit.span("aoutside"):
                await asyncio.sleep(0)

    with capture() as seen:
        for _ in items():
            with otel_kit.span("outside"):
                pass
        asyncio.run(use())
    ids = {span.context.span_id: span.name for span in seen.spans if span.context}
    parents = {(span.name, ids[span.parent.span_id] if span.parent else None) for span in seen.spans}
    assert parents == {
        ("items", None),
        ("aitems", None),
        ("inside", "items"),
        ("further inside", "inside"),
        ("ainside", "aitems"),
        ("outside", None),
        ("aoutside", None),
    }


def test_async_generators_keep_their_ways() -> None:
    """What is sent, thrown in or closed does not reach a traced async generator."""
    heard: list[Any] = []

    async def conversation() -> Any:
        try:
            heard.append((yield 1))
            try:
                yield 2
            except KeyError as error:
                heard.append(str(error))
            yield 3
        finally:
            await asyncio.sleep(0)
            heard.append("closed")

    async def talk(function: Callable[[], Any]) -> list[Any]:
        heard.clear()
        one = function()
        said = [await one.__anext__(), await one.asend("a"), await one.athrow(KeyError("k"))]
        said += [item async for item in one]
        two = function()
        await two.__anext__()
        await two.aclose()
        return [said, list(heard)]

    with capture() as seen:
        assert asyncio.run(talk(conversation)) == asyncio.run(talk(traced(conversation)))
    assert len(seen.spans) == 2


def test_a_generator_that_is_never_finished_ends_with_its_object() -> None:
    """An abandoned generator keeps its span open, its values alive, or the span current; one never begun has a span."""

    @traced
    def endless() -> Iterator[object]:
        while True:
            yield object()

    with capture() as seen:
        for _ in range(50):
            next(endless())
        endless()
        gc.collect()
        with otel_kit.span("after"):
            pass
        assert len(seen.spans) == 51
        assert seen.span("after").parent is None


def test_cancelling_a_traced_task_cancels_it() -> None:
    """A cancelled coroutine goes on, or its span counts as failed."""

    @traced
    async def long() -> None:
        await asyncio.sleep(60)

    async def main() -> bool:
        task = asyncio.create_task(long())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelled()

    with capture() as seen:
        assert asyncio.run(main())
    assert seen.spans[0].status.status_code.name == "UNSET"


def test_recursion_goes_as_deep_as_before_and_every_call_counts() -> None:
    """A recursion of 900 calls fails because it is traced, loses spans, or leaves the recursion limit changed."""

    @traced
    def down(n: int) -> int:
        return n and 1 + down(n - 1)

    @traced
    async def adown(n: int) -> int:
        return n and 1 + await adown(n - 1)

    @traced
    def gdown(n: int) -> Iterator[int]:
        yield n
        if n:
            yield from gdown(n - 1)

    @traced
    def endless(n: int) -> int:
        return endless(n + 1)

    limit = sys.getrecursionlimit()
    results: list[Any] = []

    def run() -> None:
        results.extend((down(900), asyncio.run(adown(900)), sum(gdown(150))))
        with pytest.raises(RecursionError):
            endless(0)

    with capture(traces_queue_size=100_000) as seen:
        thread = threading.Thread(target=run)  # a stack without pytest's own frames
        thread.start()
        thread.join()
        names = [span.name.rpartition(".")[2] for span in seen.spans]
    assert results == [900, 900, 150 * 151 // 2]
    assert (names.count("down"), names.count("adown"), names.count("gdown")) == (901, 901, 151)
    assert sys.getrecursionlimit() == limit


def test_other_callables_are_traced_too() -> None:
    """A lambda, a partial, a C function, a bound method or a callable object cannot be traced, or stops to be what it was."""
    part = functools.partial(price, 2, currency="USD")
    for callable_, arguments in (
        (lambda x: x * 2, (21,)),
        (part, (3,)),
        (len, ("abc",)),
        (divmod, (7, 2)),
        ([1, 2].index, (2,)),
        (functools.lru_cache(price), (1,)),
        (dict.fromkeys, ("ab",)),
    ):
        wrapped: Any = traced(callable_)
        with capture() as seen:
            assert wrapped(*arguments) == callable_(*arguments)
        assert len(seen.spans) == 1
    assert pickle.loads(pickle.dumps(traced(part)))(3) == "5 USD"
    assert pickle.loads(pickle.dumps(traced(len)))("abc") == 3
    wrapped = traced(part)
    assert (wrapped.keywords, wrapped.func, inspect.signature(wrapped)) == (
        part.keywords,
        price,
        inspect.signature(part),
    )
    cached: Any = traced(functools.lru_cache(price))
    cached(1)
    assert cached.cache_info().misses == 1


class Lying:
    def __getattr__(self, name: str) -> Any:
        return f"no {name}"

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("not comparable")

    def __bool__(self) -> bool:
        raise RuntimeError("neither true nor false")

    __hash__ = None  # type: ignore[assignment]

    def __len__(self) -> int:
        raise RuntimeError("no length")


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no text")


def test_strange_values_pass_unharmed() -> None:
    """An argument or a result that raises when it is looked at, or contains itself, changes a call's result."""
    loop: list[Any] = []
    loop.append(loop)
    deep: Any = None
    for _ in range(5000):
        deep = [deep]
    values = [
        Lying(),
        Mute(),
        loop,
        deep,
        object(),
        10**5000,
        "\ud800",
        float("nan"),
        type("X", (), {})(),
        {1, (2,)},
    ]

    @traced(args=True, result=True, logs=True)
    def same(value: Any, **more: Any) -> Any:
        return value

    with capture() as seen:
        for value in values:
            assert same(value, more=value) is value
    assert len(seen.spans) == len(values)
    assert len(seen.logs) == 2 * len(values)


def test_classes_of_all_kinds_stay_as_they_are() -> None:
    """A class with slots, a metaclass that forbids changes, a frozen dataclass, an enum, or a property that raises breaks."""

    class Meta(type):
        def __setattr__(cls, name: str, value: object) -> None:
            raise AttributeError("closed")

        def __call__(cls, *args: Any) -> Any:
            return super().__call__(*args)

    @traced
    class Closed(metaclass=Meta):
        __slots__ = ("x",)

        def __init__(self, x: int) -> None:
            self.x = x

        def get(self) -> int:
            return self.x

        @property
        def broken(self) -> int:
            raise AttributeError("broken")

        def __getattr__(self, name: str) -> str:
            return f"no {name}"

    @traced
    @dataclasses.dataclass(frozen=True, slots=True)
    class Point:
        x: int
        y: int = 0

        def moved(self, x: int) -> Point:
            return dataclasses.replace(self, x=x)

    @traced
    class Color(enum.Enum):
        RED = 1

        def name_of(self) -> str:
            return self.name

    @traced
    class Shape(abc.ABC):
        @abc.abstractmethod
        def area(self) -> int: ...

    with capture() as seen:
        closed = Closed(3)
        assert (closed.get(), closed.broken) == (3, "no broken")
        assert Point(1).moved(2) == Point(2)
        with pytest.raises(dataclasses.FrozenInstanceError):
            Point(1).x = 2  # type: ignore[misc]
        assert Color(1).name_of() == "RED"
        with pytest.raises(TypeError):
            Shape()  # type: ignore[abstract]
    assert {span.name.rpartition(".")[2] for span in seen.spans} >= {"get", "broken", "moved", "name_of"}


def test_an_exception_with_a_cycle_leaves_as_it_is() -> None:
    """The exception that leaves is another one, has other causes, or is kept alive."""

    class Own(Exception):
        pass

    a, b = Own("a"), Own("b")
    a.__cause__, b.__context__ = b, a

    @traced(logs=True)
    def fail(error: Exception) -> None:
        raise error

    with capture() as seen:
        with pytest.raises(Own) as caught:
            fail(a)
        assert caught.value is a
        assert a.__cause__ is b
        assert b.__context__ is a
    assert len(seen.spans) == 1

    @traced
    def stepwise() -> Iterator[int]:
        try:
            yield 1
        except Own:
            raise

    gc.collect()
    gc.disable()
    try:
        with capture():
            error = Own("held?")
            steps: Any = stepwise()
            next(steps)
            with pytest.raises(Own):
                steps.throw(error)
        reference = weakref.ref(error)
        del error, steps, caught, seen
        otel_kit.clear_context()
    finally:
        gc.enable()
    gc.collect()
    assert reference() is None


def test_threads_are_kept_apart() -> None:
    """Calls of two threads are each other's children, or some are lost."""

    @traced(name="work")
    def work(n: int) -> int:
        return n if n == 0 else work(n - 1)

    with capture(carry_threads=False) as seen:
        threads = [threading.Thread(target=work, args=(3,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(seen.spans) == 32
    assert len([span for span in seen.spans if span.parent is None]) == 8


def test_nothing_is_emitted_while_the_part_is_off() -> None:
    """A traced call emits something though the part is off."""

    @traced(args=True, logs=True)
    def wrapped(a: int, b: int) -> int:
        return a

    with capture(disabled_toolkit=("code",)) as seen:
        assert not parts.part("code").on
        assert wrapped(1, 2) == 1
    assert seen.spans == []
    assert seen.logs == []


def test_a_failure_of_ours_is_contained(monkeypatch: pytest.MonkeyPatch) -> None:
    """An error inside our own code reaches the program or keeps the function from being called."""
    from otel_kit import _guard
    from otel_kit.toolkit.code import call, site

    def broken(*_: Any, **__: Any) -> Any:
        raise LookupError("ours")

    @traced(args=True, result=True, logs=True)
    def fine(x: int) -> int:
        return x

    with capture():
        _guard.reset()
        monkeypatch.setattr(site.Site, "arguments", broken)
        assert fine(1) == 1
        monkeypatch.undo()
        monkeypatch.setattr(call.Call, "_tell_result", broken)
        assert fine(2) == 2
        assert _guard.contained_counts() == {"toolkit.code": 2}


def test_memory_stays_flat() -> None:
    """Each call, or each call that fails, leaves something behind."""

    @traced(args=True)
    def work(n: int) -> None:
        if n % 2:
            raise ValueError("odd")

    def many() -> None:
        for n in range(500):
            with contextlib.suppress(ValueError):
                work(n)

    with capture() as seen:
        many()
        seen.clear()
        gc.collect()
        tracemalloc.start()
        before, _ = tracemalloc.get_traced_memory()
        many()
        seen.clear()
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert after - before < 100_000


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"args": ("amont",)}, "'amont'.*amount"),
        ({"args": 3}, r"traced\(args\)"),
        ({"name": 3}, r"traced\(name\)"),
        ({"result": "yes"}, r"traced\(result\)"),
        ({"slower_than": -1}, r"traced\(slower_than\)"),
    ],
)
def test_a_wrong_argument_is_named(options: dict[str, Any], told: str) -> None:
    """A wrong option is taken silently, or the message does not name it."""

    def function(amount: int) -> None: ...

    with pytest.raises(ArgumentError, match=told):
        traced(**options)(function)
    with pytest.raises(ArgumentError, match=r"traced\(target\)"):
        traced(42)
