"""Ids are bound, nested, restored, and follow the work."""

from __future__ import annotations

import asyncio
import gc
import pickle
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import structlog

from otel_kit import bind, bind_context, carry, clear_context, current_context, unbind_context
from otel_kit.context import attributes


@pytest.fixture(autouse=True)
def nothing_is_bound() -> Iterator[None]:
    """Each test begins without ids and leaves none."""
    clear_context()
    yield
    clear_context()
    structlog.contextvars.clear_contextvars()


class Unspeakable:
    """Its text cannot be had."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def test_a_block_binds_and_restores() -> None:
    """After a nested block the ids of the outer one do not hold again."""
    with bind(request_id="r-1", tenant="blue"):
        with bind(request_id="r-2", user_id=7):
            assert current_context() == {"request_id": "r-2", "tenant": "blue", "user_id": 7}
        assert current_context() == {"request_id": "r-1", "tenant": "blue"}
    assert current_context() == {}


def test_wire_names() -> None:
    """An id has another name on the wire than the agreed one."""
    with bind(request_id=1, correlation_id=2, user_id=3, session_id=4, run_id=5, workflow_id=6, tenant=7):
        assert dict(attributes()) == {
            "otel_kit.request.id": 1,
            "otel_kit.correlation.id": 2,
            "user.id": 3,
            "session.id": 4,
            "otel_kit.run.id": 5,
            "otel_kit.workflow.id": 6,
            "tenant": 7,
        }


def test_values_are_kept_or_become_text() -> None:
    """A plain value changes its type, or another one is not turned into bounded text."""
    with bind(a="x", b=1, c=1.5, d=True, e=[1], f="y" * 5000, g=2**80, h="\ud800", i=Unspeakable()):
        ids = current_context()
    assert (ids["a"], ids["b"], ids["c"], ids["d"]) == ("x", 1, 1.5, True)
    assert ids["e"] == "[1]"
    assert len(ids["f"]) == 1024
    assert ids["g"] == str(2**80)
    assert ids["h"] == "?"
    assert ids["i"] == "<Unspeakable without a text>"


def test_none_hides_an_id_inside_the_block() -> None:
    """``bind(user_id=None)`` shows the outer id, or takes it away for good."""
    with bind(user_id="u"):
        with bind(user_id=None):
            assert current_context() == {}
        assert current_context() == {"user_id": "u"}


def test_without_a_block() -> None:
    """Ids bound without a block do not hold until they are unbound or cleared."""
    bind_context(request_id="r", tenant="blue")
    bind_context(tenant="red")
    assert current_context() == {"request_id": "r", "tenant": "red"}
    unbind_context("tenant", "never bound")
    assert current_context() == {"request_id": "r"}
    clear_context()
    assert current_context() == {}


@pytest.mark.parametrize("name", [5, None, ["request_id"]])
def test_a_name_that_is_no_text_is_named(name: Any) -> None:
    """A wrong name to unbind is silently ignored, or raises without saying what it is."""
    bind_context(request_id="r")
    with pytest.raises(TypeError, match=r"the name of an id is .*; valid: text"):
        unbind_context("request_id", name)
    assert current_context() == {"request_id": "r"}


def test_what_a_block_binds_without_a_block_ends_with_it() -> None:
    """``bind_context`` inside a ``bind`` block, or ``clear_context`` there, outlives the block."""
    with bind(request_id="r"):
        with bind(step=1):
            bind_context(extra=True)
            assert current_context() == {"request_id": "r", "step": 1, "extra": True}
        assert current_context() == {"request_id": "r"}
        with bind(step=2):
            clear_context()
            assert current_context() == {}
        assert current_context() == {"request_id": "r"}


def test_the_number_of_ids_is_bounded() -> None:
    """Binding ever new names grows the context without a bound."""
    for number in range(1000):
        bind_context(**{f"id{number}": number})
    assert len(current_context()) == 128


def test_decorator_of_a_function() -> None:
    """A decorated function runs without the ids, leaks them, or loses its name."""

    @bind(run_id="n")
    def work(x: int) -> dict[str, Any]:
        return {**current_context(), "x": x}

    assert work(3) == {"run_id": "n", "x": 3}
    assert work.__name__ == "work"
    assert current_context() == {}


def test_decorator_of_a_coroutine_function() -> None:
    """A decorated coroutine function has its ids only until it first waits."""

    @bind(run_id="n")
    async def work() -> dict[str, Any]:
        await asyncio.sleep(0)
        return current_context()

    assert asyncio.run(work()) == {"run_id": "n"}
    assert asyncio.iscoroutinefunction(work)


def test_decorator_of_generators() -> None:
    """A decorated generator runs without the ids, or they hold in its caller between two steps."""

    @bind(run_id="n")
    def items() -> Iterator[dict[str, Any]]:
        yield current_context()
        yield current_context()

    @bind(run_id="n")
    async def pages() -> AsyncIterator[dict[str, Any]]:
        await asyncio.sleep(0)
        yield current_context()

    async def main() -> None:
        async for page in pages():
            assert (page, current_context()) == ({"run_id": "n"}, {})

    for item in items():
        assert (item, current_context()) == ({"run_id": "n"}, {})
    asyncio.run(main())


def test_async_with() -> None:
    """``async with bind(...)`` does not bind or does not restore."""

    async def work() -> None:
        async with bind(run_id="n"):
            assert current_context() == {"run_id": "n"}
        assert current_context() == {}

    asyncio.run(work())


def test_a_thousand_tasks_do_not_mix() -> None:
    """One of a thousand asyncio tasks sees the ids of another one."""

    async def work(number: int) -> bool:
        with bind(request_id=number):
            for _ in range(3):
                await asyncio.sleep(0)
                with bind(step=number * 2):
                    await asyncio.sleep(0)
                    if current_context() != {"request_id": number, "step": number * 2}:
                        return False
            return current_context() == {"request_id": number}

    async def main() -> list[bool]:
        return await asyncio.gather(*(work(number) for number in range(1000)))

    assert all(asyncio.run(main()))
    assert current_context() == {}


def test_a_task_keeps_the_ids_of_the_block_that_started_it() -> None:
    """A background task loses its ids when the block that started it ends."""

    async def job() -> dict[str, Any]:
        await asyncio.sleep(0.01)
        return current_context()

    async def main() -> dict[str, Any]:
        with bind(request_id="r"):
            task = asyncio.create_task(job())
        return await task

    assert asyncio.run(main()) == {"request_id": "r"}


def test_one_block_object_in_two_tasks() -> None:
    """One ``bind`` object entered by two tasks at once restores the wrong ids."""
    block = bind(shared=True)

    async def work(number: int) -> dict[str, Any]:
        with bind(n=number):
            with block:
                await asyncio.sleep(0.001 * number)
            return current_context()

    async def main() -> list[dict[str, Any]]:
        return await asyncio.gather(work(2), work(1))

    assert asyncio.run(main()) == [{"n": 2}, {"n": 1}]


def test_an_abandoned_async_generator_gives_the_ids_back() -> None:
    """The ids of an async generator that was left early stay bound in its caller for good, or something is raised."""

    async def numbers() -> AsyncIterator[int]:
        with bind(inner=True):
            yield 1
            yield 2

    async def main() -> dict[str, Any]:
        with bind(outer=True):
            async for _ in numbers():
                break
            gc.collect()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            return current_context()

    assert asyncio.run(main()) == {"outer": True}


def test_a_generator_closed_inside_a_later_block() -> None:
    """Closing a generator that holds a block takes the ids of the block in which it is closed."""

    def numbers() -> Iterator[int]:
        with bind(inner=True):
            yield 1

    generator = numbers()
    next(generator)
    with bind(later=True):
        generator.close()  # type: ignore[attr-defined]
        assert current_context()["later"] is True
    assert current_context() == {}


def test_structlogs_own_contextvars_count() -> None:
    """An id bound by structlog's ``bind_contextvars`` is not among the attributes, or beats one of ours."""
    structlog.contextvars.bind_contextvars(request_id="s", tenant="blue", nothing=None)
    assert dict(attributes()) == {"otel_kit.request.id": "s", "tenant": "blue"}
    with bind(request_id="ours"):
        assert current_context() == {"request_id": "ours", "tenant": "blue"}
    structlog.contextvars.clear_contextvars()
    assert dict(attributes()) == {}


def test_threads_through_carry() -> None:
    """Jobs of a pool that were carried see no ids, or those of another job."""
    with ThreadPoolExecutor(4) as pool:
        jobs = []
        for number in range(100):
            with bind(request_id=number):
                jobs.append(pool.submit(carry(lambda: current_context()["request_id"])))
        assert [job.result() for job in jobs] == list(range(100))
        assert pool.submit(current_context).result() == {}


def test_an_exception_raised_in_a_block_comes_through() -> None:
    """A block swallows an exception or does not restore after one."""
    with pytest.raises(ZeroDivisionError), bind(request_id="r"):
        raise ZeroDivisionError
    assert current_context() == {}


def test_what_current_context_returns_is_the_callers() -> None:
    """Changing the returned dict changes what is bound, or it cannot be stored."""
    with bind(request_id="r"):
        ids = current_context()
        ids["request_id"] = "changed"
        assert current_context() == {"request_id": "r"}
        assert pickle.loads(pickle.dumps(ids)) == {"request_id": "changed"}
