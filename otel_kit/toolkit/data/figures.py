"""Instruments of this room, made when first used, and made anew when a program sets another provider."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry import metrics

from otel_kit.context.parts import part

SCOPE = "otel_kit.data"
# Most caches answer within microseconds, those over a network within milliseconds.
SECONDS = (0.000001, 0.00001, 0.0001, 0.001, 0.01, 0.1, 1.0)

data = part("data")


class Figures:
    """Counters, histograms and gauges by their names."""

    def __init__(self) -> None:
        self._provider: Any = None
        self._made: dict[str, Any] = {}

    def _of(self, name: str, make: Callable[[metrics.Meter], Any]) -> Any:
        provider = metrics.get_meter_provider()
        if provider is not self._provider:
            self._made, self._provider = {}, provider
        made = self._made.get(name)
        if made is None:
            made = self._made[name] = make(provider.get_meter(SCOPE))
        return made

    def counter(self, name: str, unit: str, description: str) -> metrics.Counter:
        """A counter."""
        made: metrics.Counter = self._of(name, lambda meter: meter.create_counter(name, unit, description))
        return made

    def gauge(self, name: str, unit: str, description: str) -> Any:
        """A gauge that is set."""
        return self._of(name, lambda meter: meter.create_gauge(name, unit, description))

    def histogram(self, name: str, description: str, bounds: Sequence[float]) -> metrics.Histogram:
        """A histogram of seconds."""
        made: metrics.Histogram = self._of(
            name,
            lambda meter: meter.create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=bounds
            ),
        )
        return made

    def observe(self, name: str, unit: str, description: str, look: Callable[[Any], Any]) -> None:
        """A gauge that asks ``look`` at each collection; made once for each provider."""
        self._of(name, lambda meter: meter.create_observable_gauge(name, [look], unit, description))


figures = Figures()
