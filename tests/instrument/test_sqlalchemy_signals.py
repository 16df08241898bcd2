"""SQLAlchemy: what spans, metrics and records say, through the whole pipeline, on SQLite."""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, ForeignKey, QueuePool, create_engine, event, exc, select, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, relationship

import otel_kit
from otel_kit import _guard
from otel_kit.errors import SettingError
from otel_kit.instrument import _sql
from otel_kit.instrument.sqlalchemy.database import database_of
from otel_kit.testing import Captured, capture


class Base(DeclarativeBase):
    pass


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    note: Mapped[str]
    items: Mapped[list[Item]] = relationship(back_populates="order")


class Item(Base):
    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    order: Mapped[Order] = relationship(back_populates="items")


@pytest.fixture
def captured() -> Iterator[Captured]:
    _guard.reset(reraise=True)
    with capture(instrument=("sqlalchemy",)) as caught:
        yield caught
    _sql.use(_sql.Sql())
    _guard.reset()


@pytest.fixture
def engine(captured: Captured, tmp_path: Path) -> Iterator[Engine]:
    made = create_engine(f"sqlite:///{tmp_path}/shop.db")
    Base.metadata.create_all(made)
    captured.clear()
    yield made
    made.dispose()


def points(captured: Captured, name: str) -> list[Any]:
    return list(captured.metrics[name].data.data_points)


def test_literals_never_leave(captured: Captured, engine: Engine) -> None:
    """A value that the program wrote into the text is in a span."""
    with engine.connect() as connection:
        connection.exec_driver_sql(
            "SELECT * FROM orders WHERE note = 'hunter2' AND id IN (41, 42) -- hunter2"
        )
    found = captured.span("SELECT orders").attributes
    assert found["db.query.text"] == "SELECT * FROM orders WHERE note = ? AND id IN (?)"


def test_a_failing_statement_says_why(captured: Captured, engine: Engine) -> None:
    """A failed statement's span or measurement lacks the type, the code or the status, or has a value."""
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (id, note) VALUES (1, 'a')"))
        captured.clear()
        with pytest.raises(exc.IntegrityError):
            connection.execute(text("INSERT INTO orders (id, note) VALUES (1, :n)"), {"n": "secret"})
    failed = captured.span("INSERT orders")
    assert failed.attributes["error.type"] == "sqlite3.IntegrityError"
    assert failed.attributes["db.response.status_code"] == "SQLITE_CONSTRAINT_PRIMARYKEY"
    assert failed.status.description == "IntegrityError: UNIQUE constraint failed: orders.id"
    assert "secret" not in str((failed.attributes, failed.status.description, failed.events))
    errors = [p for p in points(captured, "db.client.operation.duration") if "error.type" in p.attributes]
    assert [p.count for p in errors] == [1]


def test_affected_rows_and_the_size_of_batches(captured: Captured, engine: Engine) -> None:
    """Rows that were written are not counted, a batch has a value of its own, or a parameter is recorded."""
    _sql.use(_sql.Sql(parameters=True))
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO orders (note) VALUES (:n)"), [{"n": "a"}] * 3)
        connection.execute(text("UPDATE orders SET note = :n"), {"n": "b"})
    batch, update = captured.span("BATCH INSERT orders").attributes, captured.span("UPDATE orders").attributes
    assert (batch["db.operation.batch.size"], batch["otel_kit.db.affected_rows"]) == (3, 3)
    assert (batch["db.operation.name"], batch["db.collection.name"]) == ("BATCH INSERT", "orders")
    assert not [name for name in batch if "parameter" in name]
    assert (update["otel_kit.db.affected_rows"], update["db.query.parameter.n"]) == (3, "b")


def test_parameters_are_recorded_on_request_only(captured: Captured, engine: Engine) -> None:
    """The value of a parameter is in a span though nobody asked for it."""
    with engine.connect() as connection:
        connection.execute(text("SELECT * FROM orders WHERE note = :n"), {"n": "private"})
    assert "private" not in str(captured.span("SELECT orders").attributes)


