"""Each exception becomes one log record, whoever tells of it first: a span, the program's logger or a
library. Who tells of it later says so without its traceback, or, where it has nothing else to say, not at
all.
"""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry import _logs as logs_api
from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otel_kit import semconv
from otel_kit.context import tally
from otel_kit.context.debugging import locals_of
from otel_kit.context.described import description_of
from otel_kit.context.place import place_of
from otel_kit.context.reported import Report, is_reported, is_said_by_program, mark_reported, report_of

# How libraries name the record of an exception that ended a request: FastAPI's own do not say it of the span.
_ENDED = (".request.exception", ".websocket.exception")


def report(exception: BaseException, span_context: SpanContext, scope_name: str) -> None:
    """Emit a log record of an exception, unless one was emitted in this trace already.

    Args:
        exception: what left a span, or was handed to ``record_exception``.
        span_context: the span's; the record carries its trace and span id.
        scope_name: the tracer's name, which becomes the logger's.

    Emits one record: event name ``exception``, severity ERROR, ``exception.*`` attributes, and ``code.*`` of
    the user's line that raised.
    """
    if is_reported(exception, span_context.trace_id):
        return
    record = LogRecord(
        context=set_span_in_context(NonRecordingSpan(span_context)),
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body=_sentence(exception),
        attributes={**place_of(exception), **locals_of(exception)},
        event_name=semconv.EVENT_EXCEPTION,
        exception=exception,
    )
    logs_api.get_logger(scope_name).emit(record)
    tally.count(f"{tally.LOG}error")
    if tally.is_counting():
        facts = {"body": record.body, "attributes": record.attributes, "event_name": record.event_name}
        tally.tell(tally.RECORD, level=logging.ERROR, exception=exception, **facts)
    # Also where no pipeline of ours has done so.
    mark_reported(exception, Report(*span_context[:2], span_context.trace_flags))


class ReportedExceptions(LogRecordProcessor):
    """Sees to it that each exception is told once, with its traceback, whoever is the first; and described each time.

    What the program itself says about an exception that was told is kept, without a second traceback, and
    leads to where it was told. A library's record about it is not wanted.
    """

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Mark the record's exception, if it has one, or see that it was told before."""
        record = log_record.log_record
        exception = record.exception
        if exception is None:
            return
        trace_id, before = record.trace_id or 0, report_of(exception)
        described = description_of(exception, SpanContext(*_ids(record), is_remote=False))
        if described:
            record.attributes = {**described, **record.attributes} if record.attributes else dict(described)
        if is_said_by_program(record.context):
            if before is not None and before.trace_id and trace_id in (before.trace_id, 0):
                _refer(record, before)
                return
        elif before is not None and before.trace_id == trace_id:
            log_record.wanted = False  # type: ignore[attr-defined]
        if before is None or before.trace_id != trace_id:
            mark_reported(exception, Report(trace_id, record.span_id or 0, record.trace_flags or 0))
        if record.event_name and record.event_name.endswith(_ENDED):
            _end(trace.get_current_span(record.context), exception)

    def shutdown(self) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """There is nothing to flush."""
        return True


def _ids(record: LogRecord) -> tuple[int, int]:
    return record.trace_id or 0, record.span_id or 0


def _refer(record: LogRecord, before: Report) -> None:
    """Let a record lead to the one that has the traceback."""
    attributes: Any = record.attributes
    if attributes:
        attributes.pop(semconv.EXCEPTION_STACKTRACE, None)
    if not record.trace_id:
        record.trace_id, record.span_id = before.trace_id, before.span_id
        record.trace_flags = TraceFlags(before.trace_flags)


def _end(span: Any, exception: BaseException) -> None:
    note = getattr(span, "note_exception", None)  # a span of ours
    if note is not None:
        note(exception)


def _sentence(exception: BaseException) -> str:
    try:
        return f"{type(exception).__name__}: {exception}"
    except Exception:
        return type(exception).__name__
