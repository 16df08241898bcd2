"""Metrics: an OpenTelemetry Meter, nothing more.

Counters, histograms, gauges and observables are the OpenTelemetry API's own. Instruments that are made before
``init_telemetry`` start to count when it is called.
"""

from __future__ import annotations

import sys

from opentelemetry import metrics
from opentelemetry.metrics import Meter

from otel_kit.signals.logs.values import text


def get_meter(name: str | None = None) -> Meter:
    """A Meter of the global provider, which makes counters, histograms, gauges and observables.

    Args:
        name: the instrumentation scope; the calling module's name by default.
    """
    scope = "" if name is None else text(name)
    return metrics.get_meter(scope or text(sys._getframe(1).f_globals.get("__name__", "otel_kit")))
