"""Any value becomes one that OTLP can carry, at a bounded size."""

from __future__ import annotations

import operator
from collections import deque
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import islice
from typing import Any

from otel_kit import _guard

LONGEST_TEXT = 65536  # characters of one string, and bytes of one bytes value
LONGEST_NAME = 1024
MOST_ITEMS = 1000  # of one container
DEEPEST = 16  # containers inside one another; the encoder's own limit is 33
# Of one value in all its depth: a list that holds one list ten times, which holds one ten times, and so on,
# is small in memory and endless on the wire.
MOST_PARTS = 10_000
MOST_TEXT = 1_048_576

TOO_DEEP = "[too deep]"
TOO_MUCH = "[too much]"
CYCLE = "[cycle]"

MOST_KEYS = 1000  # that are remembered as clean

_INT64 = 2**63
_known_keys: set[str] = set()


def clean_value(value: Any) -> Any:
    """Make any value one that OTLP can carry. Never raises.

    Args:
        value: anything at all.

    Returns:
        ``None``, ``bool``, ``int`` of 64 bits, ``float``, ``str``, ``bytes``, a tuple or a dict of such.
        Plain values come back as they are, containers as a copy that the program cannot change any more.
        Integers beyond 64 bits and objects become their text; what is too long, too many or too deep is
        cut, and says so.
    """
    kind = type(value)
    if kind is str:
        return value if len(value) <= LONGEST_TEXT and value.isascii() else clean_text(value)
    if kind is bool or kind is float or value is None:
        return value
    if kind is int and -_INT64 <= value < _INT64:
        return value
    try:
        return _Copy().of(value, 0)
    except Exception as error:  # a hostile object: its class may lie about anything
        _guard.contained("limit.value", error)
        return _nameless(value)


def clean_text(text: Any, longest: int = LONGEST_TEXT) -> str:
    """Make anything a plain ``str`` of bounded length that UTF-8 can carry."""
    if type(text) is not str:
        text = "" if text is None else str.__str__(text) if is_a(text, str) else _written(text)
    if len(text) > longest:
        text = text[:longest]
    if text.isascii():
        return text  # type: ignore[no-any-return]
    try:
        text.encode()
    except UnicodeEncodeError:
        # By way of UTF-16, which joins surrogates that belong together.
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # type: ignore[no-any-return]
    return text  # type: ignore[no-any-return]


def clean_attributes(attributes: Any) -> Mapping[str, Any]:
    """The attributes with clean keys and values; the same object if there was nothing to do."""
    try:
        if type(attributes) is not dict and not is_a(attributes, Mapping):
            return {}
        pairs = list(attributes.items())
    except Exception as error:
        _guard.contained("limit.attributes", error)
        return {}
    for key, value in pairs:  # in line, without a call: every attribute of every item comes by here
        kind = type(value)
        if (type(key) is not str or key not in _known_keys) and not _is_clean_key(key):
            break
        if kind is str:
            if len(value) > LONGEST_TEXT or not (value.isascii() or clean_text(value) is value):
                break
        elif kind is int:
            if not -_INT64 <= value < _INT64:
                break
        elif kind is not float and kind is not bool and clean_value(value) is not value:
            break
    else:
        return attributes  # type: ignore[no-any-return]
    cleaned = {_key(key): clean_value(value) for key, value in pairs}
    cleaned.pop("", None)  # the specification allows no empty name
    return cleaned


def _is_clean_key(key: Any) -> bool:
    if type(key) is not str or not key or _key(key) is not key:
        return False
    if len(_known_keys) < MOST_KEYS:
        _known_keys.add(key)
    return True


class _Copy:
    """One value's copy: counts what it holds, and knows which containers it is inside of."""

    __slots__ = ("_inside", "_parts", "_text")

    def __init__(self) -> None:
        self._inside: set[int] = set()
        self._parts, self._text = MOST_PARTS, MOST_TEXT

    def of(self, value: Any, depth: int) -> Any:
        """A copy of anything."""
        self._parts -= 1
        if self._parts < 0 or self._text < 0:
            return TOO_MUCH
        try:
            return self._plain(value) if _is_plain(value) else self._container(value, depth)
        except Exception:  # a hostile object: its class may lie about anything
            return _nameless(value)

    def _plain(self, value: Any) -> Any:
        if value is None or type(value) is bool:
            return value
        if is_a(value, float):
            return float.__float__(value)
        if is_a(value, int):
            return _int(value)
        if is_a(value, str):
            return self._counted(clean_text(value))
        return self._counted(bytes(value[:LONGEST_TEXT]))

    def _container(self, value: Any, depth: int) -> Any:
        members = _members(value)
        if members is None:
            return self._counted(clean_text(_shown(value)))
        if depth >= DEEPEST:
            return TOO_DEEP
        if id(value) in self._inside:
            return CYCLE
        self._inside.add(id(value))
        try:
            if is_a(value, Mapping):
                return {_key(key): self.of(item, depth + 1) for key, item in members}
            copy = tuple([self.of(item, depth + 1) for item in members])
        finally:
            self._inside.discard(id(value))
        # What cannot change need not be copied; exporters then see that there was nothing to do.
        return value if type(value) is tuple and all(map(operator.is_, copy, value)) else copy

    def _counted(self, text: Any) -> Any:
        self._text -= len(text)
        return text


def _key(key: Any) -> str:
    if type(key) is str and len(key) <= LONGEST_NAME and key.isascii():
        return key
    return clean_text("None" if key is None else key, LONGEST_NAME)


def _is_plain(value: Any) -> bool:
    return value is None or is_a(value, str | int | float | bytes | bytearray)


def _members(value: Any) -> list[Any] | None:
    """What a container holds, up to the limit and a word about the rest; None for anything that is no
    container.
    """
    if is_a(value, Mapping):
        members = _first(value.items) if type(value) is not dict else _first(lambda: value.copy().items())
        rest: Any = (f"[{len(value) - MOST_ITEMS + 1} more]", True)
    elif is_a(value, Sequence | AbstractSet | deque) and not is_a(value, memoryview):
        members, rest = _first(lambda: value), f"[{len(value) - MOST_ITEMS + 1} more]"
    elif type(value).__module__ == "numpy" and getattr(value, "size", MOST_ITEMS) < MOST_ITEMS:
        numbers = value.tolist()
        return numbers if is_a(numbers, list) else None
    else:
        return None
    return [*members[:-1], rest] if len(value) > MOST_ITEMS else members


def _first(of: Any) -> list[Any]:
    return list(islice(of(), MOST_ITEMS))


def _int(value: int) -> int | str:
    number = int.__index__(value)
    if -_INT64 <= number < _INT64:
        return number
    try:
        return str(number)
    except ValueError:  # Python refuses to write out more than 4,300 digits
        return hex(number)[:LONGEST_TEXT]


def _shown(value: Any) -> str:
    """The text of an object, by its own word if that can be had."""
    try:
        if is_a(value, str):
            return str.__str__(value)
        return str.__str__(repr(value) if is_a(value, BaseException) else str(value))
    except Exception:
        return _nameless(value)


def _written(value: Any) -> str:
    # A container is copied first: its own text may be endless.
    copy = clean_value(value)
    return copy if type(copy) is str else _shown(copy)


def _nameless(value: Any) -> str:
    return f"<{clean_text(type(value).__name__, LONGEST_NAME)} cannot be shown>"


def is_a(value: Any, kind: Any) -> bool:
    # isinstance() would ask the value itself what it is.
    return issubclass(type(value), kind)
