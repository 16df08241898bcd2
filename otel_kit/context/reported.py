"""Which exceptions have been told already, so that each is told once, however many spans and loggers it
passes.

The mark lies in the exception's own ``__dict__``: most exceptions allow no weak reference, and an ``id()``
is reused. It names the trace, because some programs raise one exception object in many requests.
"""

from __future__ import annotations

from typing import NamedTuple

from opentelemetry.context import Context, create_key, get_value, set_value

_MARK = "__otel_kit_reported__"
_SAID = create_key("otel_kit_said_by_program")


class Report(NamedTuple):
    """Where an exception was told: the ids of that log record, 0 outside of any trace."""

    trace_id: int
    span_id: int = 0
    trace_flags: int = 0


def report_of(exception: BaseException) -> Report | None:
    """Where this exception was told last, if it was."""
    try:
        report = exception.__dict__.get(_MARK)
    except Exception:
        return None
    return report if type(report) is Report else None


def is_reported(exception: BaseException, trace_id: int) -> bool:
    """Whether a log record of this exception was emitted in this trace, or outside of any trace."""
    report = report_of(exception)
    return report is not None and report.trace_id in (trace_id, 0)


def mark_reported(exception: BaseException, report: Report) -> None:
    """Remember that a log record of this exception was emitted."""
    try:
        exception.__dict__[_MARK] = report
    except Exception:
        # It may be told twice then; that is better than not at all.
        return


def said_by_program(context: Context) -> Context:
    """The context of a record in which the program itself tells of an exception, in words of its own."""
    return set_value(_SAID, True, context)


def is_said_by_program(context: Context | None) -> bool:
    """Whether a record has a context of :func:`said_by_program`."""
    return bool(context) and bool(get_value(_SAID, context))
