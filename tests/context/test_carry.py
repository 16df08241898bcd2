"""The context goes along into threads and executors, by itself unless that is off, and never into the next job."""

from __future__ import annotations

import asyncio
import contextvars
import decimal
import gc
import logging
import threading
import weakref
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from opentelemetry import context as otel_context

from otel_kit import bind, bind_context, carry, current_context
from otel_kit.context import carry_threads, tally
from otel_kit.signals.logs import access

OTHER: contextvars.ContextVar[str] = contextvars.ContextVar("other", default="untouched")
KEY = otel_context.create_key("test")


@pytest.fixture
def carried() -> Iterator[None]:
    """Threads carry by themselves."""
    carry_threads(True)
    yield
    carry_threads(False)


def in_thread(function: Any) -> Any:
    """What a function returns in a new thread."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]


def test_carry_takes_every_contextvar() -> None:
    """A carried function misses the ids, OpenTelemetry's context or another contextvar."""
    OTHER.set("mine")
    token = otel_context.attach(otel_context.set_value(KEY, 1))
    with bind(request_id="r"):
        seen = carry(lambda: (current_context(), otel_context.get_value(KEY), OTHER.get()))
    otel_context.detach(token)
    assert in_thread(seen) == ({"request_id": "r"}, 1, "mine")


def test_carry_can_be_called_many_times_at_once() -> None:
    """A carried function cannot run in two threads at the same time, or what one call binds is seen by the next."""
    barrier = threading.Barrier(4)

    def work() -> dict[str, Any]:
        seen = current_context()
        bind_context(leak=True)
        barrier.wait(10)
        return seen

    with bind(request_id="r"):
        job = carry(work)
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            jobs = [pool.submit(job) for _ in range(4)]
            assert [each.result() for each in jobs] == [{"request_id": "r"}] * 4


def test_carry_a_coroutine_function() -> None:
    """A carried coroutine function runs without the ids of the moment at which it was carried."""

    async def work() -> dict[str, Any]:
        await asyncio.sleep(0)
        return current_context()

    with bind(request_id="r"):
        job = carry(work)

    async def main() -> dict[str, Any]:
        with bind(request_id="another"):
            return await job()

    assert asyncio.run(main()) == {"request_id": "r"}


def test_threads_carry_only_on_request(carried: None) -> None:
    """A thread that is started with the setting on has no ids, or one has them after it was switched off."""
    with bind(request_id="r"):
        assert in_thread(current_context) == {"request_id": "r"}
        carry_threads(False)
        assert in_thread(current_context) == {}


def test_timers_and_subclasses_carry(carried: None) -> None:
    """A thread whose class overrides ``run`` has no ids, or its object keeps ours for ever."""
    seen: list[dict[str, Any]] = []

    class Worker(threading.Thread):
        def run(self) -> None:
            seen.append(current_context())

    with bind(request_id="r"):
        worker, timer = Worker(), threading.Timer(0, lambda: seen.append(current_context()))
        worker.start()
        timer.start()
    worker.join()
    timer.join()
    assert seen == [{"request_id": "r"}] * 2


def test_a_pool_job_has_the_ids_of_its_submitter(carried: None) -> None:
    """A job in a pool has the ids of whoever started the worker, or of the job before."""
    with ThreadPoolExecutor(2) as pool:
        jobs = []
        for number in range(50):
            with bind(request_id=number):
                jobs.append(pool.submit(current_context))
        assert [job.result() for job in jobs] == [{"request_id": number} for number in range(50)]
        assert pool.submit(current_context).result() == {}


def test_what_a_job_leaves_behind_does_not_reach_the_next(carried: None) -> None:
    """A job that binds or attaches without taking it back leaks its ids into the next job of the worker."""

    def careless() -> None:
        bind_context(user_id="leaked")
        otel_context.attach(otel_context.set_value(KEY, "leaked"))

    with ThreadPoolExecutor(1) as pool:
        pool.submit(careless).result()
        seen = pool.submit(lambda: (current_context(), otel_context.get_value(KEY))).result()
    assert seen == ({}, None)


def test_a_thread_is_what_it_was_once_it_runs(carried: None) -> None:
    """A thread object that has run is kept alive by what carried its ids, or a ``run`` of its own is lost."""
    seen: list[dict[str, Any]] = []
    with bind(request_id="r"):
        thread, own = threading.Thread(), threading.Thread()
        own.run = lambda: seen.append(current_context())  # type: ignore[method-assign]
        thread.start()
        own.start()
    thread.join()
    own.join()
    assert seen == [{"request_id": "r"}]
    gone = weakref.ref(thread)
    gc.disable()
    try:
        del thread
        assert gone() is None
    finally:
        gc.enable()


