"""Measured blocks and functions: what they took, and where the time went, counted for real."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import logging
import os
import pickle
import sys
import threading
import time
from collections.abc import AsyncGenerator, Generator, Iterator
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.pool import StaticPool

import otel_kit
from otel_kit import OtelKitError, semconv
from otel_kit.context import tally
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured, Log
from otel_kit.toolkit.code.measure import measure
from otel_kit.toolkit.code.measured import measured
from otel_kit.toolkit.code.operations import MOST, OTHERS, Operation, _begin_anew, add, operations


@pytest.fixture(autouse=True)
def no_operations() -> Iterator[None]:
    _begin_anew()
    yield
    _begin_anew()


def told(captured: Captured) -> list[Log]:
    return [log for log in captured.logs if log.event_name == semconv.EVENT_OPERATION]


def count(record: Log, kind: str) -> Any:
    return record.attributes.get(semconv.OPERATION_COUNT + kind, 0)


@measured
def module_function(number: int = 1, *, word: str = "a") -> tuple[int, str]:
    """Its docstring."""
    return number, word


def test_a_block_says_where_its_time_went() -> None:
    """The record, the span or the histogram of a measured block is missing, or lacks what was counted."""
    with capture(instrument=["sqlalchemy"]) as captured:
        engine = create_engine("sqlite://", poolclass=StaticPool)
        with measure("restock") as m, engine.begin() as connection:
            for _ in range(3):
                connection.execute(text("SELECT 1"))
            otel_kit.get_logger("shop").warning("nearly empty")
        engine.dispose()
        points = captured.metrics[
            semconv.METRIC_OPERATION_DURATION
        ].data.data_points  # first: exemplars are given once
        span = captured.span("restock")
        (record,) = told(captured)
    (point,) = (point for point in points if (point.attributes or {})[semconv.OPERATION_NAME] == "restock")
    attributes = dict(span.attributes or {})
    assert m.counts == {"query": 3, "log.warning": 1}
    for found in (attributes, record.attributes):
        assert found[semconv.OPERATION_COUNT + "query"] == 3
        assert found[semconv.OPERATION_TIME + "query"] == m.seconds["query"]
        assert found[semconv.OPERATION_COUNT + "log.warning"] == 1
        assert found[semconv.OPERATION_CPU_TIME] == m.cpu > 0
        assert found[semconv.OPERATION_PROCESS_CPU_TIME] > 0
        assert found[semconv.OPERATION_THREADS] >= 1  # type: ignore[operator]
        assert found[semconv.OPERATION_OWN_TIME] == m.duration - m.seconds["query"]
    assert record.body.startswith("restock ")
    assert " in 3 queries, own code " in record.body
    assert (record.severity_text, record.span_id, record.scope) == ("INFO", span.context.span_id, __name__)
    assert record.attributes[semconv.CODE_FUNCTION_NAME].endswith(
        f".{test_a_block_says_where_its_time_went.__name__}"
    )
    assert point.sum == m.duration  # type: ignore[union-attr]
    assert point.exemplars[0].span_id == span.context.span_id


def test_a_slow_operation_is_a_warning() -> None:
    """A slow operation is no warning, or its sentence does not say where the time went; a fast one is a warning."""
    with capture() as captured:
        with measure("GET /search", slower_than=0.005):
            tally.count(tally.QUERY, 0.0042, times=15)
            time.sleep(0.006)
        with measure("GET /search", slower_than=60):
            """Is fast."""
        slow, fast = told(captured)
    assert (slow.severity_text, fast.severity_text) == ("WARN", "INFO")
    begin, _, rest = slow.body.partition(": ")
    assert begin == "slow"
    assert rest.startswith("GET /search ")
    assert " ms: database 4.2 ms in 15 queries, own code " in rest
    assert fast.body.startswith("GET /search ")


def test_an_exception_passes_and_is_told() -> None:
    """An exception that ends a measured function does not pass as it is, or is missing from count, span or record."""

    @measured("charge")
    def charge() -> None:
        raise LookupError("no card")

    with capture() as captured:
        with pytest.raises(LookupError, match="no card"):
            charge()
        (record,) = told(captured)
        span = captured.span("charge")
        (point,) = captured.metrics[semconv.METRIC_OPERATION_DURATION].data.data_points[-1:]
    assert record.body.startswith("charge failed with LookupError after ")
    assert (
        record.attributes[semconv.ERROR_TYPE] == (span.attributes or {})[semconv.ERROR_TYPE] == "LookupError"
    )
    assert (count(record, "exception"), count(record, "log.error")) == (1, 1)
    assert not span.status.is_ok
    assert (point.attributes or {})[semconv.ERROR_TYPE] == "LookupError"
    assert operations()["charge"].errors == 1


def test_memory_before_after_and_at_its_peak() -> None:
    """What an operation takes in memory is not seen."""
    with capture() as captured:
        with measure("load"):
            kept = bytearray(64 << 20)
            kept[::4096] = b"x" * len(kept[::4096])
        (record,) = told(captured)
    before, after, peak = (
        record.attributes[name]
        for name in (
            semconv.OPERATION_MEMORY_BEFORE,
            semconv.OPERATION_MEMORY_AFTER,
            semconv.OPERATION_MEMORY_PEAK,
        )
    )
    assert after - before > 48 << 20
    assert peak >= after


def test_ten_thousand_tasks_are_kept_apart() -> None:
    """With ten thousand measured tasks at the same time, one has a count, an exception or CPU time of another."""

    @measured("task")
    async def task(number: int) -> int:
        for _ in range(number % 4):
            tally.count(tally.QUERY, 0.001)
            await asyncio.sleep(0)
        with contextlib.suppress(ValueError), otel_kit.bind(number=number):
            if number % 3 == 0:
                raise ValueError
        return number

    async def program() -> list[int]:
        return await asyncio.gather(*(task(number) for number in range(10_000)))

    with capture(log_level="info") as captured:
        with measure("all") as everything:
            assert asyncio.run(program()) == list(range(10_000))
        records = told(captured)
        assert len(captured.spans) == 10_001
    tasks = records[:-1]
    assert sorted(count(record, "query") for record in tasks) == sorted(
        number % 4 for number in range(10_000)
    )
    assert everything.counts == {"query": 15_000}
    assert operations()["task"].times == 10_000
    assert sum(record.attributes[semconv.OPERATION_CPU_TIME] for record in tasks) < everything.cpu


def test_nested_operations_count_for_those_around() -> None:
    """What an inner operation did is missing from the outer one, or what the kit says about it is counted as the program's."""
    with capture(), measure("outer") as outer:
        tally.count(tally.QUERY)
        with measure("inner") as inner:
            tally.count(tally.QUERY)
    assert (inner.counts, outer.counts) == ({"query": 1}, {"query": 2})


