"""SQLAlchemy: a span per statement, whenever and however the engine was made."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import pytest

from otel_kit.instrument.sqlalchemy.statement import LONGEST, Dialect, describe

Program = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("select 1", "SELECT"),
        ("SELECT a, b FROM orders JOIN items ON true", "SELECT orders items"),
        ("INSERT INTO shop.orders (id) VALUES (?)", "INSERT shop.orders"),
        ('UPDATE "Orders" SET a=?', "UPDATE Orders"),
        ("delete\n from `orders` where a=1", "DELETE orders"),
        ("/* by: a */ -- note\n SELECT * FROM t", "SELECT t"),
        ("(SELECT a FROM t) UNION (SELECT b FROM u)", "SELECT t SELECT u"),
        ("CREATE TABLE IF NOT EXISTS orders (id int)", "CREATE TABLE orders"),
        ("DROP TABLE IF EXISTS orders", "DROP TABLE orders"),
        ("WITH a AS (SELECT 1 FROM t) INSERT INTO log SELECT * FROM a", "SELECT t INSERT log SELECT"),
        ("SELECT extract(year FROM d), a IS DISTINCT FROM b FROM t, u AS x, v FOR UPDATE", "SELECT t u v"),
        ("INSERT INTO t (a) VALUES (?) ON CONFLICT DO UPDATE SET a = 1", "INSERT t"),
        ("CREATE UNIQUE INDEX ix ON t (a)", "CREATE INDEX ix"),
        ("SELECT REPLACE(a, 'x', 'y') FROM t", "SELECT t"),
        ("SELECT " + ", ".join("a" * 9) + " FROM " + ", ".join(f"table_{i:03}" for i in range(99)), None),
        ("PRAGMA main.table_info('orders')", "PRAGMA"),
        ("SELECT x FROM (SELECT 1)", "SELECT"),
        ("/**/ " * 100_000, ""),
        ("", ""),
        ("(" * 100_000, ""),
        ("-- only a remark", ""),
    ],
)
def test_a_statement_is_summed_up_by_its_operations_and_tables(statement: str, expected: str | None) -> None:
    """A statement has the wrong summary, or one that is too long or costs time without end."""
    found = describe(statement).summary
    assert len(found) <= 255
    assert expected in (found, None)


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("SELECT 'it''s', 1.5e3, 0xFF, -2 FROM t1", "SELECT ?, ?, ?, -? FROM t1"),
        ("SELECT E'it\\'s', N'x', $tag$ a ' b $tag$, $$x$$", "SELECT ?, ?, ?, ?"),
        ("a = 'left open", "a = ?"),
        ("/* 'secret' */ SELECT a -- secret\nFROM t", "SELECT a  \nFROM t"),
        (
            "a IN (1, 2, 3) OR b IN (%(b_1)s, %(b_2)s) OR c IN ($1::INTEGER, $2::INTEGER)",
            "a IN (?) OR b IN (?) OR c IN (?)",
        ),
        ("INSERT INTO t VALUES (1, 'a'), (2, 'b')", "INSERT INTO t VALUES (?, ?)"),
        (
            "a = :a AND b = %s AND c = $1 AND d = @d AND e::text = ?",
            "a = :a AND b = %s AND c = $1 AND d = @d AND e::text = ?",
        ),
        ('SELECT "a b"."c" FROM "t"', 'SELECT "a b"."c" FROM "t"'),
    ],
)
def test_literals_become_question_marks(statement: str, expected: str) -> None:
    """A literal stays, or something else than a literal goes."""
    assert describe(statement).text == expected


def test_quotes_mean_what_the_database_takes_them_for() -> None:
    """A text in MySQL's double quotes stays, or a name in SQL Server's brackets goes."""
    assert (
        describe(r"""SELECT "se'cret", 'it\'s' FROM `t` # 'x'""", Dialect.MYSQL).text
        == "SELECT ?, ? FROM `t`"
    )
    assert describe("SELECT [a'b] FROM [dbo].[t]", Dialect.BRACKETS) == (
        "SELECT [a'b] FROM [dbo].[t]", "SELECT dbo.t", "SELECT", "dbo.t",
    )  # fmt: skip


