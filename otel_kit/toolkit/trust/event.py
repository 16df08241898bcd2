"""An event of this room: one log record with an event name, at the program's own line, whatever the log level is."""

from __future__ import annotations

import sys
from typing import Any

from otel_kit.context.parts import part
from otel_kit.signals.logs import record
from otel_kit.signals.logs.caller import caller, code_attributes

trust = part("trust")


def tell(scope: str, level: int, event_name: str, body: str, attributes: dict[str, Any]) -> None:
    """Emit one record. Never raises.

    Args:
        scope: the instrumentation scope.
        level: as in ``logging``.
        event_name: the event's name.
        body: a sentence.
        attributes: the facts; those that are None are left out.
    """
    if record.state.active:
        facts = {name: value for name, value in attributes.items() if value is not None}
        facts.update(code_attributes(caller(sys._getframe(1))))
        record.guarded("trust.emit", _emit, scope, level, event_name, body, facts, later=True)


def _emit(scope: str, level: int, event_name: str, body: str, attributes: dict[str, Any]) -> None:
    record.emit(scope, level, body, attributes, event_name=event_name)
