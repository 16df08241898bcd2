"""Values of a program, made such that the OTel SDK takes them without raising and without a warning on stderr.

The SDK copies attributes before any processor sees them: it recurses into cycles, calls ``str()`` on objects and logs a warning
for each type that OTLP does not know. So what is not plain is rewritten here; sizes and encodings are the pipeline's matter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from enum import Enum
from itertools import islice
from typing import Any

TOO_DEEP = "[too deep]"
CYCLE = "[cycle]"
# One more than the pipeline keeps, so that it can still tell that something was cut.
MAX_ITEMS = 1001
MAX_DEPTH = 16

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})


def plain_attributes(attributes: dict[str, Any]) -> dict[str, Any]:
    """The attributes themselves where all of them are plain, else a copy that is."""
    for key, value in attributes.items():
        if type(value) not in _PLAIN or type(key) is not str or not key:
            return {_key(k): plain(v) for k, v in attributes.items()}
    return attributes


def plain(value: Any, _outer: tuple[int, ...] = ()) -> Any:
    """A value made of strings, numbers, booleans, None, bytes, lists and dicts with string keys only."""
    if type(value) in _PLAIN:
        return value
    if is_a(value, bytearray | memoryview):
        return bytes(value)
    if is_a(value, Enum):
        return plain(value.value, _outer) if not is_a(value, str | int | float) else _primitive(value)
    if is_a(value, str | int | float | bytes):
        return _primitive(value)
    if is_a(value, Mapping | Sequence | Set):
        return _container(value, _outer)
    if is_a(value, BaseException):
        return f"{type(value).__name__}: {text(value)}"
    return text(value)


def text(value: object) -> str:
    """``str()`` of anything, and a sentence where ``__str__`` raises."""
    try:
        shown = str(value)
        return shown if type(shown) is str else str.__str__(shown)
    except Exception as error:
        return f"<{type(value).__name__}: its text raised {type(error).__name__}>"


def is_a(value: object, kind: Any) -> bool:
    """``isinstance`` without asking the value itself what it is."""
    return issubclass(type(value), kind)


def true(value: object) -> bool:
    """``bool()`` of anything; what raises when asked is something, and so true."""
    try:
        return bool(value)
    except Exception:
        return True


def _primitive(value: str | int | float | bytes) -> Any:
    # A subclass may bring an __str__ or __len__ of its own; what is exported is what its base holds.
    base: Any = next(base for base in (str, int, float, bytes) if is_a(value, base))
    return base.__getnewargs__(value)[0]


def _container(value: Any, outer: tuple[int, ...]) -> Any:
    if id(value) in outer:
        return CYCLE
    if len(outer) >= MAX_DEPTH:
        return TOO_DEEP
    outer = (*outer, id(value))
    try:
        if is_a(value, Mapping):
            return {_key(k): plain(v, outer) for k, v in islice(value.items(), MAX_ITEMS)}
        return [plain(v, outer) for v in islice(value, MAX_ITEMS)]
    except Exception as error:
        return f"<{type(value).__name__}: its items raised {type(error).__name__}>"


def _key(key: object) -> str:
    return (key if type(key) is str else text(key)) or "(empty)"
