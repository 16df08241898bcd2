"""What setup switches: records on or off, and the bridges from wherever a program says something."""

from __future__ import annotations

from otel_kit.signals.logs import record, stdlib, structlog_bridge, uncaught
from otel_kit.signals.logs.levels import Levels, parse_levels, use


def activate(*, console: bool, levels: Levels | str = "info") -> None:
    """Have events made into OTel records, through the global logger provider.

    Args:
        console: our console shows records, so a stdlib record without any handler need not be printed by ``logging``.
        levels: which level a record needs at least.

    Raises:
        ValueError: the levels are not readable.
    """
    use(parse_levels(levels) if isinstance(levels, str) else levels)
    record.switch(active=True, console=console)


def deactivate() -> None:
    """Have no more records made; events of our loggers go to the standard library's logging again."""
    record.switch(active=False, console=False)


def install_bridges(*, warnings: bool = False, uncaught_exceptions: bool = False) -> None:
    """See stdlib records and structlog events, and on request warnings and uncaught exceptions. Twice is once."""
    stdlib.install()
    structlog_bridge.install()
    uncaught.capture_warnings(warnings)
    uncaught.capture_uncaught(uncaught_exceptions)


def remove_bridges() -> None:
    """Leave the standard library and structlog as they were."""
    uncaught.capture_warnings(False)
    uncaught.capture_uncaught(False)
    structlog_bridge.remove()
    stdlib.remove()
