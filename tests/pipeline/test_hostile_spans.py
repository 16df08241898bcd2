"""Hostile values through the API: no call raises, the span arrives, and so do the hundred beside it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, Span, SpanContext, Tracer

from otel_kit import _guard, bind
from otel_kit.export.spans import TracerProvider
from otel_kit.pipeline.enrich import SpanEnricher
from otel_kit.pipeline.limit import clean_span, clean_value
from tests.pipeline.hostile import HOSTILE, check_all

ANOTHER = SpanContext(1, 2, True)


class Unsayable(Exception):
    """Its message cannot be had."""

    def __str__(self) -> str:
        raise ValueError("no text")


CALLS: dict[str, Callable[[Span, Any], None]] = {
    "set_attribute value": lambda span, value: span.set_attribute("key", value),
    "set_attribute key": lambda span, value: span.set_attribute(value, 1),
    "set_attributes": lambda span, value: span.set_attributes(value),
    "set_attributes value": lambda span, value: span.set_attributes({"a": value, "b": 1}),
    "add_event name": lambda span, value: span.add_event(value),
    "add_event attributes": lambda span, value: span.add_event("event", value),
    "add_event attribute": lambda span, value: span.add_event("event", {"a": value}),
    "add_event timestamp": lambda span, value: span.add_event("event", timestamp=value),
    "add_link context": lambda span, value: span.add_link(value),
    "add_link attributes": lambda span, value: span.add_link(ANOTHER, value),
    "add_link attribute": lambda span, value: span.add_link(ANOTHER, {"a": value}),
    "update_name": lambda span, value: span.update_name(value),
    "set_status": lambda span, value: span.set_status(value),
    "set_status description": lambda span, value: span.set_status(span_error(), value),
    "record_exception": lambda span, value: span.record_exception(value),
    "record_exception message": lambda span, value: span.record_exception(ValueError(str(type(value)))),
    "record_exception attributes": lambda span, value: span.record_exception(ValueError(), value),
    "record_exception attribute": lambda span, value: span.record_exception(ValueError(), {"a": value}),
    "record_exception timestamp": lambda span, value: span.record_exception(ValueError(), timestamp=value),
    "end": lambda span, value: span.end(value),
}
STARTS = ("name", "context", "kind", "attributes", "links", "start_time")


def span_error() -> Any:
    """The status code of failure."""
    from opentelemetry.trace import StatusCode

    return StatusCode.ERROR


@pytest.fixture
def memory() -> InMemorySpanExporter:
    """Where the spans arrive."""
    return InMemorySpanExporter()


@pytest.fixture(params=["with our cleaning", "with the provider's own"])
def tracer(memory: InMemorySpanExporter, request: pytest.FixtureRequest) -> Tracer:
    """A tracer as set-up makes it, and one without the pipeline."""
    _guard.reset(reraise=False)
    provider = TracerProvider(
        resource=Resource({"service.name": "shop"}),
        processors=[SpanEnricher(), SimpleSpanProcessor(memory)],
        clean=clean_value if request.param == "with our cleaning" else None,
    )
    return provider.get_tracer("shop")


def arrived(memory: InMemorySpanExporter) -> int:
    """How many spans there are after the encoder."""
    request = encode_spans([clean_span(span) for span in memory.get_finished_spans()])
    type(request)().ParseFromString(request.SerializeToString())
    memory.clear()
    return sum(len(scope.spans) for resource in request.resource_spans for scope in resource.scope_spans)


@pytest.mark.parametrize("call", CALLS)
def test_no_call_on_a_span_raises(tracer: Tracer, memory: InMemorySpanExporter, call: str) -> None:
    """Some call with a hostile value raises into the program, or costs the span."""

    def check(value: Any) -> None:
        with tracer.start_as_current_span("good") as span:
            CALLS[call](span, value)

    check_all(check)
    assert arrived(memory) == len(HOSTILE)


@pytest.mark.parametrize("argument", STARTS)
def test_no_start_of_a_span_raises(tracer: Tracer, memory: InMemorySpanExporter, argument: str) -> None:
    """Some hostile argument at the start raises into the program, or costs the span."""

    def check(value: Any) -> None:
        arguments: dict[str, Any] = {"name": "good", argument: value}
        with tracer.start_as_current_span(**arguments):
            pass
        tracer.start_span(**arguments).end()

    check_all(check)
    assert arrived(memory) == 2 * len(HOSTILE)


def test_hostile_parts_of_the_start(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """A hostile attribute or link at the start raises, or costs the span or the other attributes."""

    def check(value: Any) -> None:
        links = [Link(ANOTHER, {"a": value}), value]
        tracer.start_span("s", attributes={"a": value, "b": 1}, links=links).end()

    check_all(check)
    ended = memory.get_finished_spans()
    assert all((span.attributes or {})["b"] == 1 for span in ended)
    assert all(len(span.links) == 1 for span in ended)
    assert arrived(memory) == len(HOSTILE)


def test_hostile_scopes(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """A hostile name, version or attribute of a tracer raises, or costs its spans."""
    provider: Any = tracer._provider  # type: ignore[attr-defined]

    def check(value: Any) -> None:
        for scope in (
            (value,),
            ("s", value),
            ("s", "1", value),
            ("s", "1", "", {"a": value}),
            ("s", "1", "", value),
        ):
            provider.get_tracer(*scope).start_span("s").end()

    check_all(check)
    assert arrived(memory) == 5 * len(HOSTILE)


def test_hostile_ids(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """A hostile value bound as an id raises, or costs the spans in its block."""

    def check(value: Any) -> None:
        with bind(request_id=value), tracer.start_as_current_span("s"):
            pass

    check_all(check)
    ended = memory.get_finished_spans()
    assert sum("otel_kit.request.id" in (span.attributes or {}) for span in ended) == len(HOSTILE) - 1
    assert arrived(memory) == len(HOSTILE)


def test_an_exception_without_a_message(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """An exception whose text cannot be had replaces itself by another, or costs the span."""
    with pytest.raises(Unsayable), tracer.start_as_current_span("s"):
        raise Unsayable
    (ended,) = memory.get_finished_spans()
    (event,) = ended.events
    assert (event.attributes or {})["exception.message"] == "<Unsayable cannot be shown>"
    assert arrived(memory) == 1


def test_a_deep_recursion(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """A RecursionError in the program is not recorded, or becomes another error."""

    def deeper(levels: int) -> int:
        return deeper(levels + 1)

    with pytest.raises(RecursionError), tracer.start_as_current_span("s"):
        deeper(0)
    (ended,) = memory.get_finished_spans()
    assert (ended.attributes or {})["error.type"] == "RecursionError"
    assert arrived(memory) == 1


def test_spans_at_the_limit_of_the_stack(tracer: Tracer, memory: InMemorySpanExporter) -> None:
    """A span in a function that has used up the stack raises something else than the program would have."""

    def deeper() -> None:
        with tracer.start_as_current_span("s") as span:
            span.set_attribute("a", [1])
            deeper()

    with pytest.raises(RecursionError):
        deeper()
    assert arrived(memory) > 100
