"""Which exceptions have been told already, so that each is told once, however many spans and loggers it
passes.

The mark lies in the exception's own ``__dict__``: most exceptions allow no weak reference, and an ``id()``
is reused. It names the trace, because some programs raise one exception object in many requests.
"""

from __future__ import annotations

_MARK = "__otel_kit_reported__"


def is_reported(exception: BaseException, trace_id: int) -> bool:
    """Whether a log record of this exception was emitted in this trace, or outside of any trace."""
    try:
        return exception.__dict__.get(_MARK) in (trace_id, 0)
    except Exception:
        return False


def mark_reported(exception: BaseException, trace_id: int) -> None:
    """Remember that a log record of this exception was emitted."""
    try:
        exception.__dict__[_MARK] = trace_id
    except Exception:
        # It may be told twice then; that is better than not at all.
        return
