"""What a model's answer says of itself, read from the answer that the client returned: OpenAI's, Anthropic's, Google's and
whatever has their shape, as an object or as a mapping, whole or as the pieces of a stream.

Only numbers and texts are taken, and nothing that an object raises comes through.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from otel_kit.signals.logs.values import is_a

MOST_CHOICES = 100


def facts_of(answer: object) -> dict[str, Any]:
    """What is known of an answer, by the names that ``Llm.set`` takes; empty for anything else.

    Args:
        answer: what the client returned, or one piece of its stream.
    """
    if answer is None or is_a(answer, str | bytes | int | float):
        return {}
    message = _get(answer, "message")
    whole = message if _get(message, "usage") is not None else answer  # the first event of Anthropic's stream
    nested = _get(answer, "response")  # the last event of a stream of OpenAI's responses
    whole = nested if _get(nested, "usage") is not None else whole
    found = {
        "response_model": _text(whole, "model", "model_version"),
        "response_id": _text(whole, "id", "response_id"),
        "finish_reason": _finish_reasons(answer, whole),
        **_tokens(_first(whole, "usage", "usage_metadata")),
    }
    return {name: value for name, value in found.items() if value is not None}


def _tokens(usage: object) -> dict[str, int | None]:
    if usage is None:
        return {}
    given = _number(usage, "input_tokens", "prompt_tokens", "prompt_token_count")
    read, written = _number(usage, "cache_read_input_tokens"), _number(usage, "cache_creation_input_tokens")
    if given is not None and (read or written):
        # Anthropic's count leaves out what came from the cache or went there; the conventions' count has it.
        given += (read or 0) + (written or 0)
    details_in = _first(usage, "prompt_tokens_details", "input_tokens_details")
    details_out = _first(usage, "completion_tokens_details", "output_tokens_details")
    if read is None:
        read = _number(details_in, "cached_tokens")
    if read is None:
        read = _number(usage, "cached_content_token_count")
    return {
        "input_tokens": given,
        "output_tokens": _number(usage, "output_tokens", "completion_tokens", "candidates_token_count"),
        "cache_read_tokens": read,
        "cache_write_tokens": written,
        "reasoning_tokens": _number(details_out, "reasoning_tokens", "thinking_tokens"),
    }


def _finish_reasons(answer: object, whole: object) -> list[str] | None:
    reason = _text(whole, "stop_reason") or _text(_get(answer, "delta"), "stop_reason")
    if reason is not None:
        return [reason]
    choices = _first(whole, "choices", "candidates")
    if not is_a(choices, list | tuple):
        return None
    assert isinstance(choices, Iterable)
    reasons = [
        _text(choice, "finish_reason") for choice, _ in zip(choices, range(MOST_CHOICES), strict=False)
    ]
    return [reason for reason in reasons if reason is not None] or None


def _get(holder: object, name: str) -> Any:
    if holder is None:
        return None
    try:
        value = holder.get(name) if isinstance(holder, Mapping) else getattr(holder, name, None)
    except Exception:  # an object's own attributes may raise; it is no answer then
        return None
    return value


def _first(holder: object, *names: str) -> Any:
    return next((value for name in names if (value := _get(holder, name)) is not None), None)


def _number(holder: object, *names: str) -> int | None:
    value = _first(holder, *names)
    return value if type(value) is int and value >= 0 else None


def _text(holder: object, *names: str) -> str | None:
    value = _first(holder, *names)
    if is_a(value, str):
        return str(value)[:256]
    name = getattr(value, "name", None) if type(value).__module__.startswith("google.") else None
    return name if isinstance(name, str) else None
