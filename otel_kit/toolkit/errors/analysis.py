"""What kind of error an exception is: its category, how bad that is, its fingerprint, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from opentelemetry.util.types import AttributeValue

from otel_kit import semconv
from otel_kit.errors import ArgumentError
from otel_kit.toolkit.errors.categories import CATEGORIES, SEVERITIES, UNKNOWN, Category
from otel_kit.toolkit.errors.chain import DEEPEST, cause_of, causes_of, code_of, context_of, members_of
from otel_kit.toolkit.errors.fingerprint import fingerprint_of
from otel_kit.toolkit.errors.known import GENERIC, KNOWN, WRAPPERS, package_of
from otel_kit.toolkit.errors.rules import full_name, rule_for
from otel_kit.toolkit.errors.words import category_of_message, category_of_name

_OWN_CATEGORY = Category("error", ())


@dataclass(frozen=True)
class Analysis:
    """What :func:`analyze` finds.

    Attributes:
        type: the exception's class with its module.
        category: such as ``timeout`` or ``validation``; see docs/errors.md.
        severity: ``info``, ``warning``, ``error`` or ``critical``.
        fingerprint: 16 hexadecimal digits, the same for each occurrence of the same error.
        suggestions: short sentences.
        by: what the category was decided by: a rule, a code such as ``HTTP 504``, a type, a word.
        causes: the types of what it was raised from, the nearest first; of a group, those of its members.
    """

    type: str
    category: str
    severity: str
    fingerprint: str
    suggestions: tuple[str, ...]
    by: str
    causes: tuple[str, ...]

    @property
    def attributes(self) -> Mapping[str, AttributeValue]:
        """The same as the attributes of a span or record."""
        found: dict[str, AttributeValue] = {
            semconv.ERROR_CATEGORY: self.category,
            semconv.ERROR_SEVERITY: self.severity,
            semconv.ERROR_FINGERPRINT: self.fingerprint,
        }
        return {**found, semconv.ERROR_SUGGESTIONS: self.suggestions} if self.suggestions else found


class Verdict(NamedTuple):
    """A category, by what it was decided, and what a rule says instead of what is usual in it."""

    category: str
    by: str
    severity: str | None = None
    suggestions: tuple[str, ...] = ()


def analyze(exception: BaseException) -> Analysis:
    """What kind of error an exception is. Emits nothing, and works without telemetry.

    Args:
        exception: raised or not, with causes, a group, or both.

    Raises:
        ArgumentError: it is no exception.
    """
    if not isinstance(exception, BaseException):
        raise ArgumentError("analyze(exception)", exception, "an exception")
    verdict = _verdict(exception, 0)
    usual = CATEGORIES.get(verdict.category, _OWN_CATEGORY)
    behind = members_of(exception) or list(causes_of(exception))
    return Analysis(
        type=full_name(type(exception)),
        category=verdict.category,
        severity=verdict.severity or usual.severity,
        fingerprint=fingerprint_of(exception),
        suggestions=verdict.suggestions or usual.suggestions,
        by=verdict.by,
        causes=tuple(full_name(type(error)) for error in behind),
    )


def category_of(exception: BaseException) -> str:
    """The category alone, which is most of an analysis at half of its price."""
    return _verdict(exception, 0).category


def _verdict(error: BaseException, depth: int) -> Verdict:
    rule = rule_for(error)
    if rule is not None:
        return Verdict(rule.category, rule.name, rule.severity, rule.suggestions)
    code = code_of(error)
    if code is not None:
        return Verdict(*code)
    if depth < DEEPEST and (found := _of_members(error, depth)):
        return found
    named = _by_type(error)
    if named is not None and not _is_wrapper(error):
        return named
    return _behind(error, depth) or named or Verdict(UNKNOWN, "nothing known")


def _of_members(error: BaseException, depth: int) -> Verdict | None:
    """Of a group: the worst of its members' verdicts, the first of these."""
    verdicts = [_verdict(member, depth + 1) for member in members_of(error)]
    if not verdicts:
        return None
    worst = max(verdicts, key=_weight)
    return worst._replace(by=f"a member of the group: {worst.by}")


def _weight(verdict: Verdict) -> int:
    severity = verdict.severity or CATEGORIES.get(verdict.category, _OWN_CATEGORY).severity
    return SEVERITIES.index(severity) * 2 + (verdict.category != UNKNOWN)


def _by_type(error: BaseException) -> Verdict | None:
    """By the nearest class that is known, or whose name says it."""
    for kind in type(error).__mro__:
        package = package_of(kind)
        if kind in (BaseException, Exception, object) or (package == "builtins" and kind.__name__ in GENERIC):
            continue
        category = KNOWN.get((package, kind.__name__))
        if category is None and package != "builtins":
            category = category_of_name(kind.__name__)
        if category is not None:
            return Verdict(category, f"type {full_name(kind)}")
    return None


def _is_wrapper(error: BaseException) -> bool:
    return (package_of(type(error)), type(error).__name__) in WRAPPERS


def _behind(error: BaseException, depth: int) -> Verdict | None:
    """By what it was raised from; by its message; by what was being handled, which may be beside the point."""
    if depth >= DEEPEST:
        return None
    for found in (_of_other(cause_of(error), depth), _by_message(error), _of_other(context_of(error), depth)):
        if found is not None:
            return found
    return None


def _of_other(other: BaseException | None, depth: int) -> Verdict | None:
    verdict = _verdict(other, depth + 1) if other is not None else None
    if verdict is None or verdict.category == UNKNOWN:
        return None
    by = verdict.by if verdict.by.startswith("its cause") else f"its cause: {verdict.by}"
    return verdict._replace(by=by)


def _by_message(error: BaseException) -> Verdict | None:
    try:
        category = category_of_message(str(error))
    except Exception:
        return None
    return Verdict(category, "its message") if category else None
