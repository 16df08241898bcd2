"""A line of a log file as the fields that a query can name."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from otel_kit.cli.logs.glimpse import OF_EXCEPTION, UNSEEN, Glimpse, nothing, of_attribute, of_key, value_of
from otel_kit.cli.logs.needle import longest_plain
from otel_kit.cli.logs.table import Column

Data = Mapping[str, Any]

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
_UP_TO_MINUTES = len('{"timestamp": "2026-11-22T14:03')
_MOST_TIMES = 10_000  # remembered
_SLICES = {"day": 10, "hour": 13, "minute": 16}
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


class Line:
    """A line whose JSON is read only where a glimpse at its bytes does not tell.

    Args:
        raw: its bytes.
    """

    __slots__ = ("_data", "raw")

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self._data: Data | None = None

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


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


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
        self._times: dict[bytes, bytes] = {}
        self._glimpse = self._look()

    def of(self, line: Line) -> Any:
        """The field's value in a record; None where it has none."""
        if self._slice:
            return line.stamp[: self._slice] or None
        value = self._own(line)
        if value is None and self._scaled:
            number = _number(self._scaled.of(line))
            return None if number is None else number * self.scale()
        return value

    def _own(self, line: Line) -> Any:
        seen = self._glimpse(line.raw)
        if seen != UNSEEN:
            return None if seen is None else value_of(seen)
        return line.data.get(self._key) if self._key else self._attribute(line.data)

    def number(self, raw: bytes) -> float | None:
        """The value of a line where it is a number."""
        seen = self._glimpse(raw)
        if seen is None:
            number = self._scaled.number(raw) if self._scaled else None
            return None if number is None else number * self.scale()
        try:
            return float(seen)  # text has its quotes, and is none
        except ValueError:
            return _number(self.of(Line(raw)))

    def mark(self, raw: bytes) -> bytes | str | None:
        """What tells a line's value from others, and :meth:`text` understands: it costs less than the value."""
        if self._slice:
            return self._time(raw)
        seen = self._glimpse(raw)
        if seen or (seen is None and not self._scaled):
            return seen
        value = self.of(Line(raw))
        return None if value is None else text_of(value)

    def _time(self, raw: bytes) -> bytes | None:
        beginning = raw[:_UP_TO_MINUTES]
        found = self._times.get(beginning)
        if found is None:
            found = stamp_of(raw)[: self._slice]
            if found and len(self._times) < _MOST_TIMES:
                self._times[beginning] = found
        return found or None

    def text(self, mark: bytes | str) -> str:
        """The value that a mark stands for, as text."""
        if isinstance(mark, str):
            return mark
        return mark.decode() if self._slice else text_of(value_of(mark))

    def keys(self) -> tuple[str, ...]:
        """Names of which one ends the key of each line that has the field; none where that is not known."""
        if self._key or self._slice or self._scaled or self.name.startswith("exception"):
            return ()
        return (self.name, f"{self.name}.name")

    def _look(self) -> Glimpse:
        if self._key:
            return of_key(self._key)
        return of_attribute(self.name) if self._is_plain() else nothing

    def _is_plain(self) -> bool:
        """Whether the name stands in JSON as it is, and only among the attributes."""
        plain = longest_plain(self.name) == self.name and self.name not in OF_EXCEPTION
        return plain and not self.name.startswith("exception")

    def column(self) -> Column | None:
        """How the bytes of many lines show the field at once; None where they do not."""
        if self._key:
            return Column((f'"{self._key}": '.encode(),))
        if self._slice or not self._is_plain():
            return None
        ends = f'{self.name}": '.encode(), f'{self.name}.name": '.encode()
        if not self._scaled:
            return Column(ends)
        inner = self._scaled.column()
        return inner and inner._replace(absent=inner.absent + ends)

    def scale(self) -> float:
        """What the numbers of its column are to be multiplied with."""
        return _SCALES[self.name[-3:]] if self._scaled else 1

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