def test_the_kits_own_counts_follow(carried: None) -> None:
    """What a thread or a job does is not counted for the work that started it."""
    with tally.Tally() as counted, ThreadPoolExecutor(1) as pool:
        pool.submit(tally.count, tally.QUERY).result()
        in_thread(lambda: tally.count(tally.QUERY))
    assert counted.counts == {tally.QUERY: 2}


def test_a_server_that_is_started_after_a_request_tells_its_own_lines(carried: None) -> None:
    """A thread takes the mark along that a server's line about a request is told already, and hides lines of others."""
    record = logging.makeLogRecord({"name": "uvicorn.access", "levelno": logging.INFO})

    def work() -> tuple[bool, bool]:
        access.begin()
        return access.is_told("uvicorn.access", record, False), in_thread(
            lambda: access.is_told("uvicorn.access", record, False)
        )

    assert contextvars.copy_context().run(work) == (True, False)


def test_it_is_on_by_default(run_program: Any) -> None:
    """A program must ask for its threads to carry ids, or telemetry that was shut down patches threads."""
    done = run_program(
        """
        import threading
        import otel_kit
        start = threading.Thread.start
        telemetry = otel_kit.init_telemetry("shop", instrument=(), console="off", traces_exporter="none",
            metrics_exporter="none", logs_exporter="none")
        from concurrent.futures import ThreadPoolExecutor
        with otel_kit.bind(request_id="r"), ThreadPoolExecutor() as pool:
            print(pool.submit(otel_kit.current_context).result())
            thread = threading.Thread(target=lambda: print(otel_kit.current_context()))
            thread.start()
            thread.join()
        telemetry.shutdown()
        print(threading.Thread.start is start, ThreadPoolExecutor.submit.__module__)
        """
    )
    assert done.stdout.splitlines() == ["{'request_id': 'r'}"] * 2 + ["True concurrent.futures.thread"], (
        done.stderr
    )


def test_other_contextvars_stay_at_home(carried: None) -> None:
    """The setting changes how the program's own contextvars behave in threads."""
    OTHER.set("mine")
    with decimal.localcontext() as context:
        context.prec = 3
        assert in_thread(OTHER.get) == "untouched"
        assert in_thread(lambda: decimal.getcontext().prec) == 28


def test_a_pools_initializer_is_seen_by_its_jobs(carried: None) -> None:
    """What a pool's initializer sets is hidden from the jobs."""
    with ThreadPoolExecutor(1, initializer=OTHER.set, initargs=("by initializer",)) as pool:
        assert pool.submit(OTHER.get).result() == "by initializer"


def test_asyncios_own_executor_carries(carried: None) -> None:
    """``run_in_executor`` runs without the ids of its caller."""

    async def main() -> dict[str, Any]:
        with bind(request_id="r"):
            return await asyncio.get_running_loop().run_in_executor(None, current_context)

    assert asyncio.run(main()) == {"request_id": "r"}


def test_threads_that_serve_everybody_belong_to_nobody(carried: None) -> None:
    """An exporter's thread carries the ids of the request that happened to start it."""
    seen: list[dict[str, Any]] = []
    with bind(request_id="r"):
        thread = threading.Thread(target=lambda: seen.append(current_context()), name="otel_kit traces")
        thread.start()
    thread.join()
    assert seen == [{}]


def test_patches_are_taken_back() -> None:
    """After switching off, ``threading`` and ``concurrent.futures`` are not what they were."""
    before = threading.Thread.start, ThreadPoolExecutor.submit
    carry_threads(True)
    carry_threads(True)
    assert (threading.Thread.start, ThreadPoolExecutor.submit) != before
    carry_threads(False)
    assert (threading.Thread.start, ThreadPoolExecutor.submit) == before


def test_somebody_elses_patch_on_top_survives() -> None:
    """Switching off removes a patch that somebody put on top of ours, or ours goes on underneath it."""
    original = threading.Thread.start
    carry_threads(True)
    ours = threading.Thread.start

    def theirs(self: threading.Thread) -> None:
        ours(self)

    threading.Thread.start = theirs  # type: ignore[method-assign]
    try:
        carry_threads(False)
        assert threading.Thread.start is theirs
        with bind(request_id="r"):
            assert in_thread(current_context) == {}
    finally:
        threading.Thread.start = original  # type: ignore[method-assign]


def test_errors_of_a_carried_thread_are_the_programs(carried: None) -> None:
    """An exception in a pool job does not reach the future."""
    with ThreadPoolExecutor(1) as pool, pytest.raises(ZeroDivisionError):
        pool.submit(lambda: 1 / 0).result()
