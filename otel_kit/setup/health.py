"""The books as metrics: what was exported, what was lost and why, what waits, what was redacted."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

from otel_kit import semconv
from otel_kit.export.meters import MeterProvider

Stats = Callable[[str], dict[str, Any]]

_EXPORTED = {
    "traces": (semconv.METRIC_OTEL_SDK_EXPORTER_SPAN_EXPORTED, "{span}"),
    "logs": (semconv.METRIC_OTEL_SDK_EXPORTER_LOG_EXPORTED, "{log_record}"),
    "metrics": (semconv.METRIC_OTEL_SDK_EXPORTER_METRIC_DATA_POINT_EXPORTED, "{data_point}"),
}
_QUEUED = {
    "traces": (semconv.METRIC_OTEL_SDK_PROCESSOR_SPAN_QUEUE_SIZE, "{span}"),
    "logs": (semconv.METRIC_OTEL_SDK_PROCESSOR_LOG_QUEUE_SIZE, "{log_record}"),
}


def observe(provider: MeterProvider, stats: Stats) -> None:
    """Emit the books of each signal from now on, by endpoint; ``error.type`` is the reason of a loss.

    Args:
        provider: makes the instruments.
        stats: gives the books of a signal, as :meth:`otel_kit.setup.queues.Queues.stats` does.
    """
    meter = provider.get_meter("otel_kit.export")
    for signal, (name, unit) in _EXPORTED.items():
        meter.create_observable_counter(
            name, [_exported(stats, signal)], unit, "Delivered, or lost for a reason."
        )
    for signal, (name, unit) in _QUEUED.items():
        meter.create_observable_up_down_counter(
            name, [_queued(stats, signal)], unit, "Waiting to be delivered."
        )


def observe_redactions(provider: MeterProvider, redacted: Callable[[], dict[str, dict[str, int]]]) -> None:
    """Emit how often each rule redacted on each surface: a leak is noticed at its source.

    Args:
        provider: makes the instrument.
        redacted: gives the counts by rule and surface.
    """

    def callback(_: CallbackOptions) -> Iterator[Observation]:
        for rule, surfaces in redacted().items():
            for surface, count in surfaces.items():
                yield Observation(count, {semconv.REDACTION_RULE: rule, semconv.REDACTION_SURFACE: surface})

    provider.get_meter("otel_kit.redact").create_observable_counter(
        semconv.METRIC_REDACTIONS, [callback], "{redaction}", "Secrets that were kept in the process."
    )


def _exported(stats: Stats, signal: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def callback(_: CallbackOptions) -> Iterator[Observation]:
        for address, figures in stats(signal)["endpoints"].items():
            where = _where(address)
            yield Observation(figures["delivered"], where)
            for reason, count in figures["dropped"].items():
                yield Observation(count, {**where, semconv.ERROR_TYPE: reason})

    return callback


def _queued(stats: Stats, signal: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def callback(_: CallbackOptions) -> Iterator[Observation]:
        for address, figures in stats(signal)["endpoints"].items():
            yield Observation(figures["waiting"], _where(address))

    return callback


def _where(address: str) -> dict[str, Any]:
    host, _, port = address.rpartition("//")[2].rpartition(":")
    if not port.isdecimal():
        return {semconv.SERVER_ADDRESS: address.rpartition("//")[2]}
    return {semconv.SERVER_ADDRESS: host, semconv.SERVER_PORT: int(port)}