@pytest.mark.parametrize("dialect", Dialect)
@pytest.mark.parametrize(
    "unit",
    [
        "'",
        "('",
        "$a$",
        "$a",
        "'\\",
        "?,",
        "(1,",
        "VALUES (",
        "a.",
        "/*",
        "[",
        '"',
        "IN (?,",
        "a ",
        "--",
        "E'",
    ],
)
def test_no_statement_costs_time_without_end(unit: str, dialect: Dialect) -> None:
    """Some text takes more than a moment to read."""
    began = time.process_time()
    assert len(describe(f"{unit * 50_000}", dialect).text) <= LONGEST + 4
    assert time.process_time() - began < 0.5


def test_engines_made_before_and_after_and_by_a_name_taken_before(program: Program) -> None:
    """An engine is missed or watched twice because of when it was made, or by which name of create_engine."""
    seen = program(
        """
        import sqlalchemy
        from sqlalchemy import create_engine, text
        from otel_kit.instrument import instrument_all, uninstrument_all
        before = create_engine("sqlite://")
        with before.connect() as connection:
            connection.execute(text("select 0"))
        observe(); instrument_all(); instrument_all()
        after = create_engine("sqlite://")
        other = sqlalchemy.create_engine("sqlite://")
        option = after.execution_options(isolation_level="AUTOCOMMIT")
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
        import logging; logging.disable()
        SQLAlchemyInstrumentor().instrument()
        also = create_engine("sqlite://")
        counts = []
        for engine in (before, after, other, option, also):
            with engine.connect() as connection:
                connection.execute(text("select 1"))
            counts.append(len(spans()))
        after.dispose()
        with after.connect() as connection:
            connection.execute(text("select 1"))
        disposed = len(spans())
        uninstrument_all()
        for engine in (before, after):
            with engine.connect() as connection:
                connection.execute(text("select 1"))
        show(counts=counts, disposed=disposed, undone=names())
        """
    )
    assert (seen["counts"], seen["disposed"], seen["undone"]) == ([1] * 5, 1, [])
    assert "otel_kit" not in seen["said"]


def test_the_spans_of_an_orm_session_tell_what_it_did(program: Program) -> None:
    """A span lacks the table, the statement, the system or the error, or it has a parameter's value."""
    seen = program(
        """
        from sqlalchemy import String, create_engine, select, text
        from sqlalchemy.exc import OperationalError
        from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column
        from otel_kit.instrument import instrument_all
        observe(); instrument_all()
        class Base(DeclarativeBase): ...
        class Order(Base):
            __tablename__ = "orders"
            id: Mapped[int] = mapped_column(primary_key=True)
            card: Mapped[str] = mapped_column(String(40))
        engine = create_engine("sqlite://")
        Base.metadata.create_all(engine)
        spans()
        with Session(engine) as session:
            session.add(Order(card="secret 3"))
            session.commit()
            session.scalars(select(Order).where(Order.card == "secret 3")).one()
            try:
                session.execute(text("select * from missing"))
            except OperationalError:
                session.rollback()
        found = spans()
        usage = {p.attributes["db.client.connection.state"]: p.value for p in metric("db.client.connection.count")}
        show(spans=[[s.name, s.kind.name, s.status.status_code.name, dict(s.attributes)] for s in found], usage=usage)
        """
    )
    inserted, selected, failed = seen["spans"]
    assert inserted[:3] == ["INSERT orders", "CLIENT", "UNSET"]
    assert inserted[3]["otel_kit.db.affected_rows"] == 1
    assert selected[0] == "SELECT orders"
    assert selected[3]["db.query.text"].startswith("SELECT orders.id")
    assert selected[3] | {"db.query.text": ""} == {
        "db.system.name": "sqlite",
        "db.operation.name": "SELECT",
        "db.collection.name": "orders",
        "db.query.summary": "SELECT orders",
        "db.query.text": "",
    }
    assert failed[0] == "SELECT missing"
    assert failed[2] == "ERROR"
    assert "secret" not in str(seen["spans"])
    assert seen["usage"] == {"idle": 1, "used": 0}


