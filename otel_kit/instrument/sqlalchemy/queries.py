"""A span and a measurement for each statement that reaches the driver."""

from __future__ import annotations

import sys
from time import perf_counter
from typing import Any

from opentelemetry.context import get_value
from opentelemetry.trace import Span, SpanKind, StatusCode

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.instrument._sql import current
from otel_kit.instrument.sqlalchemy import comment, repeats, slow, transactions
from otel_kit.instrument.sqlalchemy.database import Described, database_of, rows_of
from otel_kit.instrument.sqlalchemy.failure import facts_of, sentence
from otel_kit.instrument.sqlalchemy.figures import figures, tracer
from otel_kit.instrument.sqlalchemy.parameters import bound
from otel_kit.instrument.sqlalchemy.state import State

KEY = "_otel_kit_query"
WHERE = "instrument.sqlalchemy"
SUPPRESSED = "suppress_instrumentation"


class Query:
    """A statement that the driver has at the moment."""

    __slots__ = ("began", "described", "many", "span")

    def __init__(self, span: Span, described: Described, many: bool) -> None:
        self.span, self.described, self.many = span, described, many
        self.began = perf_counter()


def before(
    conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
) -> tuple[str, Any]:
    """Begin the span; gives the statement back, with a comment where that is wanted."""
    if State.on and context is not None:
        try:
            if not get_value(SUPPRESSED):
                statement = _begin(conn, cursor, statement, parameters, context, executemany)
        except Exception as error:
            _guard.contained(WHERE, error)
    return statement, parameters


def after(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> None:
    """End the span with what came of it."""
    query = context.__dict__.pop(KEY, None) if context is not None else None
    if query is not None:
        try:
            duration = perf_counter() - query.began
            if query.span.is_recording():
                for name, rows in rows_of(query.described, cursor).items():
                    query.span.set_attribute(name, rows)
            _end(query, duration, query.described.facts, context)
        except Exception as error:
            _guard.contained(WHERE, error)


def failed(failure: Any) -> None:
    """End the span with what went wrong; called for errors of every kind, also for those without a statement."""
    try:
        context = failure.execution_context
        query = context.__dict__.pop(KEY, None) if context is not None else None
        if query is not None:
            _fail(query, failure.original_exception, context)
    except Exception as error:
        _guard.contained(WHERE, error)


def _begin(conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool) -> str:
    batch, text = _batch(statement, parameters, context) if executemany else (1, statement)
    described = database_of(conn.engine).described(text, cursor, batch > 1)
    span = tracer().start_span(
        described.name, transactions.parent(conn), SpanKind.CLIENT, described.attributes
    )
    if batch > 1:
        span.set_attribute(semconv.DB_OPERATION_BATCH_SIZE, batch)
    choice = current()
    if choice.parameters and not executemany and span.is_recording():
        span.set_attributes(bound(parameters, context))
    if choice.commenter:
        statement = comment.added(statement, span, conn.dialect)
    context.__dict__[KEY] = Query(span, described, executemany)
    return statement


def _batch(statement: str, parameters: Any, context: Any) -> tuple[int, str]:
    """How many rows go at once, and the statement for one of them."""
    if getattr(context.execute_style, "name", "") != "INSERTMANYVALUES":
        return len(parameters), statement
    # One INSERT with many rows of VALUES: the cursor's statement is long, and another one for each number of rows.
    each = len(context.parameters[0]) if context.parameters else 0
    return max(1, len(parameters) // each if each else 1), context.statement


def _fail(query: Query, error: BaseException, context: Any) -> None:
    duration = perf_counter() - query.began
    facts = facts_of(error)
    if isinstance(error, Exception):
        query.span.set_attributes(facts)
        query.span.set_status(StatusCode.ERROR, sentence(error))
    elif _is_cancellation(error):
        query.span.set_attribute(semconv.EVENT_CANCELLED, True)
    _end(query, duration, query.described.facts | facts, context)


def _end(query: Query, duration: float, facts: dict[str, Any], context: Any) -> None:
    query.span.end()
    figures().duration.record(duration, facts)
    tally.count(tally.QUERY, duration)
    choice = current()
    if choice.slow_query and duration >= choice.slow_query:
        slow.tell(query.span, query.described, duration)
    # The parts of one executemany are no repetition of the program's.
    if choice.n_plus_one and not query.many:
        repeats.count(query.described, duration, context, choice.n_plus_one)


def _is_cancellation(error: BaseException) -> bool:
    asyncio = sys.modules.get("asyncio.exceptions")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
