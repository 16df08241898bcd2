"""``capture``: a record of where the program stands."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Collection
from types import FrameType
from typing import Any

from otel_kit import semconv
from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.caller import code_attributes, module
from otel_kit.signals.logs.levels import INFO, gate
from otel_kit.toolkit.code.frames import name_of, variables
from otel_kit.toolkit.code.process import figures
from otel_kit.toolkit.code.records import contained, say

MOST_FRAMES = 50
MOST_STEPS = 1000

_code = part("code")


def capture(note: str = "captured", /, *, frames: int | Collection[str] = 1, **attributes: Any) -> None:
    """Record where the program stands: local variables, the calls that led here, and what the process uses.

    Emits one INFO record, event name ``otel_kit.code.captured``, with ``otel_kit.code.locals`` (by function, by name),
    ``code.*`` with the stack, ``process.*``.

    Args:
        note: the record's text.
        frames: of which frames the variables are told: of so many, from here outwards, up to 50; or of the functions with these
            names, ``total`` or ``shop.cart.total``.
        attributes: further attributes of the record.

    Raises:
        ArgumentError: an argument is wrong.
    """
    if not isinstance(note, str):
        raise ArgumentError("capture(note)", note, "a text")
    names = () if isinstance(frames, int) else (frames,) if isinstance(frames, str) else tuple(frames)
    number = isinstance(frames, int) and not isinstance(frames, bool) and 0 <= frames <= MOST_FRAMES
    if not number and (not names or not all(isinstance(name, str) for name in names)):
        raise ArgumentError(
            "capture(frames)", frames, f"a number from 0 to {MOST_FRAMES}, or names of functions"
        )
    if _code.on:
        try:
            _tell(sys._getframe(1), note, frames if isinstance(frames, int) else names, attributes)
        except Exception as error:
            contained(error)


def _tell(frame: FrameType, note: str, frames: int | tuple[str, ...], attributes: dict[str, Any]) -> None:
    stack = "".join(traceback.format_stack(frame)).rstrip()
    found = {
        semconv.CODE_LOCALS: variables(_chosen(frame, frames)),
        **code_attributes(frame),
        semconv.CODE_STACKTRACE: stack,
        **figures(),
        **attributes,
    }
    say(gate(module(frame)), INFO, note, found, semconv.EVENT_CODE_CAPTURED)


def _chosen(frame: FrameType, frames: int | tuple[str, ...]) -> list[FrameType]:
    if isinstance(frames, int):
        return _outwards(frame, frames)
    return [
        found
        for found in _outwards(frame, MOST_STEPS)
        if {name_of(found), found.f_code.co_qualname, found.f_code.co_name} & set(frames)
    ][:MOST_FRAMES]


def _outwards(frame: FrameType | None, most: int) -> list[FrameType]:
    found: list[FrameType] = []
    while frame is not None and len(found) < most:
        found.append(frame)
        frame = frame.f_back
    return found
