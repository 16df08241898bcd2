"""The span processor that hands ended spans to the batchers of the endpoints."""

from __future__ import annotations

import time
from collections.abc import Sequence

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor

from otel_kit.export.batch import Batcher, flush_all


class SpanQueue(SpanProcessor):
    """Queues each sampled span for each endpoint.

    Args:
        batchers: one for each endpoint.
    """

    def __init__(self, batchers: Sequence[Batcher[ReadableSpan]]) -> None:
        self._batchers = tuple(batchers)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span."""
        context = span.context
        if context is not None and context[3] & 1:  # its flags; the property is a call
            for batcher in self._batchers:
                batcher.put(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what waits."""
        return flush_all(self._batchers, time.monotonic() + timeout_millis / 1000)

    def shutdown(self) -> None:
        """Nothing: the handle of ``init_telemetry`` shuts down."""
