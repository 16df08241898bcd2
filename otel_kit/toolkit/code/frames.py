"""Local variables of frames, under the names of their functions."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Iterator
from itertools import islice
from types import FrameType, FunctionType, ModuleType
from typing import Any

from otel_kit import semconv
from otel_kit.context.parts import part
from otel_kit.context.place import is_users
from otel_kit.signals.logs.caller import module
from otel_kit.toolkit.code.values import kept

MOST_FRAMES = 10  # of an exception
MOST_VARIABLES = 30  # of a frame
MOST_STEPS = 1000  # of a traceback that are looked at

_code = part("code")
_DEFINITIONS = (ModuleType, FunctionType, type)


def name_of(frame: FrameType) -> str:
    """Module and function of a frame."""
    return f"{module(frame)}.{frame.f_code.co_qualname}"


def variables(frames: Iterable[FrameType]) -> dict[str, dict[str, Any]]:
    """The variables of each frame; where a function is there more than once, with the number of its call."""
    found: dict[str, dict[str, Any]] = {}
    for frame in frames:
        name, number = name_of(frame), 2
        while name in found:
            name, number = f"{name_of(frame)}#{number}", number + 1
        found[name] = dict(islice(_variables(frame), MOST_VARIABLES))
    return found


def _variables(frame: FrameType) -> Iterator[tuple[str, Any]]:
    inside = frame.f_code.co_flags & inspect.CO_OPTIMIZED
    for name, value in list(frame.f_locals.items()):
        # What a module or class defines, beside its values, is in the source.
        defined = name.startswith("__") or isinstance(value, _DEFINITIONS)
        if inside or not defined:
            yield name, kept(name, value)


def locals_of(exception: BaseException) -> dict[str, Any]:
    """The variables of an exception's frames as an attribute: of the program's own, those nearest to the error."""
    if not _code.on:
        return {}
    frames, step = [], exception.__traceback__
    for _ in range(MOST_STEPS):
        if step is None:
            break
        frames.append(step.tb_frame)
        step = step.tb_next
    own = [frame for frame in frames if is_users(frame.f_code)] or frames
    return {semconv.CODE_LOCALS: variables(own[-MOST_FRAMES:])} if own else {}
