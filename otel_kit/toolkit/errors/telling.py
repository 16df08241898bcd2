"""What happens to each exception that a span or a log record tells of: it is described, counted, and looked at for news."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import SpanContext
from opentelemetry.util.types import AttributeValue

from otel_kit import semconv
from otel_kit.context.described import news
from otel_kit.context.parts import part
from otel_kit.toolkit.errors._figures import counter
from otel_kit.toolkit.errors.analysis import analyze, category_of
from otel_kit.toolkit.errors.news import look
from otel_kit.toolkit.errors.rules import full_name

_part = part("errors")


def describe(exception: BaseException) -> Mapping[str, AttributeValue]:
    """Its category, severity, fingerprint and suggestions; nothing while this part is off."""
    return analyze(exception).attributes if _part.on else {}


def brief(exception: BaseException) -> Mapping[str, AttributeValue]:
    """Its category alone, for the span of a call that fails."""
    return {semconv.ERROR_CATEGORY: category_of(exception)} if _part.on else {}


def told(exception: BaseException, description: Mapping[str, Any], span_context: SpanContext) -> None:
    """Count an exception that is told for the first time in its trace."""
    if not _part.on:
        return
    errors = counter(semconv.METRIC_ERRORS, "{error}", "Exceptions that were told of, each once.")
    errors.add(
        1,
        {
            semconv.ERROR_TYPE: full_name(type(exception)),
            semconv.ERROR_CATEGORY: description[semconv.ERROR_CATEGORY],
        },
    )
    if news.on:
        look(exception, description, span_context)
