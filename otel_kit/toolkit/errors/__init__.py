"""What kind of error it is, whether it is new, and what was done about it.

- ``analysis``: what kind of error an exception is · ``rules``: the user's own rules
- ``codes``, ``known``, ``words``: categories by code, by type, by word · ``categories``: what is said of each
- ``telling``: what happens to each exception that is told · ``news``, ``history``, ``rates``: whether it is new
- ``recovery``: retries and fallbacks · ``degradation``: what works worse at the moment
- ``chain``: causes and groups · ``fingerprint``: one name for all occurrences of the same error
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_kit._imports import late

if TYPE_CHECKING:
    from otel_kit.toolkit.errors.analysis import Analysis, analyze
    from otel_kit.toolkit.errors.degradation import degraded, recovered
    from otel_kit.toolkit.errors.recovery import fallback, retried
    from otel_kit.toolkit.errors.rules import add_error_rule

_HOMES = {
    "Analysis": "analysis",
    "analyze": "analysis",
    "add_error_rule": "rules",
    "degraded": "degradation",
    "fallback": "recovery",
    "recovered": "degradation",
    "retried": "recovery",
}

__all__ = ["Analysis", "add_error_rule", "analyze", "degraded", "fallback", "recovered", "retried"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'otel_kit.toolkit.errors' has no attribute {name!r}")
    value = getattr(late(f"otel_kit.toolkit.errors.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