def test_cpu_time_of_a_coroutine_is_its_own() -> None:
    """A coroutine that waits has the CPU time of what runs meanwhile."""

    @measured("waits")
    async def waits() -> None:
        await asyncio.sleep(0.01)

    async def works() -> None:
        end = time.thread_time() + 0.1
        while time.thread_time() < end:
            """Works."""

    async def program() -> None:
        await asyncio.gather(waits(), works())

    with capture() as captured:
        asyncio.run(program())
        (record,) = told(captured)
    assert record.attributes[semconv.OPERATION_CPU_TIME] < 0.05
    assert record.attributes[semconv.OPERATION_PROCESS_CPU_TIME] > 0.09


# nothing changes for the program


def test_a_function_stays_what_it_is() -> None:
    """Signature, name, docstring, kind or pickling of a measured function is another one."""
    assert (
        str(inspect.signature(module_function))
        == "(number: 'int' = 1, *, word: 'str' = 'a') -> 'tuple[int, str]'"
    )
    assert (module_function.__name__, module_function.__doc__) == ("module_function", "Its docstring.")
    assert pickle.loads(pickle.dumps(module_function)) is module_function

    @measured
    async def coroutine() -> int:
        return 1

    @measured
    def generator() -> Iterator[int]:
        yield 1

    @measured
    async def async_generator() -> AsyncGenerator[int, None]:
        yield 1

    assert inspect.iscoroutinefunction(coroutine)
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)


