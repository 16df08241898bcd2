"""The tracer and the instruments, on the global providers; made when first used, since metrics are dear to import."""

from __future__ import annotations

from typing import Any

from opentelemetry import metrics, trace

from otel_kit import semconv

SCOPE = "otel_kit.sqlalchemy"

_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)


class Figures:
    """The synchronous instruments."""

    __slots__ = ("create_time", "duration", "timeouts", "use_time", "wait_time")

    def __init__(self, meter: metrics.Meter) -> None:
        self.duration = _seconds(
            meter, semconv.METRIC_DB_CLIENT_OPERATION_DURATION, "Duration of statements."
        )
        self.create_time = _seconds(
            meter, semconv.METRIC_DB_CLIENT_CONNECTION_CREATE_TIME, "Time to open a connection."
        )
        self.wait_time = _seconds(
            meter, semconv.METRIC_DB_CLIENT_CONNECTION_WAIT_TIME, "Time to get a connection from the pool."
        )
        self.use_time = _seconds(
            meter,
            semconv.METRIC_DB_CLIENT_CONNECTION_USE_TIME,
            "Time between taking a connection and giving it back.",
        )
        self.timeouts = meter.create_counter(
            semconv.METRIC_DB_CLIENT_CONNECTION_TIMEOUTS,
            "{timeout}",
            "Requests for a connection that were in vain.",
        )


def _seconds(meter: metrics.Meter, name: str, description: str) -> metrics.Histogram:
    return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=_SECONDS)


class _Known:
    """What was made for the global providers; made anew when a program sets others."""

    meters: Any = None
    tracers: Any = None
    tracer: trace.Tracer
    figures: Figures


def figures() -> Figures:
    """The instruments of the global meter provider."""
    provider = metrics.get_meter_provider()
    if provider is not _Known.meters:
        _Known.figures, _Known.meters = Figures(provider.get_meter(SCOPE)), provider
    return _Known.figures


def tracer() -> trace.Tracer:
    """The tracer of the global provider."""
    provider = trace.get_tracer_provider()
    if provider is not _Known.tracers:
        _Known.tracer, _Known.tracers = provider.get_tracer(SCOPE), provider
    return _Known.tracer
