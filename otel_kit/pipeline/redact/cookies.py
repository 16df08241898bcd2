"""Cookies: the names stay, and of the values those that open a session."""

from __future__ import annotations

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, Findings
from otel_kit.pipeline.redact.keys import Asks, judge
from otel_kit.pipeline.redact.values import withheld
from otel_kit.pipeline.redact.vocabulary import QUERY_NAMES

_COOKIE = expression(r"(?<![^\s;,\"'=:(])([^\s=;,\"']{1,128}+)=(\"?)([^;\s\"]{0,8192})")
_ATTRIBUTES = frozenset(
    ("path", "domain", "expires", "max-age", "samesite", "version", "comment", "priority")
)
# Analytics count visitors; whoever has their ids can open nothing.
_ANALYTICS = ("_ga", "_gid", "_fbp", "_hj", "amplitude", "mp_", "ajs_", "_gcl", "__utm", "optimizely")


def cookies(text: str, start: int, end: int) -> Findings:
    """The cookies between two positions that must not leave."""
    for match in _COOKIE.finditer(text, start, end):
        name, value = match.group(1), match.group(3)
        rule = cookie_rule(name, value)
        if rule:
            yield Finding(match.start(3), match.end(3), rule)


def cookie_rule(name: str, value: str) -> str:
    """The rule by which a cookie's value is withheld, or an empty string."""
    lower = name.lower()
    if lower in _ATTRIBUTES or lower.startswith(_ANALYTICS) or looks.placeholder(value):
        return ""
    verdict = judge(name)
    if verdict.asks not in (Asks.TEXT, Asks.QUANTITY):
        # In a cookie a session's id is a credential, whatever it looks like.
        if verdict.rule == "session" and len(value) >= 6:
            return "session"
        return verdict.rule if withheld(verdict, value) or looks.opaque(value, 12, digests=True) else ""
    if lower in QUERY_NAMES and looks.opaque(value, 12, digests=True):
        return QUERY_NAMES[lower]
    return "cookie" if looks.opaque(value, 16, digests=True) else ""
