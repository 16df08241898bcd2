"""Where in the program it was said: ``code.*`` attributes of the user's frame."""

from __future__ import annotations

import sys
import traceback
from types import FrameType
from typing import Any

from otel_kit import semconv

# Frames between the program and its event: structlog's, the standard library's, and ours.
_BETWEEN = frozenset({"structlog", "logging", "concurrent", "otel_kit"})


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


def code_attributes(frame: FrameType) -> dict[str, Any]:
    """Function (with module and class), file and line of a frame."""
    code = frame.f_code
    return {
        semconv.CODE_FUNCTION_NAME: f"{module(frame)}.{code.co_qualname}",
        semconv.CODE_FILE_PATH: code.co_filename,
        semconv.CODE_LINE_NUMBER: frame.f_lineno,
    }


def stack(frame: FrameType) -> str:
    """The calls that led to a frame, outermost first, as a traceback shows them."""
    return "".join(traceback.format_stack(frame)).rstrip("\n")
