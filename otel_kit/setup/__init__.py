"""The only place that knows all of the above: settings, resource, wiring, lifecycle.

- ``config``, ``table``, ``sources``, ``values``, ``targets``: what the settings are, and where each came from
- ``resource``: what is true of everything that the process emits
- ``providers``: the three providers, made once · ``queues``: one for each signal and endpoint
- ``health``: the books as metrics
- ``runtime``: all of it wired together · ``lifecycle``: exit, signals, children
- ``slim``: makes the start cheaper · ``capturing``: memory in place of the network, for tests
- ``telemetry``: ``init_telemetry`` and its handle
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_kit._imports import late

if TYPE_CHECKING:
    from otel_kit.setup.telemetry import Telemetry, init_telemetry

__all__ = ["Telemetry", "init_telemetry"]


def __getattr__(name: str) -> object:
    # ``otel-kit config`` reads the settings without the SDK.
    if name not in __all__:
        raise AttributeError(f"module 'otel_kit.setup' has no attribute {name!r}")
    return getattr(late("otel_kit.setup.telemetry"), name)
