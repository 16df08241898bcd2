"""What is known about an engine's database, and about each of its statements; worked out once."""

from __future__ import annotations

import os
from typing import Any

from otel_kit import semconv
from otel_kit._facts import Facts
from otel_kit.instrument.sqlalchemy.statement import LONGEST, Dialect, Statement, describe

KEY = "_otel_kit_database"

_SYSTEMS = {
    "mssql": "microsoft.sql_server",
    "oracle": "oracle.db",
    "db2": "ibm.db2",
    "ibm_db_sa": "ibm.db2",
    "redshift": "aws.redshift",
    "hana": "sap.hana",
}
_DIALECTS = {
    "mysql": Dialect.MYSQL,
    "mariadb": Dialect.MYSQL,
    "mssql": Dialect.BRACKETS,
    "sqlite": Dialect.BRACKETS,
}
# Elsewhere the cursor's count of a SELECT is -1, 0 or how many rows were fetched so far.
_COUNTING = frozenset({"postgresql", "cockroachdb", "mysql", "mariadb"})
_WRITING = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "REPLACE"})
_RETURNING = frozenset({"SELECT", "SHOW", "VALUES", "TABLE", "EXPLAIN"})
_KEPT = 512  # statements of each engine
_UNKNOWN_ROWS = 2**62  # an unbuffered cursor of PyMySQL says 2**64 - 1


class Described:
    """One statement on one database.

    Attributes:
        name: of its spans.
        attributes: of its spans.
        facts: attributes of its measurements.
        text: the statement without values.
        writes, returns: whether the cursor's count is of rows that were written, and of rows that come back.
    """

    __slots__ = ("attributes", "facts", "name", "returns", "text", "writes")

    def __init__(self, database: Database, statement: Statement, batch: bool) -> None:
        kind = "BATCH " if batch else ""
        facts = {
            semconv.DB_OPERATION_NAME: statement.operation and kind + statement.operation,
            semconv.DB_COLLECTION_NAME: statement.collection,
        }
        summary = statement.summary and kind + statement.summary
        told = {semconv.DB_QUERY_SUMMARY: summary, semconv.DB_QUERY_TEXT: statement.text}
        self.facts = Facts(database.attributes | {name: value for name, value in facts.items() if value})
        self.attributes = Facts(self.facts | {name: value for name, value in told.items() if value})
        self.name = summary or database.system
        self.text = statement.text
        returning = "RETURNING" in statement.text.upper()
        self.returns = database.counts and (statement.operation in _RETURNING or returning)
        # SQLite counts what RETURNING has given out so far.
        self.writes = statement.operation in _WRITING and (database.counts or not returning)


class Database:
    """What is known about one engine's database.

    Attributes:
        attributes: system, name and address, as attributes.
        system: its kind, as OpenTelemetry names it.
        counts: whether cursors know how many rows a SELECT gives.
    """

    def __init__(self, engine: Any) -> None:
        name = engine.dialect.name
        self.system = _SYSTEMS.get(name, name)
        self.counts = name in _COUNTING
        self.attributes: dict[str, Any] = {semconv.DB_SYSTEM_NAME: self.system}
        self.attributes.update(_location(engine.url, name))
        self._dialect = _DIALECTS.get(name, Dialect.STANDARD)
        self._incomplete = name in ("postgresql", "cockroachdb") and len(self.attributes) < 3
        self._known: dict[str, Described] = {}
        self._batches: dict[str, Described] = {}

    def described(self, statement: str, cursor: Any, batch: bool) -> Described:
        """What is known about a statement."""
        known = self._batches if batch else self._known
        found = known.get(statement)
        return found or self._describe(statement, cursor, batch, known)

    def _describe(self, statement: str, cursor: Any, batch: bool, known: dict[str, Described]) -> Described:
        if self._incomplete:
            self._incomplete = False
            self.attributes = {**_from_driver(cursor), **self.attributes}
        found = Described(self, describe(statement, self._dialect), batch)
        if len(statement) <= LONGEST:
            if len(known) >= _KEPT:
                known.clear()
            known[statement] = found
        return found


def database_of(engine: Any) -> Database:
    """What is known about an engine's database, kept with the engine."""
    found: Database | None = engine.__dict__.get(KEY)
    if found is None:
        found = engine.__dict__[KEY] = Database(engine)
    return found


def _location(url: Any, name: str) -> dict[str, Any]:
    """Name and address of the database from the engine's URL; of a file no more than its name."""
    host, port = url.host or _text(url.query.get("host")), url.port or _text(url.query.get("port"))
    namespace = url.database or _text(url.query.get("service_name"))
    if name == "sqlite":
        host, namespace = None, os.path.basename((namespace or "").partition("?")[0])
        namespace = None if namespace == ":memory:" else namespace
    elif host and not host.startswith("/") and host.count(":") == 1:  # ?host=name:port
        host, _, port = host.partition(":")
    return _known(namespace, host, port)


def _from_driver(cursor: Any) -> dict[str, Any]:
    """The same from psycopg's connection, where the URL does not say."""
    info = getattr(getattr(cursor, "connection", None), "info", None)
    return {} if info is None else _known(info.dbname, info.host, info.port)


def _known(namespace: str | None, host: str | None, port: Any) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if namespace:
        found[semconv.DB_NAMESPACE] = namespace
    if host and "," not in host:
        found[semconv.SERVER_ADDRESS] = host
        if port and str(port).isdigit() and not host.startswith("/"):
            found[semconv.SERVER_PORT] = int(port)
    return found


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def rows_of(described: Described, cursor: Any) -> dict[str, int]:
    """How many rows came back and how many were written, where the driver knows."""
    if not (described.returns or described.writes):
        return {}
    rows = cursor.rowcount
    if type(rows) is not int or not 0 <= rows < _UNKNOWN_ROWS:
        return {}
    returned = {semconv.DB_RESPONSE_RETURNED_ROWS: rows} if described.returns else {}
    return returned | {semconv.DB_AFFECTED_ROWS: rows} if described.writes else returned
