"""What is counted within a piece of work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import otel_kit
from otel_kit.context import tally


def test_a_tally_holds_what_happened_inside() -> None:
    """Something inside the block is missing from the tally, or something outside is in it."""
    tally.count(tally.QUERY)
    with tally.Tally() as counted:
        tally.count(tally.QUERY, 0.25)
        tally.count(tally.QUERY, 0.5, times=2)
    tally.count(tally.QUERY)
    assert (counted.counts, counted.seconds) == ({"query": 3}, {"query": 0.75})


def test_the_work_around_counts_too() -> None:
    """What happens in an inner block is missing from the outer one's tally."""
    with tally.Tally() as outer:
        with tally.Tally() as inner:
            tally.count(tally.CACHE_HIT)
        tally.count(tally.CACHE_HIT)
    assert (inner.counts, outer.counts) == ({"cache_hit": 1}, {"cache_hit": 2})


async def _counted(number: int) -> int:
    with tally.Tally() as counted:
        for _ in range(number):
            tally.count(tally.HTTP_CALL)
            await asyncio.sleep(0)
    return counted.counts["http_call"]


def test_concurrent_tasks_are_kept_apart() -> None:
    """A task's tally has calls of another task that runs at the same time."""

    async def program() -> list[int]:
        return await asyncio.gather(*(_counted(number) for number in range(1, 20)))

    with tally.Tally() as outer:
        assert asyncio.run(program()) == list(range(1, 20))
    assert outer.counts["http_call"] == sum(range(1, 20))


def test_threads_that_carry_the_context_count_exactly() -> None:
    """A count from one of several threads is lost."""

    def work() -> None:
        for _ in range(1000):
            tally.count(tally.QUERY)

    with tally.Tally() as counted, ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(otel_kit.carry(work)) for _ in range(8)]:
            done.result()
    assert counted.counts["query"] == 8000


def test_facts_reach_every_open_tally() -> None:
    """A tally that keeps facts does not hear of something told inside it."""

    class Notes(tally.Tally):
        def __init__(self) -> None:
            super().__init__()
            self.heard: list[tuple[str, Mapping[str, Any]]] = []

        def hear(self, kind: str, facts: Mapping[str, Any]) -> None:
            self.heard.append((kind, facts))

    with Notes() as outer, tally.Tally(), Notes() as inner:
        tally.tell("check", name="null rate", passed=False)
    assert outer.heard == inner.heard == [("check", {"name": "null rate", "passed": False})]


def test_tasks_that_start_their_successor_keep_no_line() -> None:
    """Each of a thousand tasks that start the next one keeps all before it in memory, and counts into them."""
    depths: list[int] = []

    async def work(left: int) -> None:
        with tally.Tally() as counted:
            tally.count(tally.QUERY)
            if left:
                asyncio.get_running_loop().create_task(work(left - 1))
        await asyncio.sleep(0)
        depth, step = 0, counted
        while step is not None:
            depth, step = depth + 1, step._around  # type: ignore[assignment]
        depths.append(depth)

    async def program() -> None:
        await work(1000)
        while len(depths) <= 1000:
            await asyncio.sleep(0)

    asyncio.run(program())
    assert max(depths) <= 3


def test_work_in_steps_counts_what_its_steps_do() -> None:
    """A tally of several steps has what happened between them, or lacks what happened in them."""
    counted = tally.Tally()
    with tally.Tally() as outer:
        for _ in range(3):
            token = counted.begin_step()
            tally.count(tally.QUERY)
            counted.end_step(token)
            tally.count(tally.HTTP_CALL)
    assert (counted.counts, outer.counts) == ({"query": 3}, {"query": 3, "http_call": 3})


def test_a_step_inside_of_itself_ends() -> None:
    """Counting never ends where a step of some work begins another step of the same work."""
    counted = tally.Tally()
    with tally.Tally() as outer:
        counted.begin_step()
        with tally.Tally():
            counted.begin_step()
            tally.count(tally.QUERY)
    assert counted.counts == outer.counts == {"query": 1}
