"""Transactions: begin, savepoints and how it ended, with its duration and how many statements it had.

As events they go to the span that is current; as spans each transaction is one, and the parent of its statements. The end is
measured around SQLAlchemy's own method, because its event comes before the database has answered.
"""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_kit import _guard, semconv
from otel_kit.instrument._sql import current
from otel_kit.instrument.sqlalchemy.database import database_of
from otel_kit.instrument.sqlalchemy.figures import tracer
from otel_kit.instrument.sqlalchemy.note import note
from otel_kit.instrument.sqlalchemy.state import State

KEY = "_otel_kit_transaction"
EVENTS_KEY = "_otel_kit_transaction_events"
MOST_EVENTS = 32
"""Events of ours in one span: a span keeps 128, and the program's own must not be pushed out."""

SPAN = "TRANSACTION"  # its name
BEGIN, COMMIT, ROLLBACK, ERROR = "begin", "commit", "rollback", "error"
ABANDONED = "abandoned"


class Transaction:
    """One that is open."""

    __slots__ = ("began", "context", "span", "statements")

    def __init__(self, span: Span | None) -> None:
        self.span, self.statements = span, 0
        self.context: Context | None = None if span is None else set_span_in_context(span)
        self.began = perf_counter()

    def __del__(self) -> None:
        """It goes with its connection: a program that lost that while it was open ends its span in no other way."""
        if self.span is not None:
            _tell(self, ABANDONED)


def parent(conn: Any) -> Context | None:
    """The context for a statement's span, where that is not the current one; counts the statement."""
    transaction: Transaction | None = conn.__dict__.get(KEY)
    if transaction is None:
        return None
    transaction.statements += 1
    return transaction.context


def beginning(original: Callable[..., Any], watch: Callable[[Any], None]) -> Callable[..., Any]:
    """One of the methods of SQLAlchemy's connection that begin a transaction, with a watch on it.

    Args:
        original: the method.
        watch: given the dialect first: the connection may have been made before there was a watch.
    """

    def begin(conn: Any, *args: Any, **kwargs: Any) -> Any:
        if State.on:
            watch(conn.dialect)
            begun(conn)
        return original(conn, *args, **kwargs)

    return begin


def begun(conn: Any) -> None:
    """A transaction begins."""
    how = current().transactions
    if how == "off":
        return
    try:
        span = None
        if how == "spans":
            attributes = database_of(conn.engine).attributes
            span = tracer().start_span(SPAN, None, SpanKind.INTERNAL, attributes)
        else:
            _event(_current_span(), BEGIN)
        conn.__dict__[KEY] = Transaction(span)
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def stepping(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    """One of the methods that do something within a transaction, told of by an event."""

    def step(conn: Any, *args: Any, **kwargs: Any) -> Any:
        _step(conn, name)
        return original(conn, *args, **kwargs)

    return step


def ending(original: Callable[..., None], outcome: str) -> Callable[..., None]:
    """One of the methods of SQLAlchemy's connection that end a transaction, with a watch on it."""

    def end(conn: Any, *args: Any, **kwargs: Any) -> None:
        try:
            original(conn, *args, **kwargs)
        except BaseException:
            ended(conn, ERROR)
            raise
        ended(conn, outcome)

    return end


def ended(conn: Any, outcome: str) -> None:
    """The transaction is over; nothing happens where none is open."""
    transaction: Transaction | None = conn.__dict__.pop(KEY, None)
    if transaction is not None:
        _tell(transaction, outcome)


def _tell(transaction: Transaction, outcome: str) -> None:
    try:
        attributes: dict[str, Any] = {
            semconv.DB_TRANSACTION_OUTCOME: outcome,
            semconv.DB_TRANSACTION_STATEMENTS: transaction.statements,
        }
        span, transaction.span = transaction.span, None
        if span is None:
            attributes[semconv.DB_TRANSACTION_DURATION] = perf_counter() - transaction.began
            _event(_current_span(), outcome, attributes)
            return
        span.set_attributes(attributes)
        if outcome == ERROR:
            span.set_status(StatusCode.ERROR)
        span.end()
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def _step(conn: Any, name: str) -> None:
    try:
        transaction: Transaction | None = conn.__dict__.get(KEY)
        if transaction is not None:
            _event(transaction.span or _current_span(), name)
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def _current_span() -> Any:
    return otel_context._RUNTIME_CONTEXT.get_current().get(_SPAN_KEY)


def _event(span: Any, name: str, attributes: dict[str, Any] | None = None) -> None:
    # A context may hold anything.
    if not isinstance(span, Span) or not span.is_recording():
        return
    count = getattr(span, EVENTS_KEY, 0)
    if count < MOST_EVENTS and note(span, EVENTS_KEY, count + 1):
        span.add_event(f"{semconv.EVENT_DB_TRANSACTION}.{name}", attributes)
