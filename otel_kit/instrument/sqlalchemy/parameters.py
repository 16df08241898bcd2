"""The values that are bound to a statement, where somebody asked for them; redaction comes after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from otel_kit import semconv

MOST, LONGEST = 100, 1_024


def bound(parameters: Any, context: Any) -> dict[str, str]:
    """Attributes for the first hundred values, named as SQLAlchemy names them, or else by their number."""
    if isinstance(parameters, Mapping):
        pairs: Any = parameters.items()
    elif isinstance(parameters, Sequence) and not isinstance(parameters, str | bytes):
        names = getattr(getattr(context, "compiled", None), "positiontup", None) or ()
        numbers = range(len(parameters))
        pairs = zip(names if len(names) == len(parameters) else numbers, parameters, strict=True)
    else:
        return {}
    found: dict[str, str] = {}
    for name, value in pairs:
        if len(found) >= MOST:
            break
        found[f"{semconv.DB_QUERY_PARAMETER}.{name}"] = _text(value)
    return found


def _text(value: Any) -> str:
    try:
        return (value if isinstance(value, str) else str(value))[:LONGEST]
    except Exception:
        return f"<{type(value).__name__} cannot be shown>"
