"""WHAT a program emits: spans, metric points, log records, on the OpenTelemetry API alone.

Nothing here imports the SDK. Names are imported on first use: who needs a tracer only does not wait for structlog.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_kit._imports import late

if TYPE_CHECKING:
    from otel_kit.signals.logs import get_logger, set_level
    from otel_kit.signals.metrics import get_meter
    from otel_kit.signals.traces import get_tracer, span

_HOMES = {
    "get_logger": "otel_kit.signals.logs",
    "get_meter": "otel_kit.signals.metrics",
    "get_tracer": "otel_kit.signals.traces",
    "set_level": "otel_kit.signals.logs",
    "span": "otel_kit.signals.traces",
}

__all__ = ["get_logger", "get_meter", "get_tracer", "set_level", "span"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'otel_kit.signals' has no attribute {name!r}")
    value = getattr(late(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
