"""What a span is given, made plain: text, pairs and times that cannot raise any more."""

from __future__ import annotations

import reprlib
import sys
import traceback
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from otel_kit import _guard

LONGEST_NAME = 1024
LONGEST_TEXT = 65536
NUMBERS = frozenset({int, bool, float})

_UNLIMITED = sys.maxsize
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_abbreviated = reprlib.Repr()
_abbreviated.maxlevel = 3


def is_a(value: object, kind: Any) -> bool:
    # isinstance() would ask the value itself what it is.
    return issubclass(type(value), kind)


def or_unlimited(limit: int | None) -> int:
    return _UNLIMITED if limit is None else limit


def items_of(attributes: Any) -> list[tuple[Any, Any]]:
    if not is_a(attributes, Mapping):
        return []
    try:
        return list(attributes.items())
    except Exception as error:
        _guard.contained("traces.attributes", error)
        return []


def text_of(value: Any, longest: int) -> str:
    """The value as a plain ``str`` of bounded length, whatever it is."""
    if type(value) is str:
        return value if len(value) <= longest else value[:longest]
    try:
        if is_a(value, str):
            return str.__str__(value)[:longest]
        # A container is abbreviated: its own text may be endless.
        text = _abbreviated.repr(value) if is_a(value, _CONTAINERS) else str(value)
        return str.__str__(text)[:longest]
    except Exception:
        return f"<{type(value).__name__} cannot be shown>"


def plain_value(value: Any) -> Any:
    """What a provider does that was given no cleaning: sequences of plain values stay, all else is text."""
    if is_a(value, bytes):
        return value
    if is_a(value, list | tuple):
        return tuple([item if type(item) in NUMBERS else text_of(item, LONGEST_TEXT) for item in value])
    return text_of(value, LONGEST_TEXT)


def shortened(value: Any, longest: int) -> Any:
    if longest >= LONGEST_TEXT:
        return value
    if isinstance(value, str | bytes):
        return value[:longest]
    if isinstance(value, list | tuple):
        return tuple(shortened(item, longest) for item in value)
    if isinstance(value, dict):
        return {key: shortened(item, longest) for key, item in value.items()}
    return value


def nanoseconds(value: Any, otherwise: Callable[[], int]) -> int:
    return value if type(value) is int and 0 <= value < 2**63 else otherwise()


def type_name(error: BaseException) -> str:
    module, name = type(error).__module__, type(error).__qualname__
    return name if not module or module == "builtins" else f"{module}.{name}"


def stacktrace_of(error: BaseException, longest: int) -> str:
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:
        return "<the traceback cannot be shown>"
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}\n[...]\n{text[-half:]}"
