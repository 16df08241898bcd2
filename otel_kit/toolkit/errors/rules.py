"""A user's own rules: which exceptions belong to which category. They are asked before everything else."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

from otel_kit import _guard
from otel_kit.errors import ArgumentError
from otel_kit.toolkit.errors.categories import CATEGORIES, SEVERITIES

Match = type[BaseException] | str | Callable[[BaseException], bool]

_NAME = re.compile(r"[a-z][a-z0-9_]{0,49}")
MOST_SUGGESTIONS, LONGEST_SUGGESTION = 5, 200


class Rule(NamedTuple):
    """One rule.

    Attributes:
        matches: whether it holds for an exception.
        category, severity, suggestions: what it says; None and () for what is usual in the category.
        name: how an analysis names it.
    """

    matches: Callable[[BaseException], bool]
    category: str
    severity: str | None
    suggestions: tuple[str, ...]
    name: str


_rules: list[Rule] = []


def add_error_rule(
    match: Match, category: str, *, severity: str | None = None, suggestions: Iterable[str] = ()
) -> Callable[[], None]:
    """Have exceptions of your own, or of a library, put into a category. The rule added last is asked first.

    Args:
        match: an exception class, its full name such as ``shop.errors.Declined`` (so that it need not be imported), or a
            function of the exception that says whether the rule holds.
        category: a category of otel_kit or one of your own: lower-case letters, digits and ``_``. It is an attribute of
            metrics: use few.
        severity: ``info``, ``warning``, ``error`` or ``critical``; by default that of the category, ``error`` for your own.
        suggestions: at most 5 short sentences; by default those of the category.

    Raises:
        ArgumentError: one of these is something else.

    Returns:
        A function that takes the rule away again.
    """
    rule = Rule(
        _matcher(match),
        _checked(category),
        _severity(severity),
        _suggestions(suggestions),
        f"rule for {_name(match)}",
    )
    _rules.insert(0, rule)

    def undo() -> None:
        if rule in _rules:
            _rules.remove(rule)

    return undo


def rule_for(error: BaseException) -> Rule | None:
    """The rule that holds for an exception. One that raises holds for none, and is counted."""
    for rule in tuple(_rules):
        try:
            if rule.matches(error):
                return rule
        except Exception as failure:
            _guard.contained("errors.rule", failure)
    return None


def _matcher(match: Match) -> Callable[[BaseException], bool]:
    if isinstance(match, type) and issubclass(match, BaseException):
        return lambda error: isinstance(error, match)
    if isinstance(match, str) and match:
        return lambda error: any(
            match in (full_name(kind), kind.__qualname__) for kind in type(error).__mro__
        )
    if callable(match) and not isinstance(match, type):
        return match
    raise ArgumentError(
        "add_error_rule(match)", match, "an exception class, its full name, or a function of the exception"
    )


def full_name(kind: type) -> str:
    """The class with its module; builtins without."""
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _name(match: Match) -> str:
    return match if isinstance(match, str) else str(getattr(match, "__qualname__", type(match).__qualname__))


def _checked(category: object) -> str:
    if isinstance(category, str) and _NAME.fullmatch(category):
        return category
    raise ArgumentError(
        "add_error_rule(category)",
        category,
        f"{', '.join(CATEGORIES)}, or a name of your own: a-z, 0-9 and _",
        CATEGORIES,
    )


def _severity(severity: object) -> str | None:
    if severity is None or (isinstance(severity, str) and severity in SEVERITIES):
        return severity
    raise ArgumentError("add_error_rule(severity)", severity, ", ".join(SEVERITIES), SEVERITIES)


def _suggestions(given: Iterable[str]) -> tuple[str, ...]:
    if isinstance(given, str):
        given = (given,)
    try:
        texts = tuple(given)
    except TypeError:
        texts = (None,)  # type: ignore[assignment]
    if len(texts) <= MOST_SUGGESTIONS and all(isinstance(text, str) and text for text in texts):
        return tuple(text[:LONGEST_SUGGESTION] for text in texts)
    raise ArgumentError("add_error_rule(suggestions)", given, f"at most {MOST_SUGGESTIONS} texts")
