"""What is said about an exception beside its type, message and traceback: the attributes that its log record and its
span get. Whoever knows exceptions well registers for it; nobody does by default.

An exception is described once, whoever tells of it first: the description lies in its own ``__dict__``, as the mark of
``reported`` does, with the trace that it was told in. Some programs raise one exception object in many requests, and
each of them counts.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping

from opentelemetry.trace import SpanContext, get_current_span
from opentelemetry.util.types import AttributeValue

from otel_kit import _guard
from otel_kit.context import tally

Describe = Callable[[BaseException], Mapping[str, AttributeValue]]
Told = Callable[[BaseException, Mapping[str, AttributeValue], SpanContext], None]

_MARK = "__otel_kit_described__"
_NOTHING: Mapping[str, AttributeValue] = {}


class News:
    """Whether errors that are new, come back, or happen much more often get log records of their own."""

    on = False


news = News()


class _Describer:
    describe: Describe | None = None
    told: Told | None = None
    brief: Describe | None = None


_describer = _Describer()


def describe_with(describe: Describe | None, told: Told | None = None, brief: Describe | None = None) -> None:
    """Have each exception that is told described by this function; None for no longer.

    Args:
        describe: gives the attributes.
        told: called with them when an exception is told first, once for each trace, with the span that it is told in.
        brief: gives those that hold wherever the exception has got to.
    """
    _describer.describe, _describer.told, _describer.brief = describe, told, brief


def brief_of(exception: BaseException) -> Mapping[str, AttributeValue]:
    """The attributes for the span of a call that fails, while the exception is still on its way to the program, which may
    deal with it: it is not told yet, does not count, and its traceback is not complete.
    """
    if _describer.brief is None:
        return _NOTHING
    try:
        return _describer.brief(exception)
    except Exception as error:
        _guard.contained("describing an exception", error)
        return _NOTHING


def description_of(
    exception: BaseException, span_context: SpanContext | None = None
) -> Mapping[str, AttributeValue]:
    """The attributes that the registered function gives; none where it fails, which is counted.

    Called by whoever tells of an exception; the first one counts it.

    Args:
        exception: what is told.
        span_context: the span that it is told in; the current one by default.
    """
    if span_context is None:
        span_context = get_current_span().get_span_context()
    try:
        return _told(exception, span_context)
    except Exception as error:
        _guard.contained("describing an exception", error)
        return _NOTHING


def _told(exception: BaseException, span_context: SpanContext) -> Mapping[str, AttributeValue]:
    mark = _mark_of(exception)
    trace_id = span_context.trace_id
    if mark is not None and trace_id in (mark[0], 0):
        return mark[1]
    description = mark[1] if mark else _described(exception)
    with contextlib.suppress(Exception):  # one that refuses the mark may be counted twice
        exception.__dict__[_MARK] = (trace_id, description)
    if mark is None or mark[0]:  # else it was told outside of any trace before, and comes into one only now
        tally.count(tally.EXCEPTION)
        if description and _describer.told is not None:
            _describer.told(exception, description, span_context)
    return description


def _mark_of(exception: BaseException) -> tuple[int, Mapping[str, AttributeValue]] | None:
    try:
        mark = exception.__dict__.get(_MARK)
    except Exception:
        return None
    return mark if type(mark) is tuple else None


def _described(exception: BaseException) -> Mapping[str, AttributeValue]:
    if _describer.describe is None:
        return _NOTHING
    return _describer.describe(exception)
