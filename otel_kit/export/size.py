"""About how many bytes an item holds: its texts, which are what makes one large."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# An item without attributes, as measured: objects, a dict, ids.
BARE = 700
_SEVERAL = (list, tuple)


def span_size(span: Any) -> int:
    """Of a span with its events."""
    size = BARE + _texts(span._attributes or {})
    for event in span._events:
        size += BARE + _texts(event.attributes or {})
    return size


def record_size(record: Any) -> int:
    """Of a log record."""
    log = record.log_record
    return BARE + _text(log.body) + _texts(log.attributes or {})


def _texts(attributes: Mapping[str, Any]) -> int:
    size = 0
    for value in attributes.values():
        if type(value) is str:
            size += len(value)
        elif type(value) not in (int, float, bool):
            size += _text(value)
    return size


def _text(value: Any) -> int:
    """Values are clean by now: no deeper than the limit, and no cycle."""
    if isinstance(value, str | bytes):
        return len(value)
    if isinstance(value, Mapping):
        return _texts(value)
    return sum(map(_text, value)) if isinstance(value, _SEVERAL) else 0