def test_engines_that_are_gone_leave_nothing(program: Program) -> None:
    """An engine that nobody uses any more is kept alive."""
    seen = program(
        """
        import gc, weakref
        from sqlalchemy import create_engine, text
        from otel_kit.instrument import instrument_all
        observe(); instrument_all()
        gone = []
        for _ in range(20):
            engine = create_engine("sqlite://")
            with engine.connect() as connection:
                connection.execute(text("select 1"))
            gone.append(weakref.ref(engine))
            engine.dispose()
        del engine, connection
        gc.collect()
        show(left=sum(ref() is not None for ref in gone))
        """
    )
    assert seen["left"] == 0


@pytest.mark.skipif(importlib.util.find_spec("aiosqlite") is None, reason="aiosqlite is not installed")
def test_asyncio_engines_are_seen(program: Program) -> None:
    """The statements of an asyncio engine have no spans, or two."""
    seen = program(
        """
        import asyncio
        from sqlalchemy import text
        from sqlalchemy.ext.asyncio import create_async_engine
        from otel_kit.instrument import instrument_all
        from opentelemetry import trace
        before = create_async_engine("sqlite+aiosqlite://")
        observe(); instrument_all()
        async def main():
            for engine in (before, create_async_engine("sqlite+aiosqlite://")):
                with trace.get_tracer("tests").start_as_current_span("request"):
                    async with engine.connect() as connection:
                        await connection.execute(text("select 1"))
                await engine.dispose()
        asyncio.run(main())
        found = spans()
        show(names=[s.name for s in found], children=sum(s.parent is not None for s in found))
        """
    )
    assert seen["names"] == ["SELECT", "request"] * 2
    assert seen["children"] == 2


def test_one_call_turns_it_on_and_another_off(program: Program) -> None:
    """The call hangs while the import is waited for, doubles what is on, forgets its options, or cannot be undone."""
    seen = program(
        """
        import otel_kit
        from otel_kit.instrument import instrument_all
        observe(); instrument_all()
        otel_kit.instrument.sqlalchemy(parameters=True)
        otel_kit.instrument.sqlalchemy(n_plus_one=3)
        from sqlalchemy import create_engine, text
        engine = create_engine("sqlite://")
        counts = []
        for turn in (otel_kit.instrument.sqlalchemy.undo, otel_kit.instrument.sqlalchemy.undo, otel_kit.instrument.sqlalchemy):
            with engine.connect() as connection:
                connection.execute(text("select :a"), {"a": 7})
            found = spans()
            counts.append([len(found), *[s.attributes["db.query.parameter.a"] for s in found]])
            turn()
        with engine.connect() as connection:
            connection.execute(text("select 1"))
        show(counts=counts, again=names())
        """
    )
    assert (seen["counts"], seen["again"]) == ([[1, "7"], [0], [0]], ["SELECT"])


def test_contribs_instrumentor_that_was_first_is_left_alone(program: Program) -> None:
    """A statement has two spans because the program had turned contrib's instrumentor on, or nobody says so."""
    seen = program(
        """
        import logging, warnings; logging.disable()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
        from otel_kit.instrument import instrument_all, report
        observe()
        SQLAlchemyInstrumentor().instrument(skip_dep_check=True)
        instrument_all(["sqlalchemy"])
        import sqlalchemy
        with sqlalchemy.create_engine("sqlite://").connect() as connection:
            connection.execute(sqlalchemy.text("select 1"))
        show(count=len([s for s in spans() if s.name != "connect"]), impossible=report().impossible)
        """
    )
    assert seen["count"] == 1
    assert "leave out SQLAlchemyInstrumentor" in seen["impossible"]["sqlalchemy"]