def test_ten_thousand_rows_go_and_come(captured: Captured, engine: Engine) -> None:
    """A large executemany or result raises, has more spans than round trips, or a long text."""
    with Session(engine) as session:
        session.execute(Order.__table__.insert(), [{"note": f"n{i}"} for i in range(10_000)])
        session.execute(
            Order.__table__.insert().returning(Order.id), [{"note": f"n{i}"} for i in range(10_000)]
        )
        assert len(session.scalars(select(Order)).all()) == 20_000
    spans = captured.spans
    sizes = [s.attributes["db.operation.batch.size"] for s in spans if s.name == "BATCH INSERT orders"]
    assert sizes[0] == 10_000
    assert sum(sizes[1:]) == 10_000
    assert {len(s.attributes["db.query.text"]) < 200 for s in spans} == {True}
    assert not captured.logs


def test_a_statement_of_a_megabyte(captured: Captured, engine: Engine) -> None:
    """A very long statement raises, takes long, is recorded at length, or shows the values at its end."""
    values = ", ".join(f"'secret{i}'" for i in range(70_000))
    began = time.process_time()
    with engine.connect() as connection:
        connection.exec_driver_sql(f"SELECT * FROM orders WHERE note IN ({values})")
    assert time.process_time() - began < 2
    found = captured.span("SELECT orders").attributes["db.query.text"]
    assert found == "SELECT * FROM orders WHERE note IN (?) ..."


def test_the_duration_metric_has_the_standard_buckets_and_few_attributes(
    captured: Captured, engine: Engine
) -> None:
    """The duration of statements has other buckets, or a series for each text."""
    with engine.connect() as connection:
        for number in range(3):
            connection.exec_driver_sql(f"SELECT {number} FROM orders")
    [point] = [
        p
        for p in points(captured, "db.client.operation.duration")
        if p.attributes["db.operation.name"] == "SELECT"
    ]
    assert tuple(point.explicit_bounds) == (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)
    assert dict(point.attributes) == {
        "db.system.name": "sqlite",
        "db.namespace": "shop.db",
        "db.operation.name": "SELECT",
        "db.collection.name": "orders",
    }
    assert point.count == 3


def test_transactions_are_events_of_the_current_span(captured: Captured, engine: Engine) -> None:
    """A transaction's begin, savepoint or end is missing, or its outcome, duration or number of statements."""
    with otel_kit.span("request"):
        with engine.begin() as connection:
            connection.execute(text("SELECT 1"))
            with connection.begin_nested():
                connection.execute(text("SELECT 2"))
        with engine.connect() as connection:
            connection.execute(text("SELECT 3"))
    events = captured.span("request").events
    assert [e.name.removeprefix("otel_kit.db.transaction.") for e in events] == [
        "begin", "savepoint", "release_savepoint", "commit", "begin", "rollback",
    ]  # fmt: skip
    commit = events[3].attributes
    assert commit["otel_kit.db.transaction.statements"] == 4
    assert commit["otel_kit.db.transaction.outcome"] == "commit"
    assert 0 < commit["otel_kit.db.transaction.duration"] < 5


def test_many_transactions_do_not_push_the_programs_events_out(captured: Captured, engine: Engine) -> None:
    """Events of transactions fill a span until the program's own are dropped."""
    with otel_kit.span("job") as span:
        span.add_event("mine")
        for _ in range(100):
            with engine.begin() as connection:
                connection.execute(text("SELECT 1"))
    job = captured.span("job")
    assert job.events[0].name == "mine"
    assert (len(job.events), job.dropped_events) == (33, 0)


def test_transactions_are_spans_around_their_statements_on_request(
    captured: Captured, engine: Engine
) -> None:
    """A transaction's span is missing, is not its statements' parent, or does not say how it ended."""
    _sql.use(_sql.Sql(transactions="spans"))
    with otel_kit.span("request"), engine.begin() as connection:
        connection.execute(text("SELECT 1"))
        with otel_kit.span("work"):
            pass
    request, statement = captured.span("request"), captured.span("SELECT")
    transaction, work = captured.span("TRANSACTION"), captured.span("work")
    assert transaction.parent.span_id == work.parent.span_id == request.context.span_id
    assert statement.parent.span_id == transaction.context.span_id
    assert transaction.attributes["otel_kit.db.transaction.outcome"] == "commit"
    assert transaction.attributes["otel_kit.db.transaction.statements"] == 1
    assert not request.events


