"""A span and a measurement for each statement that reaches the driver.

A dialect hands each statement to its driver by one of three methods; these are wrapped on the dialect's object, when its engine
is first asked for a connection. SQLAlchemy's events would do as well, but cost as much as the span: once anybody listens, each
connection, transaction and statement goes a longer way, also by the events that nobody asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from time import perf_counter
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.context.described import brief_of
from otel_kit.instrument._sql import Sql, current
from otel_kit.instrument.sqlalchemy import comment, repeats, slow, transactions
from otel_kit.instrument.sqlalchemy.database import Described, database_of, rows_of
from otel_kit.instrument.sqlalchemy.failure import facts_of, sentence
from otel_kit.instrument.sqlalchemy.figures import figures, tracer
from otel_kit.instrument.sqlalchemy.parameters import bound
from otel_kit.instrument.sqlalchemy.state import State

KEY = "_otel_kit_query"
WHERE = "instrument.sqlalchemy"
SUPPRESSED = "suppress_instrumentation"

_runtime = otel_context._RUNTIME_CONTEXT


def watch(dialect: Any) -> None:
    """Have a dialect tell of each statement that it hands to its driver; nothing happens where it does already."""
    if KEY in dialect.__dict__ or dialect.__dict__.setdefault(KEY, token := object()) is not token:
        return
    dialect.do_execute = _telling(dialect.do_execute, many=False)
    dialect.do_executemany = _telling(dialect.do_executemany, many=True)
    dialect.do_execute_no_params = _telling_of_bare(dialect.do_execute_no_params)


def _telling(original: Callable[..., None], *, many: bool) -> Callable[..., None]:
    def execute(cursor: Any, statement: str, parameters: Any, context: Any = None) -> None:
        query = _begun(cursor, statement, parameters, context, many)
        if query is None:
            original(cursor, statement, parameters, context)
            return
        try:
            original(cursor, query.statement, parameters, context)
        except BaseException as error:
            query.failed(error)
            raise
        query.done(cursor)

    return wraps(original)(execute)


def _telling_of_bare(original: Callable[..., None]) -> Callable[..., None]:
    def execute(cursor: Any, statement: str, context: Any = None) -> None:
        query = _begun(cursor, statement, (), context, False)
        if query is None:
            original(cursor, statement, context)
            return
        try:
            original(cursor, query.statement, context)
        except BaseException as error:
            query.failed(error)
            raise
        query.done(cursor)

    return wraps(original)(execute)


def _begun(cursor: Any, statement: str, parameters: Any, context: Any, many: bool) -> Query | None:
    """The statement that the driver gets; None where it is not watched."""
    if not State.on or context is None or getattr(context, KEY, None) is not None:
        return None
    try:
        here = _runtime.get_current()
        conn = context.root_connection
        # SQLAlchemy's own questions to a database that it does not know yet go over a connection without events.
        if here.get(SUPPRESSED) or "dispatch" not in conn.__dict__:
            return None
        return Query(conn, cursor, statement, parameters, context, many, here.get(_SPAN_KEY))
    except Exception as error:
        _guard.contained(WHERE, error)
        return None


class Query:
    """A statement that the driver has at the moment; its span is under way.

    Attributes:
        statement: what the driver gets, with a comment where that is wanted.
    """

    __slots__ = ("_began", "_choice", "_context", "_described", "_many", "_outer", "_span", "statement")

    def __init__(
        self, conn: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: bool, outer: Any
    ) -> None:
        self._context, self._outer, self.statement = context, outer, statement
        batch, text = 1, statement
        self._many: bool = many or context.executemany
        if self._many:
            batch, text = _batch(statement, parameters, context, many)
        elif statement is not context.statement:
            text = _own(statement, context.statement)
        described: Described = database_of(conn.engine).described(text, cursor, batch > 1)
        self._described = described
        choice: Sql = current()
        self._choice = choice
        span: Span = tracer().start_span(
            described.name, transactions.parent(conn), SpanKind.CLIENT, described.attributes
        )
        self._span = span
        if batch > 1:
            span.set_attribute(semconv.DB_OPERATION_BATCH_SIZE, batch)
        if choice.parameters and not self._many and span.is_recording():
            span.set_attributes(bound(parameters, context))
        if choice.commenter:
            self.statement = comment.added(statement, span, conn.dialect)
        setattr(context, KEY, self)  # not through __dict__, which would be made for that
        self._began = perf_counter()

    def done(self, cursor: Any) -> None:
        """End the span with what came of it."""
        duration = perf_counter() - self._began
        try:
            described = self._described
            if (described.returns or described.writes) and self._span.is_recording():
                self._span.set_attributes(rows_of(described, cursor))
            self._end(duration, described.facts)
        except Exception as error:
            _guard.contained(WHERE, error)

    def failed(self, error: BaseException) -> None:
        """End the span with what went wrong."""
        duration = perf_counter() - self._began
        try:
            facts = facts_of(error)
            if isinstance(error, Exception):
                self._span.set_attributes({**facts, **brief_of(error)})
                self._span.set_status(StatusCode.ERROR, sentence(error))
            elif _is_cancellation(error):
                self._span.set_attribute(semconv.EVENT_CANCELLED, True)
            self._end(duration, self._described.facts | facts)
        except Exception as failure:
            _guard.contained(WHERE, failure)

    def _end(self, duration: float, facts: dict[str, Any]) -> None:
        context, choice = self._context, self._choice
        setattr(context, KEY, None)
        self._span.end()
        figures().duration.record(duration, facts)
        tally.count(tally.QUERY, duration)
        if choice.slow_query and duration >= choice.slow_query:
            slow.tell(self._span, self._described, duration)
        # The parts of one executemany are no repetition of the program's.
        if choice.n_plus_one and not self._many and self._outer is not None:
            repeats.count(self._outer, self._described, duration, context, choice.n_plus_one)


def _own(statement: str, compiled: str | None) -> str:
    """The statement without what a listener of the program's put around it, such as a comment that is another each time."""
    return compiled if compiled and compiled in statement else statement


def _batch(statement: str, parameters: Any, context: Any, many: bool) -> tuple[int, str]:
    """How many rows go at once, and the statement for one of them."""
    if many:
        return len(parameters), statement
    if getattr(context.execute_style, "name", "") != "INSERTMANYVALUES":
        return 1, statement
    # One INSERT with many rows of VALUES: the cursor's statement is long, and another one for each number of rows.
    each = len(context.parameters[0]) if context.parameters else 0
    return max(1, len(parameters) // each if each else 1), context.statement


def _is_cancellation(error: BaseException) -> bool:
    asyncio = sys.modules.get("asyncio.exceptions")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)
