"""Records that are made from fields are those that the API makes."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber, get_logger
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

import otel_kit
from tests.receiver import Receiver

FAR = set_span_in_context(NonRecordingSpan(SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1))))
CASES: list[dict[str, Any]] = [
    {"body": "hello"},
    {"body": "seen", "severity_number": SeverityNumber.WARN, "severity_text": "WARN", "event_name": "e"},
    {"body": "then", "timestamp": 5, "observed_timestamp": 6, "attributes": {"a": 1}},
    {"body": "at no time", "observed_timestamp": 0},
    {"body": "elsewhere", "trace_id": 11, "span_id": 12, "trace_flags": TraceFlags(0)},
    {"body": "far away", "context": FAR},
    {"body": "it failed", "exception": ValueError("no")},
]


@pytest.mark.parametrize("inside", [True, False], ids=["in a span", "alone"])
def test_records_of_fields_are_what_the_api_makes(receiver: Receiver, inside: bool) -> None:
    """A field of a record is lost, or it leads to another span than the API says."""
    expected: dict[str, LogRecord] = {}
    with otel_kit.init_telemetry("shop", endpoint=receiver.http, console="off", instrument=()) as telemetry:

        def emit() -> None:
            for fields in CASES:
                get_logger("made").emit(**fields)
                expected[fields["body"]] = LogRecord(**fields)

        if inside:
            with telemetry.tracer.start_as_current_span("around"):
                emit()
        else:
            emit()
        assert telemetry.force_flush(10)
    emitted = [
        found for found in receiver.logs if found.body.string_value in expected
    ]  # beside "first seen: …"
    assert len(emitted) == len(CASES)
    for found in emitted:
        record = expected[found.body.string_value]
        assert int.from_bytes(found.trace_id, "big") == (record.trace_id or 0)
        assert int.from_bytes(found.span_id, "big") == (record.span_id or 0)
        assert found.flags == (record.trace_flags or 0)
        assert found.time_unix_nano == (record.timestamp or 0)
        assert found.severity_number == (record.severity_number.value if record.severity_number else 0)
        assert found.severity_text == (record.severity_text or "")
        assert found.event_name == (record.event_name or "")
        assert abs(found.observed_time_unix_nano - (record.observed_timestamp or 0)) < 10**10
        assert {each.key for each in found.attributes} >= set(record.attributes or {})
        assert ("exception.type" in {each.key for each in found.attributes}) == (record.exception is not None)


def test_a_field_that_does_not_exist_is_refused(receiver: Receiver) -> None:
    """A misspelt field is taken for one."""
    telemetry = otel_kit.init_telemetry("shop", endpoint=receiver.http, console="off", instrument=())
    with telemetry, otel_kit.span("around"), pytest.raises(TypeError, match="bodi"):
        get_logger("made").emit(bodi="hello")
    assert not receiver.logs
    assert telemetry.stats()["logs"]["dropped"] == {"unencodable": 1}
