"""Logs: what a program says, from wherever it says it, once.

- ``logger``: our own structlog logger · ``chain``: its processors, in order · ``structlog_import``: whatever stdout is
- ``stdlib``: the bridge from ``logging`` · ``structlog_bridge``: from a structlog that the program configured itself
- ``access``: the web server's lines about requests of which a record tells already
- ``uncaught``: Python warnings and exceptions that nobody caught
- ``record``: where all of them meet and become an OTel LogRecord · ``fallback``: where events go while telemetry is off
- ``levels``: thresholds · ``message``, ``values``, ``caller``: body, attributes, place

structlog costs a tenth of a second to import where rich is installed: it is imported by ``get_logger`` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_kit._imports import late

if TYPE_CHECKING:
    from otel_kit.signals.logs.bridges import activate, deactivate, install_bridges, remove_bridges
    from otel_kit.signals.logs.levels import Levels, parse_levels, set_level
    from otel_kit.signals.logs.logger import BoundLogger, get_logger
    from otel_kit.signals.logs.record import SHOWN_KEY, already_shown

_HOMES = {
    "BoundLogger": "otel_kit.signals.logs.logger",
    "Levels": "otel_kit.signals.logs.levels",
    "SHOWN_KEY": "otel_kit.signals.logs.record",
    "activate": "otel_kit.signals.logs.bridges",
    "already_shown": "otel_kit.signals.logs.record",
    "deactivate": "otel_kit.signals.logs.bridges",
    "get_logger": "otel_kit.signals.logs.logger",
    "install_bridges": "otel_kit.signals.logs.bridges",
    "parse_levels": "otel_kit.signals.logs.levels",
    "remove_bridges": "otel_kit.signals.logs.bridges",
    "set_level": "otel_kit.signals.logs.levels",
}

__all__ = [
    "SHOWN_KEY",
    "BoundLogger",
    "Levels",
    "activate",
    "already_shown",
    "deactivate",
    "get_logger",
    "install_bridges",
    "parse_levels",
    "remove_bridges",
    "set_level",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'otel_kit.signals.logs' has no attribute {name!r}")
    value = getattr(late(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
