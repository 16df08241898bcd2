"""Values of the program, as text of bounded length and without secrets.

A name goes with each value, because it tells more about a secret than the value does. Redaction comes before the cut:
half of a secret looks like none.
"""

from __future__ import annotations

import threading
from collections import deque
from itertools import islice
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from otel_kit.context.redacted import redacted

LONGEST = 200  # characters of a value in an attribute
SHORT = 32  # characters of a value in a sentence
READ = 1024  # characters that are looked at: to redact takes time in proportion
READ_BYTES = 100  # and bytes, of which each may take four characters
MOST_ITEMS = 10
DEEPEST = 3

_BRACKETS: dict[Any, Any] = {
    list: "[]",
    tuple: "()",
    set: "{}",
    frozenset: ("frozenset({", "})"),
    deque: ("deque([", "])"),
    dict: "{}",
}
_NAMED = (FunctionType, BuiltinFunctionType, type, ModuleType)


class _Asking(threading.local):
    """Whether this thread is inside the ``__repr__`` of a value, which may come by here again."""

    now = False


_asking = _Asking()


def shown(name: str, value: object, longest: int = LONGEST, *, ask: bool = True) -> str:
    """A value as Python would write it.

    Args:
        name: what the program calls it.
        value: anything.
        longest: in characters.
        ask: let objects say what they are; else only values of Python's own types are shown.
    """
    return cut(_without_secrets(name, written(value, ask=ask)), longest)


def kept(name: str, value: object, *, ask: bool = True) -> Any:
    """A value for an attribute: numbers, truth values and text keep their type."""
    if type(value) in (int, float, bool):
        return redacted(name, value)
    if type(value) is str:
        return cut(_without_secrets(name, value[:READ]), LONGEST)
    return shown(name, value, ask=ask)


def written(value: object, *, ask: bool = True) -> str:
    """``repr()`` of anything: never raises, and is not much longer than ``READ``."""
    return _Writer(ask).write(value, DEEPEST)


class _Writer:
    def __init__(self, ask: bool) -> None:
        self._ask, self._left = ask, READ

    def write(self, value: Any, depth: int) -> str:
        try:
            text = self._container(value, depth) if type(value) in _BRACKETS else self._single(value)
        except Exception as error:
            text = f"<{type(value).__name__}: its text raised {type(error).__name__}>"
        self._left -= len(text)
        return text

    def _container(self, value: Any, depth: int) -> str:
        opening, closing = _BRACKETS[type(value)]
        if not value:
            return repr(value)
        if not depth or self._left < 0:
            return f"{opening}…{closing}"
        few = list(islice(value.items() if type(value) is dict else value, MOST_ITEMS))
        if type(value) is dict:
            items = [f"{self.write(key, depth - 1)}: {self.write(item, depth - 1)}" for key, item in few]
        else:
            items = [self.write(item, depth - 1) for item in few]
        if len(value) > len(few):
            items.append(f"… +{len(value) - len(few):,}")
        elif type(value) is tuple and len(items) == 1:
            closing = ",)"
        return f"{opening}{', '.join(items)}{closing}"

    def _single(self, value: Any) -> str:
        kind = type(value)
        if kind in (str, bytes, bytearray):
            return repr(value[: max(min(self._left, READ if kind is str else READ_BYTES), 0)])
        if kind in (int, float, bool, complex) or value is None:
            return repr(value)
        if issubclass(kind, _NAMED):
            return f"<{'class' if isinstance(value, type) else kind.__name__} {value.__name__}>"
        if not self._ask or _asking.now:
            return f"<{kind.__qualname__}>"
        _asking.now = True
        try:
            return str.__str__(repr(value))[:READ]
        finally:
            _asking.now = False


def _without_secrets(name: str, text: str) -> str:
    found = redacted(name, text)
    return found if isinstance(found, str) else "…"


def cut(text: str, longest: int) -> str:
    """A text, cut where it is longer."""
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
