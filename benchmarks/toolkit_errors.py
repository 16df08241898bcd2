"""What errors cost: each case is one call, set up and ready to be timed.

``stock_cases`` is the same by hand with OpenTelemetry's API alone: the exception recorded, the event, the counter, nothing
more.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import metrics, trace

import otel_kit

Case = Callable[[], object]


def _failing() -> None:
    raise LookupError("no card of order 7")


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    tracer = otel_kit.get_tracer("benchmark")
    try:
        _failing()
    except LookupError as raised:
        error = raised

    def told() -> None:
        try:
            with tracer.start_as_current_span("charge"):
                _failing()
        except LookupError:
            pass

    def degraded() -> None:
        with otel_kit.degraded("search", "index is being built"):
            pass

    return {
        "exception that leaves a span": told,
        "analyze": lambda: otel_kit.analyze(error),
        "retry": lambda: otel_kit.retried("search", error=error, attempt=1),
        "fallback": lambda: otel_kit.fallback("cache", error=error),
        "degraded block": degraded,
    }


def stock_cases() -> dict[str, Case]:
    """The peers of those that have one."""
    tracer, meter = trace.get_tracer("stock"), metrics.get_meter("stock")
    errors, retries = meter.create_counter("errors"), meter.create_counter("retries")

    def told() -> None:
        try:
            with tracer.start_as_current_span("charge"):
                _failing()
        except LookupError:
            errors.add(1, {"error.type": "LookupError"})

    def retry() -> None:
        trace.get_current_span().add_event("retry", {"name": "search", "attempt": 1})
        retries.add(1, {"name": "search", "error.type": "LookupError"})

    return {"exception that leaves a span": told, "retry": retry}
