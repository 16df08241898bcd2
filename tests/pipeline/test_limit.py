"""Whatever is in a field: nothing raised, and the good items beside it arrive with the cleaned one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.sdk._logs import ReadWriteLogRecord
from opentelemetry.sdk.metrics._internal.exemplar import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from otel_kit import _guard
from otel_kit.export.spans import TracerProvider
from otel_kit.pipeline.limit import (
    LogLimiter,
    clean_attributes,
    clean_metrics,
    clean_span,
    clean_text,
    clean_value,
)
from tests.pipeline.hostile import HOSTILE, check_all

GOOD = 10  # beside each hostile one; more would only take longer
RESOURCE = Resource({"service.name": "shop"})
SCOPE = InstrumentationScope("shop")
CONTEXT = SpanContext(1, 2, False, TraceFlags(1))


def span(**fields: Any) -> ReadableSpan:
    """A good span, but for the given fields."""
    good: dict[str, Any] = {
        "name": "good",
        "context": CONTEXT,
        "resource": RESOURCE,
        "instrumentation_scope": SCOPE,
        "attributes": {"a": 1},
        "start_time": 1,
        "end_time": 2,
    }
    return ReadableSpan(**{**good, **fields})


def arrived(spans: Sequence[ReadableSpan]) -> list[Any]:
    """The spans as a receiver sees them."""
    wire = encode_spans(spans).SerializeToString()
    request = type(encode_spans([]))()
    request.ParseFromString(wire)
    return [
        span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans
    ]


SPAN_FIELDS: dict[str, Callable[[Any], ReadableSpan]] = {
    "name": lambda value: span(name=value),
    "attribute value": lambda value: span(attributes={"a": value}),
    "attribute key": lambda value: span(attributes=Pairs([(value, 1)])),
    "attributes": lambda value: span(attributes=value),
    "event name": lambda value: span(events=[Event(value, {}, 1)]),
    "event time": lambda value: span(events=[Event("e", {}, value)] if value is not None else []),
    "event attribute": lambda value: span(events=[Event("e", {"a": value}, 1)]),
    "event attribute key": lambda value: span(events=[Event("e", Pairs([(value, 1)]), 1)]),  # type: ignore[arg-type]
    "link attribute": lambda value: span(links=[Link(CONTEXT, {"a": value})]),
    "link context": lambda value: span(links=[Link(value)]),
    "status": lambda value: span(status=value),
    "status description": lambda value: span(status=status(value)),
    "kind": lambda value: span(kind=value),
    "parent": lambda value: span(parent=value),
    "start": lambda value: span(start_time=value),
    "end": lambda value: span(end_time=value),
    "scope name": lambda value: span(instrumentation_scope=InstrumentationScope(value)),
    "scope version": lambda value: span(instrumentation_scope=InstrumentationScope("s", value)),
    "resource attribute": lambda value: span(resource=resource(value)),
}


class Pairs(dict[Any, Any]):
    """A mapping that holds what cannot be hashed."""

    def __init__(self, pairs: list[tuple[Any, Any]]) -> None:
        super().__init__(here=1)
        self._pairs = pairs

    def items(self) -> Any:
        return self._pairs


def status(description: Any) -> Status:
    """A status that did not look at its description."""
    made = Status(StatusCode.ERROR)
    made._description = description
    return made


def resource(value: Any) -> Resource:
    """A resource that did not look at its attributes."""
    made = Resource({"service.name": "shop"})
    made._attributes = {"service.name": "shop", "hostile": value}  # type: ignore[assignment]
    return made


@pytest.mark.parametrize("field", SPAN_FIELDS)
def test_a_hostile_span_costs_nothing_else(field: str) -> None:
    """A hostile value in a field of one span raises, or costs that span or one beside it."""

    good = [clean_span(span(name=f"good {number}")) for number in range(GOOD)]

    def check(value: Any) -> None:
        hostile = clean_span(SPAN_FIELDS[field](value))
        received = arrived([*good[:50], hostile, *good[50:]])
        assert len(received) == GOOD + 1
        assert all(each.end_time_unix_nano >= each.start_time_unix_nano for each in received)
        assert sum(each.name.startswith("good ") for each in received) == GOOD

    _guard.reset(reraise=False)
    check_all(check)


def test_a_good_span_is_passed_on_as_it_is() -> None:
    """A span with nothing to clean is copied: that costs every span."""
    good = span(
        kind=SpanKind.SERVER,
        parent=CONTEXT,
        attributes={"a": "x", "b": 1, "c": True, "d": 1.5, "e": ("x", "y"), "f": b"x"},
        events=[Event("e", {"a": 1}, 5)],
        links=[Link(CONTEXT, {"a": 1})],
        status=Status(StatusCode.ERROR, "no"),
    )
    attributes = good.attributes
    assert clean_attributes(attributes) is attributes
    assert clean_span(good).attributes == attributes
    provider = TracerProvider(
        processors=[SimpleSpanProcessor(memory := InMemorySpanExporter())], clean=clean_value
    )
    with provider.get_tracer("t").start_as_current_span("s", attributes={"a": 1, "b": ["x"]}) as current:
        current.add_event("e", {"a": [1, 2]})
        current.add_link(CONTEXT, {"a": 1})
    (ended,) = memory.get_finished_spans()
    assert clean_span(ended) is ended


def test_what_is_cleaned_keeps_the_rest() -> None:
    """Cleaning one field of a span loses another one, or the counts of what was dropped."""
    attributes = BoundedAttributes(2, {"a": 1, "b": 2, "c": 3})
    hostile = span(
        name="\ud800",
        kind=SpanKind.CLIENT,
        parent=CONTEXT,
        attributes=attributes,
        events=[Event("e", {"a": 1}, 7)],
        links=[Link(CONTEXT, {"a": 1}), Link(SpanContext(2**200, 1, True))],
        status=Status(StatusCode.ERROR, "no"),
        start_time=-5,
        end_time=10,
    )
    cleaned = clean_span(hostile)
    assert cleaned.name == "\ufffd"
    assert (cleaned.kind, cleaned.parent, cleaned.context) == (SpanKind.CLIENT, CONTEXT, CONTEXT)
    assert dict(cleaned.attributes or {}) == {"b": 2, "c": 3}
    assert cleaned.dropped_attributes == 1
    assert [event.name for event in cleaned.events] == ["e"]
    assert [link.context for link in cleaned.links] == [CONTEXT]
    assert (cleaned.start_time, cleaned.end_time) == (0, 10)
    assert cleaned.status.description == "no"
    assert cleaned.resource is RESOURCE
    assert cleaned.instrumentation_scope is SCOPE
    (received,) = arrived([cleaned])
    assert received.dropped_attributes_count == 1


def record(**fields: Any) -> ReadWriteLogRecord:
    """A good record, but for the given fields, past the limiter."""
    made = ReadWriteLogRecord(LogRecord(body="good", timestamp=1), RESOURCE, SCOPE)
    for name, value in fields.items():
        setattr(made if hasattr(made, name) else made.log_record, name, value)
    LogLimiter().on_emit(made)
    return made


LOG_FIELDS: dict[str, Callable[[Any], ReadWriteLogRecord]] = {
    "body": lambda value: record(body=value),
    "attribute value": lambda value: record(attributes={"a": value}),
    "attribute key": lambda value: record(attributes=Pairs([(value, 1)])),
    "attributes": lambda value: record(attributes=value),
    "severity text": lambda value: record(severity_text=value),
    "severity number": lambda value: record(severity_number=value),
    "event name": lambda value: record(event_name=value),
    "timestamp": lambda value: record(timestamp=value),
    "observed timestamp": lambda value: record(observed_timestamp=value),
    "trace id": lambda value: record(trace_id=value),
    "span id": lambda value: record(span_id=value),
    "trace flags": lambda value: record(trace_flags=value),
    "scope name": lambda value: record(instrumentation_scope=InstrumentationScope(value)),
    "resource attribute": lambda value: record(resource=resource(value)),
}


@pytest.mark.parametrize("field", LOG_FIELDS)
def test_a_hostile_record_costs_nothing_else(field: str) -> None:
    """A hostile value in a field of one log record raises, or costs that record or one beside it."""

    good = [record(body=f"good {number}") for number in range(GOOD)]

    def check(value: Any) -> None:
        hostile = LOG_FIELDS[field](value)
        wire = encode_logs([*good[:50], hostile, *good[50:]]).SerializeToString()  # type: ignore[arg-type]
        request = type(encode_logs([]))()
        request.ParseFromString(wire)
        received = [r for res in request.resource_logs for scope in res.scope_logs for r in scope.log_records]
        assert len(received) == GOOD + 1
        assert sum(each.body.string_value.startswith("good ") for each in received) == GOOD

    _guard.reset(reraise=False)
    check_all(check)


def test_a_records_values_are_snapshots() -> None:
    """What the program changes after the call changes what is sent."""
    items, nested = [1, 2], {"list": [1]}
    made = record(body=nested, attributes={"items": items})
    items.append(3)
    nested["list"].append(2)
    assert made.log_record.body == {"list": (1,)}
    assert dict(made.log_record.attributes or {}) == {"items": (1, 2)}


def test_a_good_record_is_left_as_it_is() -> None:
    """A record with nothing to clean gets another body or attribute container."""
    made = ReadWriteLogRecord(
        LogRecord(body="text", severity_number=SeverityNumber.INFO, attributes={"a": 1}), RESOURCE, SCOPE
    )
    attributes = made.log_record.attributes
    LogLimiter().on_emit(made)
    assert made.log_record.attributes is attributes
    assert made.resource is RESOURCE
    assert made.instrumentation_scope is SCOPE


def number_point(**fields: Any) -> NumberDataPoint:
    """A good point, but for the given fields."""
    return NumberDataPoint(
        **{
            "attributes": {"a": 1},
            "start_time_unix_nano": 1,
            "time_unix_nano": 2,
            "value": 1,
            "exemplars": [],
            **fields,
        }
    )


def histogram_point(**fields: Any) -> HistogramDataPoint:
    """A good histogram point, but for the given fields."""
    good: dict[str, Any] = {
        "attributes": {"a": 1},
        "start_time_unix_nano": 1,
        "time_unix_nano": 2,
        "count": 1,
        "sum": 1.0,
        "bucket_counts": [1, 0],
        "explicit_bounds": [1.0],
        "min": 1.0,
        "max": 1.0,
        "exemplars": [],
    }
    return HistogramDataPoint(**{**good, **fields})


def total(*points: Any, **fields: Any) -> Metric:
    """A good metric, but for the given fields."""
    data = Sum(points, AggregationTemporality.CUMULATIVE, True)
    return Metric(**{"name": "good", "description": "", "unit": "1", "data": data, **fields})


def distribution(*points: Any) -> Metric:
    """A histogram of these points."""
    return Metric("good", "", "s", Histogram(points, AggregationTemporality.CUMULATIVE))


METRIC_FIELDS: dict[str, Callable[[Any], Metric]] = {
    "name": lambda value: total(number_point(), name=value),
    "description": lambda value: total(number_point(), description=value),
    "unit": lambda value: total(number_point(), unit=value),
    "attribute value": lambda value: total(number_point(attributes={"a": value})),
    "attribute key": lambda value: total(number_point(attributes=Pairs([(value, 1)]))),
    "value": lambda value: total(number_point(value=value)),
    "time": lambda value: total(number_point(time_unix_nano=value)),
    "start": lambda value: total(number_point(start_time_unix_nano=value)),
    "sum": lambda value: distribution(histogram_point(sum=value)),
    "least": lambda value: distribution(histogram_point(min=value)),
    "histogram attribute": lambda value: distribution(histogram_point(attributes={"a": value})),
    "exemplar attribute": lambda value: total(number_point(exemplars=[Exemplar({"a": value}, 1, 1, 2, 3)])),
    "exemplar value": lambda value: total(number_point(exemplars=[Exemplar({}, value, 1, 2, 3)])),
    "exemplar time": lambda value: distribution(histogram_point(exemplars=[Exemplar({}, 1, value, 2, 3)])),
    "exemplar ids": lambda value: total(number_point(exemplars=[Exemplar({}, 1, 1, value, value)])),
}


@pytest.mark.parametrize("field", METRIC_FIELDS)
def test_a_hostile_metric_costs_nothing_else(field: str) -> None:
    """A hostile value in a field of one metric raises, or costs one beside it."""

    good = [total(number_point(), name=f"good {number}") for number in range(GOOD)]

    def check(value: Any) -> None:
        scoped = ScopeMetrics(SCOPE, [*good[:50], METRIC_FIELDS[field](value), *good[50:]], "")
        data = clean_metrics(MetricsData([ResourceMetrics(RESOURCE, [scoped], "")]))
        wire = encode_metrics(data).SerializeToString()
        request = type(encode_metrics(MetricsData([])))()
        request.ParseFromString(wire)
        received = request.resource_metrics[0].scope_metrics[0].metrics
        assert len(received) == GOOD + 1
        assert sum(each.name.startswith("good ") for each in received) == GOOD

    _guard.reset(reraise=False)
    check_all(check)


def test_good_metrics_are_passed_on_as_they_are() -> None:
    """A collection with nothing to clean is copied."""
    metrics = [
        total(number_point(exemplars=[Exemplar({"a": 1}, 1, 1, 2, 3)])),
        distribution(histogram_point()),
    ]
    data = MetricsData([ResourceMetrics(RESOURCE, [ScopeMetrics(SCOPE, metrics, "")], "")])
    assert clean_metrics(data) is data


def test_cleaning_is_quick_and_bounded() -> None:
    """A hostile value takes long or stays large."""

    def check(value: Any) -> None:
        begun = time.perf_counter()
        cleaned = clean_value(value)
        assert time.perf_counter() - begun < 2
        assert len(repr(cleaned)) < 3_000_000
        assert clean_value(cleaned) == cleaned or cleaned != cleaned

    _guard.reset(reraise=False)
    check_all(check)


def test_what_becomes_of_values() -> None:
    """A value is cleaned to something else than documented."""
    assert clean_value("a\ud800b") == "a\ufffdb"
    assert clean_value("\ud83d\ude00") == "😀"
    assert clean_value(2**63) == "9223372036854775808"
    assert clean_value(2**63 - 1) == 2**63 - 1
    assert clean_value(True) is True
    assert clean_value(HOSTILE["cyclic list"]) == (1, "[cycle]")
    assert clean_value(HOSTILE["no text"]) == "<Unspeakable cannot be shown>"
    assert clean_value(HOSTILE["Decimal"]) == "1.10"
    assert clean_value(HOSTILE["datetime"]) == "2026-01-02 00:00:00+00:00"
    assert clean_value(HOSTILE["UUID"]) == "00000000-0000-0000-0000-000000000007"
    assert clean_value(HOSTILE["Path"]) == "/tmp/x"
    assert clean_value(HOSTILE["Enum"]) == "Color.RED"
    assert clean_value(HOSTILE["exception"]) == "ValueError('inside')"
    assert clean_value(HOSTILE["odd text"]) == "odd"
    assert clean_value(HOSTILE["odd number"]) == 5
    assert clean_value({1: {"a": [1, {2}]}}) == {"1": {"a": (1, (2,))}}
    assert clean_value(range(1002))[-1] == "[3 more]"
    assert clean_value({str(number): 1 for number in range(1001)})["[2 more]"] is True
    assert len(clean_value("x" * 100_000)) == 65_536
    assert len(clean_text("x" * 100, 10)) == 10


def depth_of(value: Any) -> int:
    """How many containers are inside one another."""
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, tuple) else 0


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters())
    | st.text(st.characters(categories=["Cs"]))
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.sampled_from(["no text", "no string", "broken mapping", "Enum"]).map(lambda kind: HOSTILE[kind]),
    lambda inside: (
        st.lists(inside)
        | st.dictionaries(st.integers() | st.text(st.characters()), inside)
        | st.tuples(inside)
    ),
    max_leaves=30,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(anything)
def test_any_value_can_be_encoded(value: Any) -> None:
    """Some nested value raises, or comes out so that the encoder refuses it."""
    from opentelemetry.exporter.otlp.proto.common._internal import _encode_value

    cleaned = clean_value(value)
    assert depth_of(cleaned) <= 16
    wire = _encode_value(cleaned).SerializeToString()
    AnyValue().ParseFromString(wire)


def test_a_value_that_others_are_changing() -> None:
    """A dict that another thread changes while it is copied costs the item."""
    import threading

    shared: dict[str, int] = {}
    going = True

    def change() -> None:
        number = 0
        while going:
            shared[f"k{number % 500}"] = number
            shared.pop(f"k{(number * 7) % 500}", None)
            number += 1

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(300):
            assert isinstance(clean_value(shared), dict)
    finally:
        going = False
        thread.join()
    assert _guard.contained_counts() == {}
