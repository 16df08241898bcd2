"""SQLAlchemy: a client span per statement with its text, and the pool's connections, by contrib's engine listeners.

contrib's instrumentor wraps ``create_engine`` by name, which misses engines that exist and modules that imported the
function before, insists on SQLAlchemy < 2.1, and needs greenlet from there on. Its ``EngineTracer``, which does the
work, needs none of that: each engine gets one, here, when it is made, and those that exist get theirs at once.
An asyncio engine has a sync engine inside, so it is seen as well. Statements are the spans' names' source:
``SELECT orders`` instead of contrib's ``SELECT /path/of/the/database``.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from functools import lru_cache, wraps
from typing import Any

from opentelemetry import metrics, trace

from otel_kit import _guard, semconv
from otel_kit.instrument._contrib import instances, load

_lock = threading.Lock()
_init: Callable[..., None] | None = None
_TABLE = re.compile(
    r"\b(?:FROM|INTO|UPDATE|JOIN|TABLE(?:\s+IF(?:\s+NOT)?\s+EXISTS)?)\s+([\w.\"`\[\]$]+)", re.I
)
# Atomic, so that many comments and no word do not cost exponential time.
_WORD = re.compile(r"\s*(?>/\*.*?\*/\s*|--[^\n]*\n\s*|\()*+(\w+)", re.S)
_QUOTES = str.maketrans("", "", '"`[]')
_LOOKED_AT = 1024  # characters of a statement that its summary is made of


def instrument() -> None:
    """Turn it on for engines that exist and engines to come; nothing happens where it is on already.

    Raises:
        NotPossibleError: if contrib's package is not installed.
    """
    global _init
    package = load("sqlalchemy")
    from sqlalchemy.engine import Engine

    instrumentor = package.SQLAlchemyInstrumentor()
    with _lock:
        if _init is not None or instrumentor.is_instrumented_by_opentelemetry:
            return
        # So that a program that also calls contrib's instrumentor gets no second span.
        instrumentor._is_instrumented_by_opentelemetry = True
        _init = original = Engine.__init__
        follow = _follower(package)

        @wraps(original)
        def init(engine: Engine, *args: Any, **kwargs: Any) -> None:
            original(engine, *args, **kwargs)
            follow(engine)

        setattr(Engine, "__init__", init)  # noqa: B010  (mypy knows that methods are not assigned to)
    for engine in instances(Engine):
        follow(engine)


def undo() -> None:
    """Turn it off again; no listener stays on any engine."""
    global _init
    from sqlalchemy.engine import Engine

    package = load("sqlalchemy")
    with _lock:
        if _init is None:
            return
        setattr(Engine, "__init__", _init)  # noqa: B010
        _init = None
        package.EngineTracer.remove_all_event_listeners()
        package.SQLAlchemyInstrumentor()._is_instrumented_by_opentelemetry = False


def _follower(package: Any) -> Callable[[Any], None]:
    tracer = trace.get_tracer(package.__name__, package.__version__)
    connections = metrics.get_meter(package.__name__, package.__version__).create_up_down_counter(
        "db.client.connections.usage", unit="{connection}", description="Connections by state."
    )

    class EngineTracer(package.EngineTracer):  # type: ignore[misc]
        """contrib's, with names and attributes that say which table, and never an error for the statement."""

        def _before_cur_exec(self, conn: Any, cursor: Any, statement: str, params: Any, *rest: Any) -> Any:
            try:
                return super()._before_cur_exec(conn, cursor, statement, params, *rest)
            except Exception as error:
                _guard.contained("instrument.sqlalchemy", error)
                return statement, params

        def _operation_name(self, _database: str, statement: str) -> str:
            return summary(statement) or str(self.vendor)

        def _set_db_client_span_attributes(
            self, span: Any, statement: str, database: str, attrs: Any
        ) -> None:
            super()._set_db_client_span_attributes(span, statement, database, attrs)
            for name, value in _described(statement):
                span.set_attribute(name, value)

    def follow(engine: Any) -> None:
        try:
            EngineTracer(tracer, engine, connections)
        except Exception as error:
            _guard.contained("instrument.sqlalchemy", error)

    return follow


def _described(statement: str) -> list[tuple[str, str]]:
    text = summary(statement)
    operation, _, table = text.partition(" ")
    names = (semconv.DB_QUERY_SUMMARY, semconv.DB_OPERATION_NAME, semconv.DB_COLLECTION_NAME)
    return [(name, value) for name, value in zip(names, (text, operation, table), strict=True) if value]


def summary(statement: str) -> str:
    """The operation and the first table of a statement: ``SELECT orders``; only the operation where none is found."""
    return _summary(statement[:_LOOKED_AT])


@lru_cache(maxsize=1024)
def _summary(statement: str) -> str:
    word = _WORD.match(statement)
    if word is None:
        return ""
    table = _TABLE.search(statement)
    return f"{word[1].upper()} {table[1].translate(_QUOTES)}" if table else word[1].upper()
