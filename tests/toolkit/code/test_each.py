"""``each``: what is told of a loop, and that the loop is what it was."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import threading
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from opentelemetry import trace

import otel_kit
from otel_kit import semconv
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.code import each
from otel_kit.toolkit.code.durations import Durations


def of_loop(seen: Captured, name: str = "rows") -> dict[str, Any]:
    prefix = "otel_kit.loop."
    return {
        k.removeprefix(prefix): v
        for k, v in (seen.span(name).attributes or {}).items()
        if k.startswith(prefix)
    }


def test_a_loop_is_one_span_with_its_figures() -> None:
    """The loop has no span, more than one, or its count, rate, mean, p95 or slowest items are wrong."""
    with capture() as seen:
        for i in each(range(40), "rows", slowest=2):
            time.sleep(0.05 if i == 17 else 0.03 if i == 3 else 0.0001)
    (span,) = seen.spans
    found = of_loop(seen)
    lasted = ((span.end_time or 0) - (span.start_time or 0)) / 1e9
    assert (found["count"], found["end"], found["error_count"]) == (40, "exhausted", 0)
    assert found["rate"] == pytest.approx(40 / lasted, rel=0.1)
    assert found["mean"] == pytest.approx(lasted / 40, rel=0.1)
    assert 0.0001 < found["p95"] < 0.032
    assert [text.partition(":")[0] for text in found["slowest"]] == ["17", "3"]
    assert "errors" not in found


def test_what_is_made_inside_belongs_to_the_loop() -> None:
    """A span inside of the loop is not its child, or one after it is."""
    with capture() as seen:
        for _ in each([1, 2], "rows"):
            with otel_kit.span("inside"):
                pass
        for _ in each([1, 2], "left"):
            break
        with otel_kit.span("after"):
            pass
    loop = seen.span("rows")
    inside = [span for span in seen.spans if span.name == "inside"]
    assert {span.parent.span_id for span in inside if span.parent} == {loop.context.span_id}  # type: ignore[union-attr]
    assert len(inside) == 2
    assert seen.span("after").parent is None


def leave_by_break() -> None:
    for i in each(range(9), "rows"):
        if i == 4:
            break


def leave_by_return() -> int:
    for i in each(range(9), "rows"):
        if i == 4:
            return i
    return 0


def leave_by_closing() -> None:
    def inner() -> Iterator[int]:
        yield from each(range(9), "rows")

    def outer() -> Iterator[int]:
        for i in each(range(9), "rows"):  # noqa: UP028
            yield i

    kept = outer()
    for _ in range(5):
        next(kept)
    kept.close()
    del inner


def leave_by_break_in_try() -> None:
    for i in each(range(9), "rows"):
        try:
            with contextlib.nullcontext():
                if i == 4:
                    break
        finally:
            str(i)


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_return, leave_by_closing, leave_by_break_in_try])
def test_a_loop_that_is_left_ends_there(leave: Any) -> None:
    """A loop that is left counts too much or too little, goes on, or counts as failed."""
    with capture() as seen:
        leave()
        found = of_loop(seen)
    assert (found["count"], found["end"], found["error_count"]) == (5, "left", 0)
    assert seen.span("rows").status.status_code.name == "UNSET"


def fail_by_raise() -> None:
    for i in each(range(9), "rows"):
        if i == 4:
            raise KeyError("four")


def fail_by_call() -> None:
    for i in each(range(9), "rows"):
        {j: j for j in range(9) if j != 4}[i]


def fail_in_with() -> None:
    for i in each(range(9), "rows"):
        with contextlib.nullcontext():
            try:
                if i == 4:
                    raise KeyError("four")
            except ValueError:
                pass


def fail_in_async() -> None:
    async def work(i: int) -> None:
        await asyncio.sleep(0)
        if i == 4:
            raise KeyError("four")

    async def main() -> None:
        for i in each(range(9), "rows"):
            await work(i)

    asyncio.run(main())


def fail_in_async_for() -> None:
    async def items() -> AsyncIterator[int]:
        for i in range(9):
            await asyncio.sleep(0)
            yield i

    async def main() -> None:
        async for i in each(items(), "rows"):
            if i == 4:
                raise KeyError("four")

    asyncio.run(main())


@pytest.mark.parametrize(
    "fail", [fail_by_raise, fail_by_call, fail_in_with, fail_in_async, fail_in_async_for]
)
def test_an_exception_that_leaves_the_loop_is_known_by_its_index(fail: Any) -> None:
    """A loop that an exception leaves counts as left by break, or does not say where."""
    with capture() as seen:
        with pytest.raises(KeyError):
            fail()
        found = of_loop(seen)
    assert (found["count"], found["end"], found["error_count"]) == (5, "failed", 1)
    assert list(found["errors"]) == ["4: an exception left the loop"]
    assert seen.span("rows").status.description == "failed at index 4"


def test_an_exception_is_told_with_its_type_where_the_loop_can_know_it() -> None:
    """An error of the items, of a loop inside ``with``, or one that is handed in lacks its type or index."""

    def items() -> Iterator[int]:
        yield from range(4)
        raise OSError("gone")

    with capture() as seen:
        with pytest.raises(OSError, match="gone"):
            for _ in each(items(), "rows"):
                pass
        assert list(of_loop(seen)["errors"]) == ["4: OSError: gone"]
        assert of_loop(seen)["count"] == 4
        assert seen.span("rows").events[0].name == "exception"
        seen.clear()
        with pytest.raises(KeyError), each(range(9), "rows") as rows:  # noqa: PT012
            for i in rows:
                if i == 3:
                    raise KeyError("three")
        assert list(of_loop(seen)["errors"]) == ["3: KeyError: 'three'"]
        seen.clear()
        rows = each(range(100), "rows")
        for i in rows:
            try:
                1 / (i % 2)
            except ZeroDivisionError as error:
                rows.failed(error)
        found = of_loop(seen)
    assert (found["error_count"], found["end"], len(found["errors"])) == (50, "exhausted", 20)
    assert found["errors"][1] == "2: ZeroDivisionError: division by zero"


def test_async_loops_are_told_too() -> None:
    """An async for has no span, other items, or is not known to be left."""

    async def items() -> AsyncIterator[int]:
        for i in range(5):
            await asyncio.sleep(0)
            yield i

    async def main() -> list[int]:
        got = [i async for i in each(items(), "all")]
        async for i in each(items(), "rows"):
            if i == 2:
                break
        with otel_kit.span("after"):
            return got

    with capture() as seen:
        assert asyncio.run(main()) == [0, 1, 2, 3, 4]
        assert of_loop(seen, "all")["count"] == 5
        assert (of_loop(seen)["count"], of_loop(seen)["end"]) == (3, "left")
        assert seen.span("after").parent is None


def test_iterations_have_spans_on_request_and_are_thinned() -> None:
    """``spans=True`` gives no spans, unlimited ones, or they lie in one another."""
    with capture() as seen:
        for i in each(range(2000), "rows", spans=True):
            if i == 0:
                with otel_kit.span("first"):
                    pass
    turns = [span for span in seen.spans if span.name == "rows item"]
    indexes = [(span.attributes or {})[semconv.LOOP_INDEX] for span in turns]
    assert indexes == [*range(100), *range(100, 1000, 10), *range(1000, 2000, 100)]
    parents = {span.parent.span_id for span in turns if span.parent}
    assert parents == {seen.span("rows").context.span_id}  # type: ignore[union-attr]
    assert seen.span("first").parent.span_id == turns[0].context.span_id  # type: ignore[union-attr]


def test_loops_inside_one_another_and_side_by_side() -> None:
    """Nested loops, or two that one zip goes through, confuse their counts."""
    with capture() as seen:
        for _ in each(range(3), "outer"):
            for _ in each(range(4), "inner"):
                pass
        assert len(list(zip(each("abc", "left"), each("abcd", "right"), strict=False))) == 3
        assert [of_loop(seen, name)["count"] for name in ("outer", "left")] == [3, 3]
        assert sorted(span.name for span in seen.spans) == ["inner"] * 3 + ["left", "outer", "right"]
        with otel_kit.span("after"):
            pass
        assert seen.span("after").parent is None


def test_a_million_iterations_leave_memory_flat_and_counts_exact() -> None:
    """A long loop loses counts, or memory grows with its length."""
    with capture() as seen:
        for _ in each(range(1000), "warm"):
            pass
        gc.collect()
        tracemalloc.start()
        before = tracemalloc.get_traced_memory()[0]
        highest = 0
        for i in each(itertools.repeat(None, 30_000), "traced"):
            if i is not None:
                break
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        total = sum(each(range(1_000_000), "rows"))
    assert total == 499_999_500_000
    assert of_loop(seen)["count"] == 1_000_000
    assert highest - before < 100_000


def test_quantiles_are_within_five_percent() -> None:
    """The p95 is off by more than the docstring says."""
    durations = Durations(3)
    for i in range(1, 1001):
        durations.add(i / 1000)
    assert durations.quantile(0.95) == pytest.approx(0.95, rel=0.05)
    assert durations.quantile(0.5) == pytest.approx(0.5, rel=0.05)
    assert [index for index, _ in durations.slowest] == [999, 998, 997]
    assert (durations.mean, Durations(0).mean, Durations(0).quantile(0.9)) == (pytest.approx(0.5005), 0, 0)
    none = Durations(0)
    none.add(0.0)
    assert none.slowest == []


def test_while_the_part_is_off_the_items_own_iterator_is_used() -> None:
    """A loop that emits nothing is slowed down, or is another one."""
    rows = [1, 2, 3]
    assert type(iter(each(rows, "rows"))) is type(iter(rows))
    assert list(each(rows, "rows")) == rows


def test_wrong_arguments_are_named() -> None:
    """A wrong argument is taken, or something that is no iterable fails otherwise than without ``each``."""
    for options in ({"slowest": -1}, {"slowest": 1000}, {"spans": 1}):
        with pytest.raises(ArgumentError, match=r"each\("):
            each([], "x", **options)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"each\(name\)"):
        each([], 3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="not iterable"):
        list(each(3, "x"))  # type: ignore[arg-type]


def test_loops_side_by_side_leave_nothing_current() -> None:
    """Of two loops in a zip, or of one that another thread finishes, a span that is over stays the current one."""
    with capture() as seen:
        for _ in zip(each([1, 2], "a", spans=True), each([1, 2], "b", spans=True), strict=True):
            pass
        assert trace.get_current_span() is trace.INVALID_SPAN
        rows: Any = iter(each([1, 2, 3], "rows", spans=True))
        next(rows)
        thread = threading.Thread(target=list, args=(rows,))
        thread.start()
        thread.join()
        del rows, thread
        assert trace.get_current_span() is trace.INVALID_SPAN
        with each([1, 2], "held", spans=True) as held:
            steps = iter(held)
            next(steps)
            thread = threading.Thread(target=lambda: list(steps))
            thread.start()
            thread.join()
        assert trace.get_current_span() is trace.INVALID_SPAN
        with otel_kit.span("later") as later:
            assert later.parent is None  # type: ignore[attr-defined]
    assert all(span.end_time for span in seen.spans)
    assert [span.name for span in seen.spans].count("rows item") == 3
