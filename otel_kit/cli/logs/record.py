"""A line of a log file as the fields that a query can name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from otel_kit.cli.logs.needle import longest_plain

Data = Mapping[str, Any]
_UNSEEN = object()
_WORDS = {b"true": True, b"false": False, b"null": None}
_ATTRIBUTES = b'"attributes"'

_decode = json.JSONDecoder().raw_decode
_STAMP = re.compile(rb'(?:\{"timestamp": ?")?(\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d{1,9})?)')
# Short names, and the key of a line that holds each.
_KEYS = {
    "level": "severity",
    "severity": "severity",
    "logger": "logger",
    "event": "event_name",
    "message": "body",
    "body": "body",
    "trace": "trace_id",
    "trace_id": "trace_id",
    "span": "span_id",
    "span_id": "span_id",
    "service": "service",
    "time": "timestamp",
}
_SLICES = {"day": 10, "hour": 13, "minute": 16}
SHORT_NAMES = (*_KEYS, *_SLICES, "exception")
_SCALES = {"_ms": 1e3, "_us": 1e6, "_ns": 1e9}


def stamp_of(line: bytes) -> bytes:
    """The time that a line begins with, as text that sorts; empty where there is none."""
    found = _STAMP.match(line)
    return found[1].replace(b" ", b"T") if found else b""


def data_of(line: bytes) -> Data:
    """The fields of a line. A torn line, or one of plain text, has a ``body``, and a ``timestamp`` if it begins with one."""
    text = line.decode("utf-8", "replace")
    if text.startswith("{"):
        try:
            data = _decode(text)[0]
            if isinstance(data, dict):
                return data
        except (ValueError, RecursionError):
            pass
    stamp = stamp_of(line)
    return {"timestamp": stamp.decode(), "body": text} if stamp else {"body": text}


def text_of(value: Any) -> str:
    """A value as the text that is searched and shown."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def texts_of(data: Data) -> list[str]:
    """All that a word can be found in: text, names and values, not the keys."""
    found = [text_of(value) for key, value in data.items() if key not in ("attributes", "exception")]
    for key in ("attributes", "exception"):
        inner = data.get(key)
        if isinstance(inner, dict):
            found += map(text_of, inner.values())
        elif inner is not None:
            found.append(text_of(inner))
    return found


def _glimpse(name: str, key: str | None) -> re.Pattern[bytes]:
    """Finds keys that a name may mean, and their values. It begins with a literal, which is what makes it fast."""
    value = r'"\s?:\s?("[^"\\]*"|[-\d][-+.\deE]*|true|false|null|)'
    if key:
        return re.compile(f'"{key}{value}'.encode())
    name = re.escape(name)
    return re.compile(rf'{name}(?<=[".]{name})(?:\.name)?{value}'.encode())


def _value_of(raw: bytes) -> Any:
    if raw.startswith(b'"'):
        return raw[1:-1].decode("utf-8", "replace")
    if raw in _WORDS:
        return _WORDS[raw]
    try:
        return int(raw)
    except ValueError:
        try:
            return float(raw)
        except ValueError:
            return _UNSEEN


class Line:
    """A line whose JSON is read only where a glimpse at its bytes does not tell.

    Args:
        raw: its bytes.
    """

    __slots__ = ("_data", "is_simple", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._data: Data | None = None
        # The attributes come last and have no object inside: then what looks like a key is one, of the line or of the
        # attributes. Within strings of JSON a quote has a backslash, so that nothing there looks like a key.
        braces = raw.count(b"{")
        end = b"}}" if braces == 2 else b"}"
        self.is_simple = braces <= 2 and raw.startswith(b'{"timestamp": "') and raw.endswith(end)

    @property
    def data(self) -> Data:
        """All its fields."""
        if self._data is None:
            self._data = data_of(self.raw)
        return self._data

    @property
    def stamp(self) -> str:
        """Its time; empty where it has none."""
        return stamp_of(self.raw).decode()


class Field:
    """What a name in a query means: a short name, or an attribute by its whole name or the end of it.

    ``duration`` is ``duration``, else ``otel_kit.duration``, else one that ends in ``.duration`` or ``.duration.name``.
    ``duration_ms`` is also that in milliseconds, where no attribute has the name itself.

    Args:
        name: as it was written.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._key = _KEYS.get(name)
        self._slice = _SLICES.get(name)
        self._ranks: dict[str, int] = {}
        self._scaled = Field(name[:-3]) if name[-3:] in _SCALES and len(name) > 3 else None
        self._bytes = (self._key or name).encode()
        self._glimpse = _glimpse(name, self._key) if longest_plain(name) == name else None

    def of(self, line: Line) -> Any:
        """The field's value in a record; None where it has none."""
        if self._slice:
            return line.stamp[: self._slice] or None
        value = self._seen(line) if line.is_simple and self._glimpse else _UNSEEN
        if value is _UNSEEN:
            value = line.data.get(self._key) if self._key else self._attribute(line.data)
        if value is None and self._scaled:
            value = self._scaled.of(line)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            return value * _SCALES[self.name[-3:]] if number else None
        return value

    def keys(self) -> tuple[str, ...]:
        """Names of which one ends the key of each line that has the field; none where that is not known."""
        if self._key or self._slice or self._scaled or self.name.startswith("exception"):
            return ()
        return (self.name, f"{self.name}.name")

    def _seen(self, line: Line) -> Any:
        """The value as a glimpse shows it: where there is one key that fits, and its value is simple."""
        assert self._glimpse is not None
        raw = line.raw
        if self._bytes not in raw:
            return None
        found = self._glimpse.findall(raw, 0, raw.find(_ATTRIBUTES) if self._key else len(raw))
        if not found:
            return None
        return _value_of(found[0]) if len(found) == 1 else _UNSEEN

    def _attribute(self, data: Data) -> Any:
        attributes = data.get("attributes")
        if not isinstance(attributes, dict):
            attributes = {}
        value = attributes.get(self.name)
        if value is None and attributes:
            value = self._nearest(attributes)
        if value is None and self.name.startswith("exception"):
            value = self._exception(data.get("exception"))
        return data.get(self.name) if value is None else value

    def _nearest(self, attributes: Mapping[str, Any]) -> Any:
        ranks, best, value = self._ranks, 9, None
        for key, each in attributes.items():
            rank = ranks.get(key)
            if rank is None:
                rank = ranks[key] = self._rank(key)
            if rank < best:
                best, value = rank, each
        return value

    def _rank(self, key: str) -> int:
        name = self.name
        if key in (f"otel_kit.{name}", f"otel_kit.{name}.name"):
            return 1
        if key == f"{name}.name":
            return 2
        return 3 if key.endswith(f".{name}") else 4 if key.endswith(f".{name}.name") else 9

    def _exception(self, exception: Any) -> Any:
        if not isinstance(exception, dict):
            return None
        if self.name == "exception":
            return f"{exception.get('type')}: {exception.get('message')}"
        return exception.get(self.name.removeprefix("exception."))
