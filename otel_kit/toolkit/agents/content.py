"""What was said to a model and what it answered: recorded where it is asked for, and nowhere else.

The standard's variable ``OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT`` asks: ``span_only``, ``event_only`` or
``span_and_event``; ``true`` means the span. It is read each time that there is something to record.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from otel_kit.signals.logs.values import is_a, plain, text

VARIABLE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_ON_SPAN = frozenset({"span_only", "span_and_event", "true"})
_IN_EVENT = frozenset({"event_only", "span_and_event"})


def _asked() -> str:
    return os.environ.get(VARIABLE, "").strip().lower()


def on_span() -> bool:
    """Whether contents become attributes of the span."""
    return _asked() in _ON_SPAN


def in_event() -> bool:
    """Whether contents become a record of their own."""
    return _asked() in _IN_EVENT


def messages(said: object, role: str) -> Any:
    """Messages in the conventions' form: a list of roles and their parts.

    Args:
        said: a text, a message such as ``{"role": "user", "content": "…"}``, or a list of these.
        role: whose a bare text is.
    """
    several = said if is_a(said, list | tuple) else [said]
    assert isinstance(several, Sequence)
    return [_message(one, role) for one in several[:1000]]


def parts(said: object) -> Any:
    """The parts of one message: a text, or a list of parts as the provider has them."""
    if is_a(said, str):
        return [{"type": "text", "content": said}]
    if is_a(said, list | tuple):
        assert isinstance(said, Sequence)
        return [part for one in said[:1000] for part in _part(one)]
    return _part(said)


def _part(one: Any) -> list[Any]:
    if is_a(one, str):
        return [{"type": "text", "content": one}]
    if is_a(one, Mapping) and one.get("type") == "text" and "text" in one:
        return [{"type": "text", "content": plain(one["text"])}]
    return [plain(one) if is_a(one, Mapping) else {"type": "text", "content": text(one)}]


def _message(one: Any, role: str) -> Any:
    if not is_a(one, Mapping):
        return {"role": role, "parts": parts(one)}
    if "parts" in one:
        return plain(one)
    rest = {key: plain(value) for key, value in one.items() if key not in ("role", "content")}
    return {"role": plain(one.get("role", role)), "parts": parts(one.get("content", "")), **rest}
