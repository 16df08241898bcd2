"""One log record for a statement that took long: which, how long, and from which line."""

from __future__ import annotations

import logging
from typing import Any

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, set_span_in_context

from otel_kit import semconv
from otel_kit.instrument.sqlalchemy.database import Described
from otel_kit.instrument.sqlalchemy.figures import SCOPE
from otel_kit.instrument.sqlalchemy.place import place
from otel_kit.signals.logs import record
from otel_kit.signals.logs.caller import code_attributes


def tell(span: Span, described: Described, duration: float) -> None:
    """Emit the record, in the context of the statement's span."""
    frame = place()
    where = f" from {frame.f_code.co_filename}:{frame.f_lineno}" if frame else ""
    attributes: dict[str, Any] = {
        **described.attributes,
        semconv.DB_DURATION: duration,
        **(code_attributes(frame) if frame else {}),
    }
    emit(
        span,
        f"slow query: {described.name} took {duration:.3f} s{where}",
        semconv.EVENT_DB_SLOW_QUERY,
        attributes,
    )


def emit(span: Span, body: str, name: str, attributes: dict[str, Any]) -> None:
    """A warning of ours in the context of a span, while log records are wanted."""
    if not record.state.active:
        return
    token = attach(set_span_in_context(span))
    try:
        record.guarded("instrument.sqlalchemy", _emit, body, name, attributes, later=True)
    finally:
        detach(token)


def _emit(body: str, name: str, attributes: dict[str, Any]) -> None:
    record.emit(SCOPE, logging.WARNING, body, attributes, event_name=name)
