"""Work beside the request: ids and the current span in other threads and processes."""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.pool
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest
from opentelemetry import trace

import otel_kit
from otel_kit.instrument import multiprocessing as multiprocessing_file
from otel_kit.testing.capture import Captured, capture

WAYS = ["spawn", "forkserver", "fork"]
Where = tuple[dict[str, Any], int]

pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")


def where(_: object = None) -> Where:
    """The ids and the trace that hold where this runs."""
    return otel_kit.current_context(), trace.get_current_span().get_span_context().trace_id


def tell(pipe: Any) -> None:
    pipe.send(where())


class Worker(multiprocessing.get_context("spawn").Process):  # type: ignore[name-defined,misc]
    def __init__(self, pipe: Any) -> None:
        super().__init__()
        self.pipe = pipe

    def run(self) -> None:
        tell(self.pipe)


@pytest.fixture
def seen() -> Iterator[Captured]:
    with capture() as captured:
        multiprocessing_file.instrument()
        multiprocessing_file.instrument()
        yield captured
        multiprocessing_file.undo()
        multiprocessing_file.undo()


def here() -> Where:
    return where()


def in_process(make: Any) -> Where:
    ours, theirs = multiprocessing.Pipe()
    process = make(theirs)
    process.start()
    theirs.close()
    found: Where = ours.recv()
    process.join(10)
    ours.close()
    return found


@pytest.mark.parametrize("way", WAYS)
def test_a_process_has_what_its_starter_had(seen: Captured, way: str) -> None:
    """A child process has other ids than its parent, or belongs to no trace."""
    make = multiprocessing.get_context(way).Process  # type: ignore[attr-defined]
    with otel_kit.bind(request_id="r-7"), otel_kit.get_tracer(__name__).start_as_current_span("work"):
        expected = here()
        assert in_process(lambda pipe: make(target=tell, args=(pipe,))) == expected


def test_a_process_with_a_run_of_its_own_has_it_too(seen: Captured) -> None:
    """A subclass of Process that overrides run is left out."""
    with otel_kit.bind(run_id="nightly"), otel_kit.get_tracer(__name__).start_as_current_span("work"):
        expected = here()
        assert in_process(Worker) == expected


@pytest.mark.parametrize("way", ["spawn", "fork"])
def test_a_job_of_an_executor_has_what_its_submitter_had(seen: Captured, way: str) -> None:
    """A job has the ids of whoever started the worker, or those of the job before."""
    with (
        otel_kit.bind(request_id="first"),
        otel_kit.get_tracer(__name__).start_as_current_span("first"),
    ):
        pool = ProcessPoolExecutor(1, mp_context=multiprocessing.get_context(way))
        expected = here()
        assert pool.submit(where).result(20) == expected
    with pool:
        with otel_kit.bind(request_id="second"):
            assert pool.submit(where).result(20) == ({"request_id": "second"}, 0)
            assert list(pool.map(where, [1, 2])) == [({"request_id": "second"}, 0)] * 2
        assert pool.submit(where).result(20) == ({}, 0)


def test_a_job_of_a_pool_has_what_its_submitter_had(seen: Captured) -> None:
    """The same for multiprocessing.Pool in all of its ways."""
    with otel_kit.bind(request_id="first"):
        pool = multiprocessing.get_context("fork").Pool(1)
    with pool:
        with otel_kit.bind(request_id="second"):
            expected = here()
            assert pool.apply(where) == expected
            assert pool.map(where, [1, 2]) == [expected] * 2
            assert pool.starmap(where, [(1,)]) == [expected]
            assert list(pool.imap(where, [1])) == [expected]
            assert list(pool.imap_unordered(where, [1])) == [expected]
        assert pool.apply(where) == ({}, 0)


def test_a_pool_takes_its_job_by_name_too(seen: Captured) -> None:
    """A call that multiprocessing allows raises, or its job has not what its submitter had."""
    with multiprocessing.get_context("fork").Pool(1) as pool, otel_kit.bind(request_id="second"):
        expected = here()
        assert pool.apply_async(func=where).get(10) == expected
        assert list(pool.imap(func=where, iterable=[1])) == [expected]
        assert list(pool.imap_unordered(func=where, iterable=[1])) == [expected]
        assert pool.map_async(func=where, iterable=[1]).get(10) == [expected]
        with pytest.raises(TypeError, match="func"):
            pool.apply_async()


def test_off_is_off(seen: Captured) -> None:
    """Something follows after undo."""
    multiprocessing_file.undo()
    make = multiprocessing.get_context("spawn").Process
    with otel_kit.bind(request_id="r-7"):
        assert in_process(lambda pipe: make(target=tell, args=(pipe,))) == ({}, 0)


def test_to_thread_has_what_its_caller_had(seen: Captured) -> None:
    """asyncio.to_thread loses ids or the current span."""

    async def work() -> tuple[Where, Where]:
        with otel_kit.bind(request_id="r-7"), otel_kit.get_tracer(__name__).start_as_current_span("work"):
            return here(), await asyncio.to_thread(where)

    expected, found = asyncio.run(work())
    assert found == expected
