"""Every field of spans, log records and metrics, as it is exported."""

from __future__ import annotations

import json

import pytest
from opentelemetry._logs import LogRecord
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags, TraceState

from otel_kit.pipeline.redact import (
    Redactor,
    Rules,
    redact_log,
    redact_mapping,
    redact_metrics,
    redact_resource,
    redact_span,
    redaction_counts,
)

VALUE = "q7AbCdEfGhIjKlMn99"


@pytest.fixture
def redactor() -> Redactor:
    return Redactor()


def ended(**fields: object) -> ReadableSpan:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "t"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    context = SpanContext(1, 2, True, TraceFlags(1), TraceState([("vendor", f"token={VALUE}")]))
    link = Link(context, {"auth_token": VALUE})
    span = provider.get_tracer(f"scope token={VALUE}").start_span(f"GET /?token={VALUE}", links=[link])
    span.set_attribute("db.query.text", "UPDATE u SET name = ?, password = ?")
    span.set_attribute("db.query.parameter.0", "ann")
    span.set_attribute("db.query.parameter.1", VALUE)
    span.set_attribute("process.command_args", ["app", "--api-key", VALUE])
    span.set_attribute(f"password={VALUE}", 1)
    span.set_attribute("user.name", "ann")
    span.add_event(f"login password={VALUE}", {"client_secret": VALUE})
    span.record_exception(ValueError(f"bad dsn postgresql://app:{VALUE}@db/x"))
    span.set_status(Status(StatusCode.ERROR, f"api_key={VALUE}"))
    span.end()
    (done,) = exporter.get_finished_spans()
    return done


def shown(span: ReadableSpan) -> str:
    states = [span.context.trace_state, *(link.context.trace_state for link in span.links)]
    return span.to_json() + str(span.instrumentation_scope) + str([state.to_header() for state in states])


def test_no_field_of_a_span_shows_a_secret(redactor: Redactor) -> None:
    """A secret leaves in a name, attribute, key, event, link, status, scope or trace state of a span."""
    span = ended()
    assert VALUE in shown(span)
    redacted = redact_span(redactor, span)
    assert VALUE not in shown(redacted)
    assert redacted.attributes is not None
    assert redacted.attributes["user.name"] == "ann"
    assert redacted.attributes["db.query.parameter.0"] == "ann"
    assert redacted.attributes["process.command_args"] == ("app", "--api-key", "[redacted:api_key]")
    assert (redacted.start_time, redacted.end_time, redacted.context.trace_id) == (
        span.start_time,
        span.end_time,
        span.context.trace_id,
    )
    assert redacted.status.status_code is StatusCode.ERROR


def test_a_harmless_span_is_passed_on(redactor: Redactor) -> None:
    """A span without secrets is copied."""
    span = ReadableSpan(
        "GET /orders",
        attributes={"http.response.status_code": 200, "url.path": "/orders/7"},
        resource=Resource({}),
    )
    assert redact_span(redactor, span) is span


def test_counts_of_dropped_attributes_are_kept(redactor: Redactor) -> None:
    """A redacted span forgets how many attributes it had dropped."""
    held = BoundedAttributes(maxlen=1, attributes={"a": 1, "password": VALUE}, immutable=False)
    redacted = redact_span(redactor, ReadableSpan("x", attributes=held, resource=Resource({})))
    assert redacted.dropped_attributes == 1
    assert dict(redacted.attributes or {}) == {"password": "[redacted:password]"}


def test_no_field_of_a_log_record_shows_a_secret(redactor: Redactor) -> None:
    """A secret leaves in the body, the attributes, the event name, the severity text or the traceback of a record."""
    trace = (
        f'Traceback:\n  File "a.py", line 9\n    connect(user="root", password="{VALUE}")\nRuntimeError: x\n'
    )
    record = LogRecord(
        body={"msg": f"token={VALUE}", "nested": [{"password": VALUE}]},
        severity_text=f"password={VALUE}",
        event_name=f"login secret={VALUE}",
        attributes={
            "exception.stacktrace": trace,
            "exception.message": f"Bearer {VALUE}",
            "data": {"pwd": VALUE},
            "n": 1,
        },
    )
    redact_log(redactor, record)
    assert VALUE not in json.dumps(
        [record.body, record.severity_text, record.event_name, dict(record.attributes or {})]
    )
    assert 'connect(user="root", password="[redacted:password]")' in str(record.attributes)
    assert record.attributes is not None
    assert record.attributes["n"] == 1


def test_a_dropped_key_is_gone() -> None:
    """A key that a user's rule drops is still there."""
    record = LogRecord(body="x", attributes={"internal_note": "a", "n": 1})
    redact_log(Redactor(Rules(keys={"internal note": "drop"})), record)
    assert dict(record.attributes or {}) == {"n": 1}


def test_series_stay_apart_and_exemplars_are_clean(redactor: Redactor) -> None:
    """A secret leaves in a metric, or two series become one."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=Resource({}), shutdown_on_exit=False)
    counter = provider.get_meter("m").create_counter("calls", description=f"token={VALUE}")
    for token in (VALUE, VALUE + "x", "none"):
        counter.add(1, {"auth_token": token, "route": "/"})
    data = redact_metrics(redactor, reader.get_metrics_data())  # type: ignore[arg-type]
    metric = data.resource_metrics[0].scope_metrics[0].metrics[0]
    seen = [dict(point.attributes or {}) for point in metric.data.data_points]
    assert VALUE not in data.to_json()
    assert len({point["auth_token"] for point in seen}) == 3
    assert {point["route"] for point in seen} == {"/"}
    again = redact_metrics(redactor, data)
    assert [
        dict(p.attributes or {})
        for p in again.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points
    ] == seen


def test_harmless_metrics_are_passed_on(redactor: Redactor) -> None:
    """Metrics without secrets are copied."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], resource=Resource({}), shutdown_on_exit=False)
    provider.get_meter("m").create_histogram("d").record(1.5, {"route": "/"})
    data = reader.get_metrics_data()
    assert data is not None
    assert redact_metrics(redactor, data) is data


def test_resource_and_baggage_are_clean(redactor: Redactor) -> None:
    """A secret leaves in the resource or in baggage."""
    resource = redact_resource(
        redactor, Resource({"process.command_args": ["x", f"--token={VALUE}"], "service.name": "t"})
    )
    assert VALUE not in resource.to_json()
    assert resource.attributes["service.name"] == "t"
    assert redact_mapping(redactor, {"session_token": VALUE, "tenant": "7"}, "baggage") == {
        "session_token": "[redacted:token]",
        "tenant": "7",
    }


def test_redactions_are_counted_by_rule_and_surface(redactor: Redactor) -> None:
    """A redaction is not counted, or under another surface."""
    before = redaction_counts().get(("password", "log.attributes"), 0)
    redact_log(redactor, LogRecord(body="x", attributes={"password": VALUE}))
    assert redaction_counts()["password", "log.attributes"] == before + 1


def test_off_passes_everything_on() -> None:
    """With redaction off a span is changed."""
    span = ended()
    assert redact_span(Redactor(Rules(mode="off")), span) is span
