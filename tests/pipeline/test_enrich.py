"""The ids that hold where a span or a record is made are on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import context as otel_context
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider as StockTracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_kit import bind, bind_context, clear_context
from otel_kit.context import Baggage
from otel_kit.export.spans import TracerProvider
from otel_kit.pipeline.enrich import LogEnricher, SpanEnricher
from otel_kit.pipeline.limit import LogLimiter


@pytest.fixture(autouse=True)
def nothing_is_bound() -> Iterator[None]:
    """No ids before and after."""
    clear_context()
    yield
    clear_context()


@pytest.fixture(params=["ours", "stock"])
def traced(request: pytest.FixtureRequest) -> tuple[Any, InMemorySpanExporter]:
    """A tracer of our provider and of the SDK's, and where its spans arrive."""
    memory = InMemorySpanExporter()
    provider: Any = (
        TracerProvider() if request.param == "ours" else StockTracerProvider(resource=Resource({}))
    )
    provider.add_span_processor(SpanEnricher())
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return provider.get_tracer("shop"), memory


def test_spans_carry_the_ids(traced: tuple[Any, InMemorySpanExporter]) -> None:
    """A span in a block has not the ids of the block, or one after it still has them."""
    tracer, memory = traced
    with bind(request_id="r", tenant="blue"), tracer.start_as_current_span("in"):
        tracer.start_span("inner", attributes={"tenant": "explicit"}).end()
    tracer.start_span("after").end()
    assert [dict(span.attributes or {}) for span in memory.get_finished_spans()] == [
        {"tenant": "explicit", "otel_kit.request.id": "r"},
        {"otel_kit.request.id": "r", "tenant": "blue"},
        {},
    ]


def test_ids_bound_inside_a_span_outlive_it(traced: tuple[Any, InMemorySpanExporter]) -> None:
    """An id bound inside a span is lost at the span's end."""
    tracer, memory = traced
    with tracer.start_as_current_span("login"):
        bind_context(user_id="u")
    tracer.start_span("after").end()
    assert dict(memory.get_finished_spans()[1].attributes or {}) == {"user.id": "u"}


def test_ids_of_the_caller(traced: tuple[Any, InMemorySpanExporter]) -> None:
    """Ids that came as baggage are not on the span that is started in the extracted context."""
    tracer, memory = traced
    context = Baggage(["request_id"]).extract({"baggage": "otel_kit.request.id=r"}, otel_context.Context())
    tracer.start_span("server", context=context).end()
    assert dict(memory.get_finished_spans()[0].attributes or {}) == {"otel_kit.request.id": "r"}


def test_records_carry_the_ids() -> None:
    """A log record in a block has not the ids of the block, or loses its own attribute to one."""
    memory = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_log_record_processor(LogEnricher())
    provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    logger = provider.get_logger("shop")
    with bind(request_id="r", tenant="blue"):
        logger.emit(LogRecord(body="a", attributes={"tenant": "explicit"}))
        logger.emit(LogRecord(body="b"))
    logger.emit(LogRecord(body="c"))
    assert [dict(each.log_record.attributes or {}) for each in memory.get_finished_logs()] == [
        {"tenant": "explicit", "otel_kit.request.id": "r"},
        {"otel_kit.request.id": "r", "tenant": "blue"},
        {},
    ]


def test_the_callers_own_dict_stays_as_it_is() -> None:
    """Attributes that the program goes on using get our ids, or change what was emitted."""
    mine = {"a": 1}
    for steps in ((LogEnricher(),), (LogLimiter(),), (LogEnricher(), LogLimiter())):
        record = ReadWriteLogRecord(LogRecord(body="a"), Resource({}))
        record.log_record.attributes = mine
        with bind(request_id="r"):
            for step in steps:
                step.on_emit(record)
        mine["later"] = 2
        assert "later" not in (record.log_record.attributes or {})
        assert mine.pop("later") == 2
        assert mine == {"a": 1}
