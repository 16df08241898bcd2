"""What a program did about an error: it tried again, or used something else instead."""

from __future__ import annotations

import sys
from typing import Any

from opentelemetry import trace

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.toolkit.errors._figures import counter
from otel_kit.toolkit.errors.analysis import category_of
from otel_kit.toolkit.errors.rules import full_name

WHERE = "errors.recovery"
LONGEST_NAME = 200
_part = part("errors")


def retried(
    what: Any, /, *, error: BaseException | None = None, attempt: int | None = None, wait: float | None = None
) -> None:
    """Tell that something is tried again: an event of the current span, and the counter ``otel_kit.retries``.

    It is a hook for tenacity as it is: ``@retry(before_sleep=otel_kit.retried)``. Retries of urllib3 and requests
    are told by themselves while these libraries are instrumented.

    Args:
        what: its name, which is an attribute of a metric: no ids in it; or tenacity's ``RetryCallState``.
        error: why; by default the exception that is being handled.
        attempt: the number of the attempt that failed, from 1.
        wait: seconds until the next one.

    Raises:
        ArgumentError: ``what`` is neither.
    """
    if not _part.on:
        return
    if not isinstance(what, str):
        what, error, attempt, wait = _of_tenacity(what)
    try:
        attributes = {semconv.RETRY_NAME: what[:LONGEST_NAME], **_error(error)}
        counter(semconv.METRIC_RETRIES, "{retry}", "What was tried again.").add(1, attributes)
        tally.count(tally.RETRY)
        more = {semconv.RETRY_ATTEMPT: attempt, semconv.RETRY_WAIT: wait}
        given = {name: value for name, value in more.items() if value is not None}
        trace.get_current_span().add_event(semconv.EVENT_RETRY, {**attributes, **given})
    except Exception as failure:
        _guard.contained(WHERE, failure)


def fallback(name: str, *, error: BaseException | None = None) -> None:
    """Tell that something is used instead of what failed: an event of the current span, and ``otel_kit.fallbacks``.

    Args:
        name: of what is used instead, such as ``cache``. It is an attribute of a metric: no ids in it.
        error: what failed; by default the exception that is being handled.

    Raises:
        ArgumentError: ``name`` is no text.
    """
    if not _part.on:
        return
    if not isinstance(name, str) or not name:
        raise ArgumentError("fallback(name)", name, "a text")
    try:
        attributes = {semconv.FALLBACK_NAME: name[:LONGEST_NAME], **_error(error)}
        counter(
            semconv.METRIC_FALLBACKS, "{fallback}", "What was used instead of something that failed."
        ).add(1, attributes)
        trace.get_current_span().add_event(semconv.EVENT_FALLBACK, attributes)
    except Exception as failure:
        _guard.contained(WHERE, failure)


def _error(error: BaseException | None) -> dict[str, str]:
    """Type and category, few enough to count by."""
    error = error if error is not None else sys.exception()
    if not isinstance(error, BaseException):
        return {}
    return {semconv.ERROR_TYPE: full_name(type(error)), semconv.ERROR_CATEGORY: category_of(error)}


def _of_tenacity(state: Any) -> tuple[str, BaseException | None, int, float | None]:
    function, outcome = getattr(state, "fn", None), getattr(state, "outcome", None)
    attempt = getattr(state, "attempt_number", None)
    if not isinstance(attempt, int):
        raise ArgumentError("retried(what)", state, "a text, or tenacity's RetryCallState")
    error = outcome.exception() if outcome is not None and outcome.failed else None
    # Without a function in a block: ``for attempt in Retrying(): with attempt:``.
    name = getattr(function, "__qualname__", None) or "block"
    return name, error, attempt, getattr(state, "upcoming_sleep", None)
