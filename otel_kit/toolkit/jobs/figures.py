"""Metrics and records of this room."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from typing import Any

from opentelemetry import metrics

from otel_kit.signals import get_meter
from otel_kit.signals.logs import record
from otel_kit.signals.logs.caller import caller, code_attributes

SCOPE = "otel_kit.toolkit.jobs"
_SECONDS = (0.01, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 4 * 3600.0, 24 * 3600.0)
_ITEM_SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0)


class _Made:
    provider: Any = None
    by_name: dict[str, Any] = {}  # noqa: RUF012 (one for the process)


def _instrument(name: str, make: Any) -> Any:
    provider = metrics.get_meter_provider()
    if provider is not _Made.provider:
        _Made.provider, _Made.by_name = provider, {}
    found = _Made.by_name.get(name)
    if found is None:
        found = _Made.by_name[name] = make(get_meter(SCOPE))
    return found


def counter(name: str, unit: str, description: str) -> metrics.Counter:
    """A counter, made when it is first needed."""
    found: metrics.Counter = _instrument(name, lambda meter: meter.create_counter(name, unit, description))
    return found


def gauge(name: str, unit: str, description: str) -> Any:
    """A gauge, likewise."""
    return _instrument(name, lambda meter: meter.create_gauge(name, unit, description))


def duration(name: str, description: str, *, of_items: bool = False) -> metrics.Histogram:
    """A histogram of seconds, likewise."""
    bounds = _ITEM_SECONDS if of_items else _SECONDS
    found: metrics.Histogram = _instrument(
        name,
        lambda meter: meter.create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=bounds
        ),
    )
    return found


def tell(event_name: str, body: str, facts: Mapping[str, Any], *, well: bool = True) -> None:
    """Emit one record at the program's own line. Never raises."""
    if record.state.active:
        level = logging.INFO if well else logging.ERROR
        attributes = {**facts, **code_attributes(caller(sys._getframe(1)))}
        record.guarded("jobs.emit", _emit, level, event_name, body, attributes, later=True)


def _emit(level: int, event_name: str, body: str, attributes: dict[str, Any]) -> None:
    record.emit(SCOPE, level, body, attributes, event_name=event_name, counts=False)
