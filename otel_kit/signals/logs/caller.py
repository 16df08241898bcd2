"""Where in the program it was said: ``code.*`` attributes of the user's frame."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Mapping
from types import CodeType, FrameType
from typing import Any

from otel_kit import semconv

# Frames between the program and its event: structlog's, the standard library's, and ours.
_BETWEEN = frozenset({"structlog", "logging", "concurrent", "otel_kit"})
MOST_PLACES = 1000  # that are remembered
_known: dict[tuple[int, int, str], tuple[CodeType, Mapping[str, Any]]] = {}


def caller(frame: FrameType) -> FrameType:
    """The first frame, from this one outwards, that belongs to the program."""
    outer: FrameType | None = frame
    while outer is not None and module(outer).partition(".")[0] in _BETWEEN:
        outer = outer.f_back
    return outer or frame


def module(frame: FrameType) -> str:
    """The name of the module whose code the frame runs."""
    name = frame.f_globals.get("__name__")
    return name if isinstance(name, str) else "?"


def asking_module(depth: int) -> str:
    """The name of the module ``depth`` calls above this function's caller."""
    return module(sys._getframe(depth + 1))


def code_attributes(frame: FrameType) -> Mapping[str, Any]:
    """Function (with module and class), file and line of a frame; not to be changed."""
    code, line, name = frame.f_code, frame.f_lineno, module(frame)
    known = _known.get((id(code), line, name))
    if known is not None and known[0] is code:
        return known[1]
    attributes = {
        semconv.CODE_FUNCTION_NAME: f"{name}.{code.co_qualname}",
        semconv.CODE_FILE_PATH: code.co_filename,
        semconv.CODE_LINE_NUMBER: line,
    }
    if len(_known) >= MOST_PLACES:
        _known.clear()
    # The code is held too, so that no other object gets its id.
    _known[id(code), line, name] = code, attributes
    return attributes


def stack(frame: FrameType) -> str:
    """The calls that led to a frame, outermost first, as a traceback shows them."""
    return "".join(traceback.format_stack(frame)).rstrip("\n")