@pytest.mark.parametrize("on", [True, False])
def test_results_are_the_same(on: bool) -> None:
    """A measured function, method, generator or coroutine gives another result, with the part on or off."""

    class Shop:
        @measured
        def plain(self, number: int) -> tuple[Any, int]:
            return type(self), number

        @measured("named")
        @classmethod
        def of_class(cls) -> Any:
            return cls

        @staticmethod
        @measured
        def static() -> str:
            return "static"

        @measured
        def generator(self) -> Generator[int, int, str]:
            got = yield 1
            try:
                yield got
            except KeyError:
                yield -1
            return "end"

        @measured
        async def coroutine(self) -> int:
            await asyncio.sleep(0)
            return 7

        @measured
        async def async_generator(self) -> AsyncGenerator[int, int]:
            got = yield 1
            try:
                yield got
            except KeyError:
                yield -1

    async def program() -> tuple[Any, ...]:
        steps = shop.async_generator()
        return (
            await shop.coroutine(),
            await anext(steps),
            await steps.asend(5),
            await steps.athrow(KeyError()),
            [item async for item in steps],
        )

    shop = Shop()
    with capture(disabled_toolkit=() if on else ["code"]) as captured:
        assert shop.plain(2) == (Shop, 2)
        assert shop.of_class() is Shop.of_class() is Shop
        assert shop.static() == Shop.static() == "static"
        steps = shop.generator()
        assert (next(steps), steps.send(5), steps.throw(KeyError())) == (1, 5, -1)
        with pytest.raises(StopIteration) as stop:
            next(steps)
        assert stop.value.value == "end"
        assert asyncio.run(program()) == (7, 1, 5, -1, [])
        assert functools.partial(shop.plain, 3)() == (Shop, 3)
        assert measured(max)(1, 2) == 2
        assert len(told(captured)) == (10 if on else 0)
        assert len(captured.spans) == (10 if on else 0)


def test_a_generator_counts_its_own_steps() -> None:
    """A generator has what its caller does in between, or a generator that is left early is an error or never told."""

    @measured("rows")
    def rows() -> Iterator[int]:
        for number in range(100):
            tally.count(tally.QUERY)
            yield number

    with capture() as captured:
        for number in rows():
            tally.count(tally.HTTP_CALL)
            if number == 2:
                break
        (record,) = told(captured)
        span = captured.span("rows")
    assert (count(record, "query"), count(record, "http_call")) == (3, 0)
    assert span.status.is_ok or span.status.status_code.name == "UNSET"
    assert semconv.ERROR_TYPE not in record.attributes
    assert not tally.is_counting()


def test_a_cancelled_task_is_cancelled_as_before() -> None:
    """The cancellation of a measured coroutine is lost, or counts as an error."""

    @measured("waits")
    async def waits() -> None:
        await asyncio.sleep(60)

    async def program() -> bool:
        task = asyncio.create_task(waits())
        await asyncio.sleep(0.01)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        return task.cancelled()

    with capture() as captured:
        assert asyncio.run(program())
        assert operations()["waits"].errors == 0
        assert captured.span("waits").status.status_code.name == "UNSET"


def test_a_recursion_gets_as_deep_as_before() -> None:
    """A measured function that calls itself 900 times hits the recursion limit, or the limit is another one afterwards."""

    @measured("sum")
    def total(number: int) -> int:
        return 0 if not number else number + total(number - 1)

    limit = sys.getrecursionlimit()
    with capture():
        assert total(900) == 900 * 901 // 2
    assert sys.getrecursionlimit() == limit
    assert operations()["sum"].times == 901


