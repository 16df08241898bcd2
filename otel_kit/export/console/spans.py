"""Spans on the console, one line each, for ``OTEL_TRACES_EXPORTER=console``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import IO, Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import StatusCode

from otel_kit import _guard
from otel_kit.export.console.colors import Colors
from otel_kit.export.console.columns import fitted, line, service_of, short_id
from otel_kit.export.console.escape import escaped, escaped_json
from otel_kit.export.console.output import Output, Style
from otel_kit.export.console.times import duration, iso
from otel_kit.export.console.values import as_json, pairs


class ConsoleSpanExporter(SpanExporter):
    """Shows each span that has ended as a line.

    Args:
        style: ``pretty``, ``json``, or ``auto``: pretty on a terminal, else json.
        stream: where to; by default ``sys.stderr`` as it is at each write.
    """

    def __init__(self, style: Style = "auto", stream: IO[str] | None = None) -> None:
        self._output = Output(style, stream)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Write the spans; one that cannot be written costs itself only."""
        for span in spans:
            self._show(span)
        return SpanExportResult.SUCCESS

    def _show(self, span: ReadableSpan) -> None:
        try:
            self._output.write(lambda colors: pretty(span, colors), lambda: json(span))
        except Exception as error:
            _guard.contained("console.spans", error)

    def shutdown(self) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Every line is written at once."""
        return True


def length(span: ReadableSpan) -> int:
    """How long a span took, in nanoseconds; 0 where that is not known."""
    return max(0, (span.end_time or 0) - (span.start_time or 0)) if span.end_time else 0


def failed(span: ReadableSpan) -> bool:
    """Whether a span's status says error."""
    return span.status.status_code is StatusCode.ERROR


def pretty(span: ReadableSpan, colors: Colors) -> str:
    """A span for people: when it ended, its name, how long it took."""
    scope = span.instrumentation_scope
    rest = [f"{duration(length(span)):>8}"]
    if failed(span):
        why = f" {escaped(span.status.description)}" if span.status.description else ""
        rest.append(f"{colors.error}ERROR{why}{colors.reset}")
    if span.attributes:
        rest.append(pairs(span.attributes.items(), colors))
    if span.context:
        rest.append(short_id(span.context.trace_id, colors))
    return line(
        span.end_time or span.start_time or 0,
        "SPAN",
        colors.error if failed(span) else colors.level(5),
        scope.name if scope else "",
        fitted(escaped(span.name)),
        " ".join(rest),
        colors,
    )


def json(span: ReadableSpan) -> str:
    """A span for programs: one line of JSON; what it does not have is left out."""
    scope, context, parent = span.instrumentation_scope, span.context, span.parent
    fields: dict[str, Any] = {
        "timestamp": iso(span.start_time or 0),
        "span": span.name,
        "kind": span.kind.name,
        "service": service_of(span.resource),
        "scope": scope.name if scope else None,
        "duration_ms": length(span) / 10**6,
        "status": span.status.status_code.name,
        "status_description": span.status.description,
        "trace_id": f"{context.trace_id:032x}" if context else None,
        "span_id": f"{context.span_id:016x}" if context else None,
        "parent_span_id": f"{parent.span_id:016x}" if parent else None,
        "attributes": _plain(span.attributes),
        "events": [
            {"timestamp": iso(event.timestamp), "name": event.name, "attributes": _plain(event.attributes)}
            for event in span.events
        ]
        or None,
        "links": [
            {"trace_id": f"{link.context.trace_id:032x}", "span_id": f"{link.context.span_id:016x}"}
            for link in span.links
        ]
        or None,
    }
    return escaped_json(as_json({key: value for key, value in fields.items() if value is not None}))


def _plain(attributes: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return dict(attributes) if attributes else None
