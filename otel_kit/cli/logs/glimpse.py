"""Values of fields as the bytes of lines show them, where that is sure: reading the JSON of each line takes ten times as long.

What makes it sure is how the writer writes: the attributes come behind the line's own keys, an exception behind the
attributes. Within strings of JSON a quote has a backslash, so that nothing there looks like a key, or like an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

# Gives the bytes of a line's value, None where it has none, or UNSEEN where the JSON must be read.
Glimpse = Callable[[bytes], bytes | None]
UNSEEN = b""

OF_EXCEPTION = ("type", "message", "stacktrace")  # its keys stand behind the attributes
BEGINNING = b'{"timestamp": "'
ATTRIBUTES, EXCEPTION = b'"attributes": ', b'"exception": '
_WORDS = {b"true": True, b"false": False, b"null": None}
# Text, a number or a word; a list or an object is left to whoever reads JSON.
SIMPLE = r'"[^"\\]*(?:\\.[^"\\]*)*"|-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|true|false|null'
_VALUE = rf'"\s?:\s?({SIMPLE}|)'


def nothing(raw: bytes) -> bytes | None:
    """Of names that may be written in several ways."""
    return UNSEEN


def of_key(key: str) -> Glimpse:
    """The value of a key of the line."""
    sought, match = f'"{key}"'.encode(), re.compile(f'"{key}{_VALUE}'.encode()).match

    def look(raw: bytes) -> bytes | None:
        at = raw.find(sought)
        if at < 0:
            return None if _attributes_of(raw) else UNSEEN
        # Behind a brace it is a key of something else.
        if raw.find(b'{"', 1, at) >= 0 or not raw.startswith(BEGINNING) or not raw.endswith(b"}"):
            return UNSEEN
        found = match(raw, at)
        return found[1] if found else UNSEEN

    return look


def of_attribute(name: str) -> Glimpse:
    """The value of the attribute with a name, or with one that ends in it."""
    short, long = f'{name}"'.encode(), f'{name}.name"'.encode()
    match = re.compile(rf'(?<=[".]){re.escape(name)}(?:\.name)?{_VALUE}'.encode()).match

    def look(raw: bytes) -> bytes | None:
        if not (begin := _attributes_of(raw)):
            return UNSEEN
        value = None
        for each in (short, long):
            at = raw.find(each, begin)
            while at >= 0:
                if found := match(raw, at):
                    if value is not None:
                        return UNSEEN  # several that fit: the nearest is meant
                    value = found[1]
                at = raw.find(each, at + 1)
        return UNSEEN if value is None and raw.find(short, 0, begin) >= 0 else value

    return look


def _attributes_of(raw: bytes) -> int:
    """Where the attributes begin, or the end of a line that has none; 0 where bytes do not tell."""
    if not raw.startswith(BEGINNING) or not raw.endswith(b"}"):
        return 0
    begin = raw.find(b'{"', 1)
    if begin < 0:
        return len(raw)
    last = raw.rfind(b'{"')
    if not raw.startswith(ATTRIBUTES, begin - len(ATTRIBUTES)):
        return 0
    is_sure = last == begin or (
        raw.startswith(EXCEPTION, last - len(EXCEPTION)) and raw.find(b'{"', begin + 1) == last
    )
    return begin if is_sure else 0


def value_of(seen: bytes) -> Any:
    """The value that bytes stand for."""
    if seen.startswith(b'"'):
        text = seen.decode("utf-8", "replace")
        return json.loads(text, strict=False) if "\\" in text else text[1:-1]
    if seen in _WORDS:
        return _WORDS[seen]
    return int(seen) if seen.lstrip(b"-").isdigit() else float(seen)