def test_threads_that_carry_the_context_count() -> None:
    """A statement in a thread that the operation started is missing."""

    def work() -> None:
        for _ in range(100):
            tally.count(tally.QUERY)

    with capture(), measure("parallel") as m:
        threads = [threading.Thread(target=otel_kit.carry(work)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert m.counts == {"query": 400}


def test_off_it_is_as_if_it_were_not_there() -> None:
    """With the part off, or without telemetry, a measured block counts, adds to the operations, or raises."""
    with measure("before") as m:
        tally.count(tally.QUERY)
    with capture(disabled_toolkit=["code"]) as captured:
        with measure("off") as n:
            tally.count(tally.QUERY)
        assert not captured.logs
        assert not captured.spans
    assert m.counts == n.counts == m.seconds == {}
    assert (m.duration, m.cpu, operations()) == (0.0, 0.0, {})


def test_records_follow_the_level_of_the_module() -> None:
    """Operations of a module whose level is WARNING still make INFO records, or slow ones none."""
    with capture(log_level=f"info,{__name__}=warning") as captured:
        with measure("fast"):
            """Is fast."""
        with measure("slow", slower_than=0):
            """Is slow enough."""
        assert [record.body.split()[1] for record in told(captured)] == ["slow"]


@pytest.mark.parametrize(
    ("make", "valid"),
    [
        (lambda: measure(""), "a text"),
        (lambda: measure(7), "a text"),  # type: ignore[arg-type]
        (lambda: measure("a", slower_than="2s"), "seconds as a number"),  # type: ignore[arg-type]
        (lambda: measured("a", slower_than=-1), "seconds as a number"),
        (lambda: measured(7), "a text, or nothing"),  # type: ignore[call-overload]
        (lambda: measured("a")(7), "a function or a method"),  # type: ignore[type-var]
        (lambda: measured("a")(int), "a function or a method"),
    ],
)
def test_wrong_arguments_are_named(make: Any, valid: str) -> None:
    """A wrong argument is taken in silence, or the message does not say what is valid."""
    with capture(), pytest.raises(OtelKitError, match=valid):
        make()


# operations


def test_operations_have_percentiles_and_the_slowest() -> None:
    """Percentiles are off by more than 2%, or the slowest cannot be found by its trace id."""
    for number in range(1, 1001):
        add("import", number / 1000, failed=number % 10 == 0, trace_id=f"{number:032x}")
    found = operations()["import"]
    assert found == Operation(1000, 100, found.p50, found.p95, found.p99, 1.0, f"{1000:032x}")
    for share, seconds in ((0.5, found.p50), (0.95, found.p95), (0.99, found.p99)):
        assert abs(seconds - share) <= 0.021 * share


def test_operations_are_bounded() -> None:
    """Names made up by a program fill the memory, or their operations are not counted."""
    for number in range(3 * MOST):
        add(f"order {number}", 0.001, failed=False, trace_id="")
    assert len(operations()) <= MOST + 1
    assert operations()[OTHERS].times == 2 * MOST


def test_threads_add_up_exactly() -> None:
    """Operations that end in several threads at once are lost."""
    with capture(log_level="error"):

        def work() -> None:
            for _ in range(200):
                with measure("parallel"):
                    """Does nothing."""

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert operations()["parallel"].times == 1600


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_child_begins_anew(run_program: Any) -> None:
    """A child tells of operations of its parent, or waits for a lock that the parent held."""
    done = run_program(
        """
        import os, otel_kit
        from otel_kit.toolkit.code.measure import measure
        from otel_kit.toolkit.code.operations import operations
        otel_kit.init_telemetry("shop", traces_exporter="none", metrics_exporter="none", logs_exporter="none", console="off")
        with measure("parent"):
            if os.fork() == 0:
                with measure("child"):
                    pass
                print(sorted(operations()), flush=True)
                os._exit(0)
            os.wait()
        print(sorted(operations()), flush=True)
        """
    )
    assert done.stdout.splitlines() == ["['child']", "['parent']"], done.stderr


def test_the_standard_library_is_counted_too() -> None:
    """A record of ``logging`` is missing from the counts of the operation."""
    with capture(), measure("logs") as m:
        logging.getLogger("shop").error("broken")
    assert m.counts == {"log.error": 1}


def test_the_first_block_is_not_billed_for_the_kits_own_imports(run_program: Any) -> None:
    """Within the first measured block modules are imported, and count as its CPU time."""
    done = run_program(
        """
        import sys
        import otel_kit

        otel_kit.init_telemetry("shop", traces_exporter="none", metrics_exporter="none", logs_exporter="none")
        log = otel_kit.get_logger("shop")
        with otel_kit.measure("restock"):
            before = set(sys.modules)
            log.info("restocked", amount=3)
        print(sorted(name for name in set(sys.modules) - before if name.startswith(("otel_kit", "opentelemetry"))))
        """
    )
    assert done.stdout.strip() == "[]", done.stderr


def test_what_is_faster_than_a_millisecond_is_told_in_microseconds() -> None:
    """A short operation is said to have taken 0.0 ms."""
    with capture() as captured, measure("quick"):
        pass
    assert "µs" in told(captured)[0].body
