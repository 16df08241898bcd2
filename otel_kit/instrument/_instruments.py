"""Tracer and instruments of one scope, made when first used, and made anew when a program sets other providers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import metrics, trace


class Instruments:
    """What a library's file emits with.

    Args:
        scope: the instrumentation scope's name.
    """

    __slots__ = ("_made", "_meters", "_scope", "_tracer", "_tracers")

    def __init__(self, scope: str) -> None:
        self._scope = scope
        self._tracers: Any = None
        self._meters: Any = None
        self._tracer: trace.Tracer | None = None
        self._made: dict[str, Any] = {}

    def tracer(self) -> trace.Tracer:
        """The tracer of the global provider."""
        provider = trace.get_tracer_provider()
        if self._tracer is None or provider is not self._tracers:
            self._tracer, self._tracers = provider.get_tracer(self._scope), provider
        return self._tracer

    def histogram(self, name: str, description: str, bounds: Sequence[float]) -> metrics.Histogram:
        """A histogram of seconds, of the global provider."""
        made = self._of_meter().get(name)
        if made is None:
            made = self._meters.get_meter(self._scope).create_histogram(
                name, "s", description, explicit_bucket_boundaries_advisory=bounds
            )
            self._made[name] = made
        return made  # type: ignore[no-any-return]

    def counter(self, name: str, unit: str, description: str) -> metrics.Counter:
        """A counter, of the global provider."""
        made = self._of_meter().get(name)
        if made is None:
            made = self._made[name] = self._meters.get_meter(self._scope).create_counter(
                name, unit, description
            )
        return made  # type: ignore[no-any-return]

    def _of_meter(self) -> dict[str, Any]:
        provider = metrics.get_meter_provider()
        if provider is not self._meters:
            self._made, self._meters = {}, provider
        return self._made
