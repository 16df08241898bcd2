"""One log record of something that happened, with an event name and the program's own line."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from otel_kit.signals.logs import levels, record
from otel_kit.signals.logs.caller import caller, code_attributes, module


def tell(event_name: str, body: str, facts: Mapping[str, Any], level: int = levels.INFO) -> None:
    """Emit it from the logger of the program's module, if its level is wanted there."""
    if not record.state.active:
        return
    frame = caller(sys._getframe(1))
    name = module(frame)
    if level >= levels.threshold(name):
        known = {key: value for key, value in facts.items() if value is not None}
        record.guarded(
            "agents.record",
            _emit,
            name,
            level,
            body,
            {**code_attributes(frame), **known},
            event_name,
            later=True,
        )


def _emit(name: str, level: int, body: str, attributes: dict[str, Any], event_name: str) -> None:
    record.emit(name, level, body, attributes, event_name=event_name)