def test_a_connection_that_is_lost_ends_its_transaction(captured: Captured, tmp_path: Path) -> None:
    """A connection that nobody closed leaves its transaction's span open, or counts as used for ever."""
    _sql.use(_sql.Sql(transactions="spans"))
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", pool_logging_name="lost")
    engine.connect().execute(text("SELECT 1"))
    gc.collect()
    assert captured.span("TRANSACTION").attributes["otel_kit.db.transaction.outcome"] == "abandoned"
    counts = {
        point.attributes["db.client.connection.state"]: point.value
        for point in points(captured, "db.client.connection.count")
        if point.attributes["db.client.connection.pool.name"] == "lost"
    }
    assert counts == {"idle": 1, "used": 0}
    engine.dispose()


def test_a_commit_that_fails_is_an_error(captured: Captured, engine: Engine) -> None:
    """A transaction counts as committed though the database refused."""
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA foreign_keys = ON")
        connection.exec_driver_sql(
            "CREATE TABLE late (id INT REFERENCES orders(id) DEFERRABLE INITIALLY DEFERRED)"
        )
        connection.commit()
        with otel_kit.span("request"):
            connection.exec_driver_sql("INSERT INTO late VALUES (99)")
            with pytest.raises(exc.IntegrityError):
                connection.commit()
            connection.rollback()
    assert [e.name for e in captured.span("request").events][-1] == "otel_kit.db.transaction.error"


