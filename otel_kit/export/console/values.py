"""Key-values for people: ``amount=12.5 note="two words" items=[{"sku": "a"}]``, each bounded and on its line."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from json.encoder import encode_basestring  # in C where there is one
from math import isfinite
from typing import Any

from otel_kit.export.console.colors import Colors
from otel_kit.export.console.escape import escaped

# What a person still reads; the record itself keeps everything.
LONGEST = 1000
_BARE = re.compile(r"[^\s\"'=,{}\[\]]+")


def pairs(attributes: Iterable[tuple[str, Any]], colors: Colors) -> str:
    """All key-values, a space between them."""
    before, after = colors.key, f"{colors.reset}="
    return " ".join([f"{before}{key_text(key)}{after}{value_text(value)}" for key, value in attributes])


@lru_cache(maxsize=1024)
def key_text(key: object) -> str:
    """A key, without the prefix of names of our own."""
    return shortened(str(key).removeprefix("otel_kit."), 100)


def value_text(value: Any) -> str:
    """One value: a string bare if it is one word, else quoted; a container as JSON."""
    kind = type(value)
    if kind is int:
        return str(value)
    if kind is str or isinstance(value, str):
        if len(value) <= LONGEST and value.isprintable() and _BARE.fullmatch(value):
            return value  # type: ignore[no-any-return]
        text = shortened(value, LONGEST)
        return text if _BARE.fullmatch(value[:LONGEST]) else '"' + text.replace('"', '\\"') + '"'
    if isinstance(value, float):
        return _short(value)
    if value is None or isinstance(value, (bool, int)):  # a union is slower
        return str(value)
    if isinstance(value, bytes):
        return shortened(repr(value), LONGEST)
    return shortened(as_json(value), LONGEST)


def _short(value: float) -> str:
    """With six significant digits, of a large number with three behind the point: an amount of money stays one."""
    return str(round(value, 3) if abs(value) >= 1000 else float(f"{value:.6g}"))


def shortened(text: str, longest: int) -> str:
    """The text, escaped, and cut with a word about the rest."""
    if len(text) <= longest:
        return escaped(text)
    return f"{escaped(text[:longest])}… (+{len(text) - longest:,} characters)"


def as_json(value: Any) -> str:
    """Any value as JSON on one line: bytes as base64, NaN and infinity as text, the unknown by its ``str()``."""
    try:
        return _encoded(value)
    except (ValueError, TypeError, RecursionError):
        return json.dumps(_tame(value, 16), ensure_ascii=False)


def object_as_json(fields: Mapping[str, Any]) -> str:
    """The same of key-values, most of which are text and numbers: a fraction of the encoder's time."""
    return "{" + ", ".join([f"{_json_key(key)}{_json_value(value)}" for key, value in fields.items()]) + "}"


@lru_cache(maxsize=1024)
def _json_key(key: object) -> str:
    return f"{encode_basestring(str(key))}: "


def _json_value(value: Any) -> str:
    kind = type(value)
    if kind is str:
        return encode_basestring(value)
    return repr(value) if kind is int or (kind is float and isfinite(value)) else as_json(value)


def _known(value: Any) -> Any:
    if isinstance(value, bytes | bytearray):
        return base64.b64encode(value).decode()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return list(value)
    return str(value)


_encoded = json.JSONEncoder(
    ensure_ascii=False, allow_nan=False, default=_known
).encode  # dumps() makes one each time


def _tame(value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if abs(value) < float("inf") else str(value)
    if depth == 0:
        return "[too deep]"
    if isinstance(value, Mapping):
        return {str(k): _tame(v, depth - 1) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_tame(v, depth - 1) for v in value]
    return _known(value)
