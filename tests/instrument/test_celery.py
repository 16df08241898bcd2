"""Celery's tasks: sent through a broker in memory, and run by a worker of Celery's in a thread."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace

import otel_kit
from otel_kit.instrument import celery as celery_file
from otel_kit.testing.capture import Captured, capture
from tests.instrument.service import eventually

celery = pytest.importorskip("celery")

pytestmark = pytest.mark.filterwarnings("ignore")
app: Any = celery.Celery("shop", broker="memory://", backend="cache+memory://")
app.conf.update(
    task_default_queue="shop",
    broker_transport_options={"polling_interval": 0.01},
    worker_hijack_root_logger=False,
)


@app.task(name="shop.where")  # type: ignore[untyped-decorator]
def where() -> list[Any]:
    return [otel_kit.current_context(), trace.get_current_span().get_span_context().trace_id]


@app.task(name="shop.fail")  # type: ignore[untyped-decorator]
def fail() -> None:
    raise ValueError("no such order")


@app.task(name="shop.again", bind=True, max_retries=2)  # type: ignore[untyped-decorator]
def again(self: Any) -> int:
    if self.request.retries < 1:
        raise self.retry(exc=KeyError("not yet"), countdown=0)
    return int(self.request.retries)


@pytest.fixture(scope="module")
def worker() -> Iterator[None]:
    from celery.contrib.testing.worker import start_worker

    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    with start_worker(app, perform_ping_check=False, pool="solo", loglevel="error", shutdown_timeout=10):
        yield
    root.setLevel(level)  # Celery makes itself at home
    root.handlers[:] = handlers


@pytest.fixture
def seen(worker: None) -> Iterator[Captured]:
    with capture() as captured:
        celery_file.instrument()
        celery_file.instrument()
        yield captured
        celery_file.undo()
        celery_file.undo()


def spans(seen: Captured, name: str, count: int = 1) -> list[Any]:
    found: list[Any] = eventually(
        lambda: found if len(found := [span for span in seen.spans if span.name == name]) >= count else []
    )
    return found


def test_a_task_belongs_to_the_trace_that_sent_it(seen: Captured) -> None:
    """A task runs in a trace of its own, without the ids, or leaves some of them to the next one."""
    with otel_kit.bind(request_id="r-7"), otel_kit.get_tracer(__name__).start_as_current_span("work") as work:
        found = where.delay().get(timeout=20)
        trace_id = work.get_span_context().trace_id
    assert found == [{"request_id": "r-7"}, trace_id]
    assert where.delay().get(timeout=20)[0] == {}
    (publish, _), (process, _) = spans(seen, "publish shop.where", 2), spans(seen, "process shop.where", 2)
    assert publish.parent.span_id == seen.span("work").context.span_id
    assert process.parent.span_id == publish.context.span_id
    assert (publish.kind.name, process.kind.name) == ("PRODUCER", "CONSUMER")
    assert process.attributes["messaging.destination.name"] == "shop"
    assert process.attributes["otel_kit.task.state"] == "SUCCESS"
    assert process.attributes["messaging.message.id"] == publish.attributes["messaging.message.id"] != ""
    (point,) = seen.metrics["messaging.process.duration"].data.data_points
    assert point.count == 2


def test_a_task_that_fails_is_an_error(seen: Captured) -> None:
    """The failure of a task is not on its span."""
    with pytest.raises(ValueError, match="no such order"):
        fail.delay().get(timeout=20)
    (span,) = spans(seen, "process shop.fail")
    assert span.attributes["error.type"] == "ValueError"
    assert span.status.status_code.name == "ERROR"
    assert span.attributes["otel_kit.task.state"] == "FAILURE"


def test_retries_are_runs_of_the_same_trace(seen: Captured) -> None:
    """A run that is tried again looks like a failure, or belongs to another trace."""
    assert again.delay().get(timeout=20) == 1
    first, second = spans(seen, "process shop.again", 2)
    assert first.context.trace_id == second.context.trace_id
    assert [event.name for event in first.events] == ["otel_kit.task.retry"]
    assert second.attributes["otel_kit.task.retries"] == 1
    assert (first.attributes["otel_kit.task.state"], second.attributes["otel_kit.task.state"]) == (
        "RETRY",
        "SUCCESS",
    )


def test_a_task_that_is_called_at_once_is_part_of_its_caller(seen: Captured) -> None:
    """A task that runs without a broker begins a trace of its own."""
    with otel_kit.bind(request_id="r-8"), otel_kit.get_tracer(__name__).start_as_current_span("work") as work:
        found = where.apply().get()
        assert found == [{"request_id": "r-8"}, work.get_span_context().trace_id]
        assert trace.get_current_span() is work


def test_off_is_off(seen: Captured) -> None:
    """Something is emitted after undo."""
    celery_file.undo()
    where.delay().get(timeout=20)
    assert seen.spans == []
