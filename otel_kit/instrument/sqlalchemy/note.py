"""Something of ours that is kept on a span, so that it goes when the span goes."""

from __future__ import annotations

from typing import Any

from opentelemetry.trace import Span


def note(span: Span, key: str, value: Any) -> bool:
    """Keep a value on a span, for ``getattr``; False where it is somebody's that takes no attributes."""
    try:
        # Not through __dict__: up to 3.12 looking at it makes it, which costs the span and all that read it.
        setattr(span, key, value)
    except AttributeError:
        return False
    return True
