"""Values as people may see them: secrets masked, never long, never failing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_kit._imports import late
from otel_kit.setup.urls import MASK, is_url, masked_url
from otel_kit.setup.values import ATTRIBUTES, ENDPOINTS, HEADERS, NO_LIMIT, RULES, Headers, Kind

LONGEST = 200
_UNITS = (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10))


class Shown(str):
    """Words that stand for a value in a message, as they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def masked(kind: Kind, value: Any) -> Any:
    """A right value, without what may be secret in it."""
    if kind is HEADERS:
        return dict.fromkeys(value, MASK)
    if kind is RULES:
        return repr(value) if value else {}
    if kind is ATTRIBUTES and value:
        return _redacted(value)
    return tuple(masked_url(url) for url in value) if kind is ENDPOINTS else value


def given(kind: Kind, value: Any) -> Any:
    """A value, right or wrong, for the message that it cannot be used."""
    if kind is HEADERS:
        return dict.fromkeys(value, MASK) if isinstance(value, Headers) else Shown(MASK)
    if kind is ENDPOINTS:
        return _endpoints(value)
    if kind is RULES:
        return Shown(MASK)
    if kind is ATTRIBUTES:
        return _short(_redacted(value))
    return _short(value)


def used(kind: Kind, value: Any) -> Any:
    """The value that is used instead, for the same message."""
    if value in (None, (), {}):
        return Shown("the default" if kind is ENDPOINTS else "none")
    if kind.unit:
        return Shown(in_unit(kind, value))
    if isinstance(value, bool):
        return Shown(str(value).lower())
    return (
        Shown(", ".join(value)) if isinstance(value, tuple) and kind is not ENDPOINTS else given(kind, value)
    )


def in_unit(kind: Kind, value: Any) -> str:
    """A value with the unit of its kind, as a person reads it."""
    return _IN_UNIT.get(kind.unit, str)(value)


def _in_seconds(value: float) -> str:
    return "no limit" if value == NO_LIMIT else f"{value:g} s"


def _in_bytes(value: int) -> str:
    unit, size = next(((unit, size) for unit, size in _UNITS if value >= size), ("", 1))
    return f"{value} ({value / size:.4g} {unit})" if unit else str(value)


def _in_days(value: int) -> str:
    return f"{value} days"


_IN_UNIT: dict[str, Callable[[Any], str]] = {"s": _in_seconds, "By": _in_bytes, "d": _in_days}


def _redacted(value: Any) -> Any:
    """A mapping or a text of attributes as it would leave the process, whatever the settings say of redaction."""
    redact = late("otel_kit.pipeline.redact")
    return redact.Redactor(redact.Rules()).value("", value, "settings")


def _endpoints(value: Any) -> Any:
    if isinstance(value, list | tuple) and all(type(url) is str for url in value):
        value = ",".join(value)
    if type(value) in (int, bool, float):
        return _short(value)
    return _short(_endpoint_text(value)) if type(value) is str else Shown(MASK)


def _endpoint_text(text: str) -> str:
    """A comma in a password makes pieces whose secret part cannot be told: then everything is masked."""
    urls = text.split(",")
    if ("@" in text or "?" in text) and not all(map(is_url, urls)):
        return MASK
    return ",".join(map(masked_url, urls))


def _short(value: Any) -> Any:
    if value is None or type(value) in (bool, float) or (type(value) is str and len(value) < LONGEST):
        return value
    try:
        text = repr(value)
    except Exception:
        text = f"<{type(value).__name__} that cannot be shown>"
    return Shown(text if len(text) < LONGEST else f"{text[:LONGEST]} ...")
