"""Metrics of Python's garbage collector, named as the semantic conventions name them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from otel_kit import semconv

_COUNTERS = (
    (
        semconv.METRIC_CPYTHON_GC_COLLECTIONS,
        "{collection}",
        "collections",
        "Garbage collections by generation.",
    ),
    (semconv.METRIC_CPYTHON_GC_COLLECTED_OBJECTS, "{object}", "collected", "Objects that were collected."),
    (
        semconv.METRIC_CPYTHON_GC_UNCOLLECTABLE_OBJECTS,
        "{object}",
        "uncollectable",
        "Objects that could not be collected.",
    ),
)

_running = False
_provider: metrics.MeterProvider | None = None


def start() -> None:
    """Emit from now on, on the global meter provider; a second call does nothing."""
    global _running, _provider
    _running = True
    provider = metrics.get_meter_provider()
    if provider is _provider:
        return
    _provider = provider
    meter = provider.get_meter(__name__)
    for name, unit, key, description in _COUNTERS:
        meter.create_observable_counter(name, [_observed(key)], unit, description)


def stop() -> None:
    """Emit no longer. Instruments cannot be taken back, so they stay and observe nothing."""
    global _running
    _running = False


def _observed(key: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        for generation, figures in enumerate(gc.get_stats() if _running else ()):
            yield Observation(figures[key], {semconv.CPYTHON_GC_GENERATION: generation})

    return observe
