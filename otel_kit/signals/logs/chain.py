"""The structlog processors of our own loggers, in order. The program's structlog configuration has no part in it.

What a call brings beside its key-values travels in a :class:`Call` under the key :data:`CALL`, so that every key stays free for
the user: ``log.info("x", event="y", level=3, name="z")`` is three attributes. Context ids, and what structlog's own contextvars
hold, are put on every record by the pipeline.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from otel_kit import semconv
from otel_kit.signals.logs import fallback, record
from otel_kit.signals.logs.caller import code_attributes, stack
from otel_kit.signals.logs.levels import Gate
from otel_kit.signals.logs.message import exception_of, formatted, said
from otel_kit.signals.logs.values import text, true

CALL = "_otel_kit_call"

EventDict = dict[str, Any]
Step = Callable[[Gate, str, EventDict], EventDict]


class Call:
    """One call of a log method."""

    __slots__ = ("arguments", "body", "event", "event_name", "exception", "frame", "level")

    def __init__(self, level: int, event: Any, arguments: tuple[Any, ...], frame: FrameType) -> None:
        self.level = level
        self.event = event
        self.arguments = arguments
        self.frame = frame
        self.body = ""
        self.event_name: str | None = None
        self.exception: BaseException | None = None


def take_event_name(gate: Gate, method: str, event_dict: EventDict) -> EventDict:
    """``event_name=`` names the OTel event."""
    if "event_name" in event_dict:
        name = event_dict.pop("event_name")
        event_dict[CALL].event_name = None if name is None else text(name) or None
    return event_dict


def format_event(gate: Gate, method: str, event_dict: EventDict) -> EventDict:
    """The body: the event with its positional arguments, or what an event that is no string says."""
    call: Call = event_dict[CALL]
    event = call.event
    if event is None:
        event = event_dict.pop("event", None)
    if type(event) is str and not call.arguments:
        call.body = event
    elif event is None:
        call.body = call.event_name or ""
    elif call.arguments:
        call.body, more = formatted(event if type(event) is str else said(event)[0], call.arguments)
        event_dict.update(more)
    else:
        call.body, more = said(event)
        event_dict.update({k: v for k, v in more.items() if k not in event_dict})
    return event_dict


def resolve_exception(gate: Gate, method: str, event_dict: EventDict) -> EventDict:
    """``exc_info=`` becomes the exception instance; left as a flag, it would be lost on the way."""
    if "exc_info" in event_dict:
        event_dict[CALL].exception = exception_of(event_dict.pop("exc_info"), sys.exc_info()[1])
    return event_dict


def locate(gate: Gate, method: str, event_dict: EventDict) -> EventDict:
    """``code.*`` of the calling line; ``stacklevel=`` and ``stack_info=`` as in ``logging``."""
    call: Call = event_dict[CALL]
    if "stacklevel" in event_dict:
        call.frame = _outer(call.frame, event_dict.pop("stacklevel"))
    for key, value in code_attributes(call.frame).items():
        event_dict.setdefault(key, value)
    if "stack_info" in event_dict and true(event_dict.pop("stack_info")):
        event_dict[semconv.CODE_STACKTRACE] = stack(call.frame)
    return event_dict


def _outer(frame: FrameType, stacklevel: object) -> FrameType:
    remaining = stacklevel - 1 if isinstance(stacklevel, int) else 0
    while remaining > 0 and frame.f_back is not None:
        frame, remaining = frame.f_back, remaining - 1
    return frame


def emit(gate: Gate, method: str, event_dict: EventDict) -> EventDict:
    """The end: a LogRecord, or, while no telemetry is set up, a record of the standard library."""
    call: Call = event_dict.pop(CALL)
    if record.state.active:
        record.emit(
            gate.name,
            call.level,
            call.body,
            event_dict,
            event_name=call.event_name,
            exception=call.exception,
        )
    else:
        fallback.emit(gate.name, call.level, call.body, event_dict, call.exception)
    return event_dict


CHAIN: list[Step] = [
    take_event_name,  # before the body: an event without text shows its name
    format_event,
    resolve_exception,
    locate,
    emit,
]
