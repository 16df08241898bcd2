"""Values without secrets, for helpers that write them somewhere else than into a signal: into a file of their own.

The rules live in the pipeline, which helpers do not know; set-up registers them here. Before that those hold that the front
door registers for helpers that work without ``init_telemetry``; where there are none, nothing is shown.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from otel_kit import _guard

Redact = Callable[[str, Any], Any]

WITHHELD = "[withheld: no rules before init_telemetry]"
FAILED = "[withheld: redaction failed]"


class _Rules:
    redact: Redact | None = None
    usual: Callable[[], Redact] | None = None


_rules = _Rules()


def redact_with(redact: Redact | None) -> None:
    """Have values redacted by this function of key and value; None where there are no rules."""
    _rules.redact = redact


def redact_before_setup_with(usual: Callable[[], Redact]) -> None:
    """Have values redacted before set-up by what this gives, when the first one comes."""
    _rules.usual = usual


def redacted(key: str, value: Any) -> Any:
    """A value as it may be written down, judged by its key and by what it looks like.

    Args:
        key: what the value is called; a mapping's own keys are judged too.
        value: anything.

    Returns:
        The value without secrets; a sentence in its place where there are no rules, or where they fail.
    """
    try:
        if _rules.redact is None and _rules.usual is not None:
            _rules.redact = _rules.usual()
        if _rules.redact is None:
            return WITHHELD
        return _rules.redact(key, value)
    except Exception as error:
        _guard.contained("context.redacted", error)
        return FAILED
