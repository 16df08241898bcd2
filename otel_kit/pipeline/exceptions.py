"""Each exception becomes one log record, whoever tells of it first: a span, the program's logger or a
library.
"""

from __future__ import annotations

from opentelemetry import _logs as logs_api
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from otel_kit import semconv
from otel_kit.context.reported import is_reported, mark_reported


def report(exception: BaseException, span_context: SpanContext, scope_name: str) -> None:
    """Emit a log record of an exception, unless one was emitted in this trace already.

    Args:
        exception: what left a span, or was handed to ``record_exception``.
        span_context: the span's; the record carries its trace and span id.
        scope_name: the tracer's name, which becomes the logger's.

    Emits one record: event name ``exception``, severity ERROR, ``exception.*`` attributes.
    """
    if is_reported(exception, span_context.trace_id):
        return
    mark_reported(exception, span_context.trace_id)
    record = LogRecord(
        context=set_span_in_context(NonRecordingSpan(span_context)),
        severity_number=SeverityNumber.ERROR,
        severity_text="ERROR",
        body=_sentence(exception),
        event_name=semconv.EVENT_EXCEPTION,
        exception=exception,
    )
    logs_api.get_logger(scope_name).emit(record)


class ReportedExceptions(LogRecordProcessor):
    """Marks the exception of each log record as told, so that no span tells of it again."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Mark the record's exception, if it has one."""
        exception = log_record.log_record.exception
        if exception is not None:
            mark_reported(exception, log_record.log_record.trace_id or 0)

    def shutdown(self) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """There is nothing to flush."""
        return True


def _sentence(exception: BaseException) -> str:
    try:
        return f"{type(exception).__name__}: {exception}"
    except Exception:
        return type(exception).__name__
