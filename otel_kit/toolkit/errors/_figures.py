"""The counters of this room, made when first used: metrics are dear to import."""

from __future__ import annotations

from opentelemetry import metrics

from otel_kit.signals import get_meter

SCOPE = "otel_kit.errors"

_counters: dict[str, tuple[object, metrics.Counter]] = {}


def counter(name: str, unit: str, description: str) -> metrics.Counter:
    """A counter of the global provider; made anew when a program sets another one."""
    provider = metrics.get_meter_provider()
    made = _counters.get(name)
    if made is None or made[0] is not provider:
        made = _counters[name] = (provider, get_meter(SCOPE).create_counter(name, unit, description))
    return made[1]
