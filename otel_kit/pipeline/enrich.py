"""The ids that hold where a signal is made become its attributes. What it was given explicitly stays."""

from __future__ import annotations

from typing import Any

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.trace import Span, SpanProcessor

from otel_kit import context
from otel_kit.pipeline.limit import clean_attributes


class SpanEnricher(SpanProcessor):
    """Puts the ids on each span as it begins."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Set the ids that are not among the span's own attributes."""
        if ids := context.attributes(parent_context):
            given = span.attributes or {}
            if not given.keys().isdisjoint(ids):
                ids = {name: value for name, value in ids.items() if name not in given}
            span.set_attributes(ids)


class LogEnricher(LogRecordProcessor):
    """Puts the ids on each log record."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Set the ids that are not among the record's own attributes."""
        record = log_record.log_record
        if ids := context.attributes(record.context):
            given: Any = record.attributes
            if not getattr(log_record, "owns_attributes", False) and type(given) is not BoundedAttributes:
                # A dict may be the caller's own, which must not change. Its values are cleaned by the next step.
                given = record.attributes = dict(given if type(given) is dict else clean_attributes(given))
            for name, value in ids.items():
                given.setdefault(name, value)

    def shutdown(self) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """There is nothing to flush."""
        return True