def slow_function(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def connected(connection: Any, _: Any) -> None:
        connection.create_function("pause", 1, lambda seconds: time.sleep(seconds) or 1)


def test_a_slow_query_is_one_record_with_the_programs_line(captured: Captured, engine: Engine) -> None:
    """A slow statement has no record, or one that does not name the statement, the duration, the span or the line."""
    _sql.use(_sql.Sql(slow_query=0.05))
    slow_function(engine)
    engine.dispose()
    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        line = test_a_slow_query_is_one_record_with_the_programs_line.__code__.co_firstlineno + 8
        connection.execute(text("SELECT pause(0.06) FROM (SELECT 'hunter2')"))
    [record] = captured.logs
    slow = captured.spans[-1]
    assert (record.event_name, record.severity_text) == ("otel_kit.db.slow_query", "WARN")
    assert (record.trace_id, record.span_id) == (slow.context.trace_id, slow.context.span_id)
    assert record.attributes["otel_kit.db.duration"] >= 0.06
    assert record.attributes["db.query.text"] == "SELECT pause(?) FROM (SELECT ?)"
    assert (record.attributes["code.file.path"], record.attributes["code.line.number"]) == (__file__, line)


def fill(engine: Engine, orders: int) -> None:
    with Session(engine) as session:
        session.add_all(Order(note="n", items=[Item(), Item()]) for _ in range(orders))
        session.commit()


def test_lazy_loads_in_a_loop_are_one_record(captured: Captured, engine: Engine) -> None:
    """N+1 queries have no record, several, or one without place, count, time or relationship."""
    fill(engine, 15)
    captured.clear()
    with otel_kit.span("request"), Session(engine) as session:
        for order in session.scalars(select(Order)):
            assert len(order.items) == 2
    [record] = captured.logs
    request = captured.span("request")
    assert record.event_name == "otel_kit.db.n_plus_one"
    assert record.span_id == request.context.span_id
    assert record.attributes["otel_kit.db.relationship"] == "Order.items"
    assert record.attributes["otel_kit.db.repeat.count"] == 15
    assert record.attributes["otel_kit.db.repeat.duration"] > 0
    assert record.attributes["code.function.name"].endswith("test_lazy_loads_in_a_loop_are_one_record")
    assert record.attributes["db.query.summary"] == "SELECT items"
    assert "end" not in vars(request)


@pytest.mark.parametrize(("times", "records"), [(10, 0), (11, 1)])
def test_only_more_than_ten_times_from_one_place_is_n_plus_one(
    captured: Captured, engine: Engine, times: int, records: int
) -> None:
    """Ten times is reported already, eleven times is not, or what comes from other lines or spans is added up."""
    with engine.connect() as connection:
        with otel_kit.span("request"):
            for _ in range(times):
                connection.execute(text("SELECT 1"))
        for _ in range(20):
            with otel_kit.span("another"):
                connection.execute(text("SELECT 1"))
    assert len(captured.logs) == records


def test_a_flush_that_the_driver_takes_row_by_row_is_no_n_plus_one(
    captured: Captured, engine: Engine
) -> None:
    """Rows of one flush are reported as repeated queries."""
    with otel_kit.span("request"):
        fill(engine, 15)
    assert not captured.logs


def test_the_pool_is_counted(captured: Captured, tmp_path: Path) -> None:
    """Connections that are open, idle, used or waited for are counted wrongly, or a path is in a pool's name."""
    engine = create_engine(
        f"sqlite:///{tmp_path}/shop.db", poolclass=QueuePool, pool_size=1, max_overflow=1, pool_timeout=0.1
    )
    held = [engine.connect(), engine.connect()]
    with otel_kit.span("request"), pytest.raises(exc.TimeoutError):
        engine.connect()
    waiter = threading.Thread(target=lambda: engine.connect().close())
    engine.pool._timeout = 20  # type: ignore[attr-defined]
    waiter.start()
    deadline = time.monotonic() + 10
    while not values(captured, "db.client.connection.pending_requests")[None] and time.monotonic() < deadline:
        time.sleep(0.01)
    assert values(captured, "db.client.connection.count") == {"idle": 0, "used": 2}
    assert values(captured, "db.client.connection.max") == {None: 2}
    assert values(captured, "db.client.connection.idle.max") == {None: 1}
    assert values(captured, "db.client.connection.timeouts") == {None: 1}
    for connection in held:
        connection.close()
    waiter.join(10)
    assert values(captured, "db.client.connection.count") == {"idle": 1, "used": 0}
    assert values(captured, "db.client.connection.pending_requests") == {None: 0}
    assert [
        points(captured, f"db.client.connection.{kind}_time")[0].count for kind in ("create", "wait", "use")
    ] == [2, 3, 3]
    pool, refused = engine.pool, captured.span("CONNECT shop.db")
    assert refused.attributes["error.type"] == "sqlalchemy.exc.TimeoutError"
    assert refused.parent.span_id == captured.span("request").context.span_id
    engine.dispose()
    assert values(captured, "db.client.connection.count") == {"idle": 0, "used": 0}, pool.status()


def values(captured: Captured, name: str) -> dict[str | None, float]:
    found = points(captured, name)
    assert {p.attributes["db.client.connection.pool.name"] for p in found} == {"sqlite/shop.db"}
    return {p.attributes.get("db.client.connection.state"): p.value for p in found}


def test_detached_and_invalidated_connections_leave_the_pool(captured: Captured, tmp_path: Path) -> None:
    """A connection that was detached or invalidated is counted for ever."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db")
    detached, invalidated = engine.connect(), engine.connect()
    detached.detach()
    invalidated.invalidate()
    for connection in (detached, invalidated):
        connection.close()
    assert values(captured, "db.client.connection.count") == {"idle": 0, "used": 0}
    engine.dispose()


def test_two_engines_and_one_that_was_disposed(captured: Captured, tmp_path: Path) -> None:
    """Engines are mixed up, or one has no signals after it was disposed."""
    engines = [create_engine(f"sqlite:///{tmp_path}/{name}.db") for name in ("a", "b")]
    for engine in (*engines, engines[0]):
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    assert [s.attributes["db.namespace"] for s in captured.spans] == ["a.db", "b.db", "a.db"]


def test_an_engine_that_is_gone_leaves_nothing(captured: Captured) -> None:
    """Pools of engines that nobody has any more are kept or reported."""
    for _ in range(20):
        engine = create_engine("sqlite://")
        with engine.connect() as connection:
            connection.execute(text("SELECT 1"))
        engine.dispose()
    del engine, connection
    gc.collect()
    assert "db.client.connection.max" not in captured.metrics


@pytest.mark.parametrize("when", ["connect", "checkout"])
def test_a_connection_that_a_listener_refuses_is_none(captured: Captured, tmp_path: Path, when: str) -> None:
    """Connections that the program's own listener refused, as in an outage, are counted as idle for ever."""
    engine = create_engine(f"sqlite:///{tmp_path}/shop.db", pool_logging_name="refused")

    @event.listens_for(engine, when)
    def refuse(*_: Any) -> None:
        if refusing:
            raise ValueError("no schema")

    refusing = True
    for _ in range(3):
        with pytest.raises(ValueError, match="no schema"):
            engine.connect()
    refusing = False
    engine.connect().close()
    counts = {
        point.attributes["db.client.connection.state"]: point.value
        for point in captured.metrics["db.client.connection.count"].data.data_points
        if point.attributes["db.client.connection.pool.name"] == "refused"
    }
    assert counts == {"idle": 1, "used": 0}
    engine.dispose()


def test_a_listener_of_the_programs_that_raises(captured: Captured, engine: Engine) -> None:
    """A span stays open, or is doubled, when a listener of the program's own raises or changes the statement."""
    seen: list[str] = []

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def changed(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
        seen.append(statement)
        if "orders" in statement:
            raise ValueError("not this one")
        return statement + " -- seen", parameters

    with engine.connect() as connection:
        connection.execute(text("SELECT 1"))
        with pytest.raises(ValueError, match="not this one"):
            connection.execute(text("SELECT * FROM orders"))
    first, *others = [(s.name, s.status.status_code.name) for s in captured.spans]
    assert first == ("SELECT", "UNSET")
    # SQLAlchemy 2.0 tells nobody of such an error; the statement never reached the database.
    assert others in ([("SELECT orders", "ERROR")], [])
    assert seen == ["SELECT 1", "SELECT * FROM orders"]


def test_a_comment_that_is_new_each_time_does_not_make_another_statement(
    captured: Captured, engine: Engine
) -> None:
    """Each text of a program that puts comments of its own on its statements is parsed and kept anew."""

    @event.listens_for(engine, "before_cursor_execute", retval=True)
    def commented(conn: Any, cursor: Any, statement: str, parameters: Any, *rest: Any) -> tuple[str, Any]:
        return f"{statement} /* {len(captured.spans)} */", parameters

    with engine.connect() as connection:
        for _ in range(5):
            connection.execute(text("SELECT 1"))
    assert [s.attributes["db.query.text"] for s in captured.spans] == ["SELECT ?"] * 5
    assert [text for text in database_of(engine)._known if "SELECT" in text] == ["SELECT 1"]


def test_what_is_open_before_the_watch_is_seen_from_its_next_transaction_on(tmp_path: Path) -> None:
    """A connection that was taken before telemetry was on is never seen, or SQLAlchemy's own first questions are."""
    engine = create_engine(f"sqlite:///{tmp_path}/old.db")
    with engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
        connection.rollback()
        with capture(instrument=("sqlalchemy",)) as caught:
            connection.exec_driver_sql("SELECT 2 FROM sqlite_master")
            other = create_engine(f"sqlite:///{tmp_path}/new.db")
            with other.connect() as second:
                second.exec_driver_sql("SELECT 3")
            assert [s.name for s in caught.spans] == ["SELECT sqlite_master", "SELECT"]
    engine.dispose()


def test_the_comment_names_the_statements_span(captured: Captured, engine: Engine) -> None:
    """On request the database does not see the span's id, or the span's text has the comment."""
    _sql.use(_sql.Sql(commenter=True))
    sent: list[str] = []
    with engine.connect() as connection:
        connection.connection.driver_connection.set_trace_callback(sent.append)  # type: ignore[union-attr]
        connection.execute(text("SELECT 1;"))
    span = captured.span("SELECT")
    trace, own = format(span.context.trace_id, "032x"), format(span.context.span_id, "016x")
    assert sent == [f"SELECT 1 /*db_driver='sqlite%2Bpysqlite',traceparent='00-{trace}-{own}-03'*/;"]
    assert span.attributes["db.query.text"] == "SELECT ?;"


@pytest.mark.skipif(importlib.util.find_spec("aiosqlite") is None, reason="aiosqlite is not installed")
def test_asyncio_slow_queries_name_the_line_that_awaits(captured: Captured, tmp_path: Path) -> None:
    """The line of an asyncio program is not found, because SQLAlchemy runs it in a greenlet."""
    _sql.use(_sql.Sql(slow_query=0.000_001))

    async def main() -> None:
        engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/shop.db")
        async with engine.connect() as connection:
            await connection.execute(text("SELECT 1"))
        await engine.dispose()

    asyncio.run(main())
    line = main.__code__.co_firstlineno + 3
    [record] = captured.logs
    assert (record.attributes["code.file.path"], record.attributes["code.line.number"]) == (__file__, line)


def test_wrong_options_are_refused() -> None:
    """A value that makes no sense is taken."""
    for wrong in ({"slow_query": -1}, {"n_plus_one": 1.5}, {"transactions": "both"}, {"parameters": "yes"}):
        with pytest.raises(SettingError):
            _sql.Sql(**wrong)  # type: ignore[arg-type]
