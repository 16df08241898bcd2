"""What SQLAlchemy's sessions do to entities, told when it is known to last."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, ForeignKey, Table, create_engine, delete, insert, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    relationship,
    scoped_session,
    sessionmaker,
)
from sqlalchemy.pool import StaticPool

import otel_kit
from otel_kit import _guard
from otel_kit.errors import ArgumentError
from otel_kit.testing import Captured, Log, capture


class Base(DeclarativeBase):
    """Tables of these tests."""


labels = Table(
    "labels",
    Base.metadata,
    Column("order_id", ForeignKey("orders.id")),
    Column("tag_id", ForeignKey("tags.id")),
)


class Tag(Base):
    """Many to many."""

    __tablename__ = "tags"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]


class Item(Base):
    """One of many, deleted when it is an orphan."""

    __tablename__ = "items"
    id: Mapped[int] = mapped_column(primary_key=True)
    order_id: Mapped[int] = mapped_column(ForeignKey("orders.id"))
    name: Mapped[str]


class Order(Base):
    """An order."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]
    amount: Mapped[float | None]
    password: Mapped[str | None]
    tags: Mapped[list[Tag]] = relationship(secondary=labels)
    items: Mapped[list[Item]] = relationship(cascade="all, delete-orphan")


class Rush(Order):
    """A subclass in the same table."""


@pytest.fixture
def sessions() -> Iterator[sessionmaker[Session]]:
    """A factory of sessions whose class is nobody else's, as ``sessionmaker`` makes it."""
    engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
    Base.metadata.create_all(engine)
    yield sessionmaker(engine)
    engine.dispose()


def told(captured: Captured) -> list[str]:
    found = sorted(record.body for record in captured.logs if record.event_name == "otel_kit.change")
    captured.clear()
    return found


def facts(record: Log) -> dict[str, Any]:
    prefix = "otel_kit.change."
    return {
        name.removeprefix(prefix): value
        for name, value in record.attributes.items()
        if name.startswith(prefix)
    }


def test_creates_updates_and_deletes(sessions: sessionmaker[Session]) -> None:
    """A change is missing, doubled, told before it is committed, or told of wrongly."""
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        order = Order(state="new", amount=5)
        session.add(order)
        session.flush()
        assert captured.logs == []
        session.commit()
        assert told(captured) == ["create Order 1"]
        assert order.state == "new"
        order.state, order.amount = "paid", 6
        session.commit()
        [record] = captured.logs
        assert (record.body, record.event_name) == ("update Order 1: state, amount", "otel_kit.change")
        assert facts(record) == {
            "operation": "update",
            "entity": "Order",
            "outcome": "committed",
            "key": "1",
            "before": {"state": "new", "amount": 5.0},
            "after": {"state": "paid", "amount": 6},
        }
        captured.clear()
        order.state = order.state
        session.commit()
        assert told(captured) == []
        session.delete(order)
        session.commit()
        assert facts(captured.logs[0])["before"] == {
            "id": 1,
            "state": "paid",
            "amount": 6.0,
            "password": None,
        }
        assert told(captured) == ["delete Order 1"]
        [*points] = captured.metrics["otel_kit.changes"].data.data_points
        assert {(p.attributes["otel_kit.change.operation"], p.value) for p in points} == {
            ("create", 1),
            ("update", 1),
            ("delete", 1),
        }


def test_relationships(sessions: sessionmaker[Session]) -> None:
    """What is related now, or no longer, is missing, or an orphan that is deleted is not told of."""
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        order = Order(state="new", tags=[Tag(name="a")], items=[Item(name="x")])
        session.add(order)
        session.commit()
        assert told(captured) == ["create Item 1", "create Order 1", "create Tag 1"]
        with session.no_autoflush:
            order.tags = [Tag(name="b")]
            order.items.clear()
        session.commit()
        found = {record.body: facts(record) for record in captured.logs}
        assert sorted(found) == ["create Tag 2", "delete Item 1", "update Order 1: tags, items"]
        changed = found["update Order 1: tags, items"]
        assert (changed["added"], changed["removed"]) == (
            {"tags": ("Tag 2",)},
            {"tags": ("Tag 1",), "items": ("Item 1",)},
        )


def test_what_is_undone_is_marked(sessions: sessionmaker[Session]) -> None:
    """A change that was rolled back, by itself, with its savepoint, or by closing, is told of as if it lasted, or not at all."""
    otel_kit.track_changes(sessions)
    with capture() as captured:
        with sessions() as session:
            session.add(Tag(name="gone"))
            session.flush()
            session.rollback()
            assert told(captured) == ["create Tag 1 (rolled back)"]

            with session.begin_nested():
                session.add(Tag(name="kept"))
            undone = session.begin_nested()
            session.add(Tag(name="undone"))
            session.flush()
            undone.rollback()
            assert told(captured) == ["create Tag 2 (rolled back)"]
            session.commit()
            assert told(captured) == ["create Tag 1"]

            with session.begin_nested(), session.begin_nested():
                session.add(Tag(name="kept for now"))
            session.rollback()
            assert told(captured) == ["create Tag 2 (rolled back)"]
            session.add(Item(name="never committed", order_id=1))
            session.flush()
        assert told(captured) == ["create Item 1 (rolled back)"]


def test_statements(sessions: sessionmaker[Session]) -> None:
    """A bulk statement is not told of, or without entity, rows, values or condition; or its result is another one."""
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        session.execute(insert(Order), [{"state": "new", "amount": n} for n in range(5)])
        changed = session.execute(
            update(Order).where(Order.amount > 2).values(state="big", amount=Order.amount + 1)
        )
        assert changed.rowcount == 2
        ids = session.scalars(delete(Order).where(Order.amount < 1).returning(Order.id)).all()
        assert list(ids) == [1]
        assert captured.logs == []
        session.commit()
        created, updated, deleted = captured.logs
        assert (facts(created)["rows"], facts(updated)["rows"]) == (5, 2)
        assert updated.body == "update Order: 2 rows: state, amount"
        assert facts(updated)["after"] == {"state": "big", "amount": "orders.amount + :amount_1"}
        assert facts(updated)["condition"] == "orders.amount > :amount_1"
        assert facts(deleted)["operation"] == "delete"
        assert session.scalars(select(Order.state)).all() == ["new", "new", "big", "big"]


def test_legacy_bulk_methods(sessions: sessionmaker[Session]) -> None:
    """A legacy bulk method is not told of, or does something else."""
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        session.bulk_save_objects([Tag(name="a"), Tag(name="b")])
        session.bulk_insert_mappings(Tag, ({"name": name} for name in "cd"))
        session.bulk_update_mappings(Tag, [{"id": 1, "name": "A"}])
        session.query(Tag).filter(Tag.id > 2).update({"name": "z"})
        session.commit()
        assert told(captured) == [
            "create Tag: 2 rows",
            "create Tag: 2 rows",
            "update Tag: 1 rows",
            "update Tag: 2 rows: name",
        ]
        assert session.scalars(select(Tag.name)).all() == ["A", "b", "z", "z"]


def test_secrets_do_not_leave(sessions: sessionmaker[Session]) -> None:
    """The value of a field that holds a secret is in the record."""
    secret = "-".join(["correct", "horse", "battery"])
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        session.add(Order(state="new", password=secret))
        session.commit()
        assert facts(captured.logs[0])["after"]["password"] == "[redacted:password]"
        assert secret not in str(captured.logs)


def test_what_is_told_of_can_be_chosen(sessions: sessionmaker[Session]) -> None:
    """A model or field that is left out is told of, or one that is not left out is missing."""
    tracking = otel_kit.track_changes(
        sessions, models=[Order], exclude=[Order.password, "amount", "Order.tags"]
    )
    with capture() as captured, sessions() as session:
        session.add_all([Rush(state="new", amount=5, password="x", tags=[Tag(name="a")])])
        session.commit()
        assert [facts(record).get("after") for record in captured.logs] == [{"id": 1, "state": "new"}]
        assert told(captured) == ["create Rush 1"]
        otel_kit.track_changes(sessions, exclude=[Tag])
        session.add_all([Order(state="new"), Tag(name="b")])
        session.commit()
        assert told(captured) == ["create Order 2"], "the second call replaces the first"
        tracking.stop()
    with pytest.raises(ArgumentError, match="a sessionmaker"):
        otel_kit.track_changes("sessions")
    with pytest.raises(ArgumentError, match="mapped classes"):
        otel_kit.track_changes(sessions, exclude=[7])


def test_the_ids_are_those_of_the_flush(sessions: sessionmaker[Session]) -> None:
    """A change is told of as somebody else's, who happened to commit."""
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        with otel_kit.bind(user_id="ann"):
            session.add(Tag(name="a"))
            session.flush()
        with otel_kit.bind(user_id="bob"):
            session.commit()
        assert captured.logs[0].attributes["user.id"] == "ann"


def test_changes_feed_the_audit_trail(sessions: sessionmaker[Session], tmp_path: Path) -> None:
    """A committed change is not in the audit trail, or one that was undone is."""
    import json

    from otel_kit.toolkit.trust.verify import verify

    path = tmp_path / "audit.jsonl"
    otel_kit.track_changes(sessions, audit=otel_kit.audit)
    with capture(audit_file=str(path)), sessions() as session, otel_kit.bind(user_id="ann"):
        order = Order(state="new")
        session.add(order)
        session.commit()
        assert order.state == "new"
        order.state = "paid"
        session.commit()
        order.state = "lost"
        session.flush()
        session.rollback()
    created, updated = map(json.loads, path.read_text().splitlines())
    assert (created["actor"], created["action"], created["target"]) == ("ann", "order.create", "Order 1")
    assert (updated["before"], updated["after"]) == ({"state": "new"}, {"state": "paid"})
    assert verify(path).finding is None


def test_an_audit_trail_that_fails_does_not_undo_a_commit(
    sessions: sessionmaker[Session], capsys: pytest.CaptureFixture[str]
) -> None:
    """A commit raises although it is done, or nobody hears that the audit trail lacks it."""

    def audit(*_: object, **__: object) -> None:
        raise OSError("no space left")

    otel_kit.track_changes(sessions, audit=audit)
    with capture() as captured, sessions() as session:
        session.add(Tag(name="a"))
        session.commit()
        assert captured.logs[-1].event_name == "otel_kit.change.unaudited"
        assert "no space left" in captured.logs[-1].body
    assert "a change is not in the audit trail: create Tag 1" in capsys.readouterr().err


def test_asyncio() -> None:
    """Changes of an asyncio session are not told of, or those of another factory are."""

    async def program() -> list[str]:
        engine = create_async_engine("sqlite+aiosqlite://")
        async with engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)
        tracked, other = async_sessionmaker(engine), async_sessionmaker(engine)
        otel_kit.track_changes(tracked)
        with capture() as captured:
            async with tracked() as session, session.begin():
                session.add(Tag(name="a"))
            async with tracked() as session:
                session.add(Tag(name="b"))
                await session.flush()
                await session.rollback()
            async with other() as session, session.begin():
                session.add(Tag(name="c"))
            found = told(captured)
        await engine.dispose()
        return found

    pytest.importorskip("aiosqlite")
    assert asyncio.run(program()) == ["create Tag 1", "create Tag 2 (rolled back)"]


@pytest.mark.parametrize("kind", ["scoped_session", "session", "class"])
def test_sessions_of_every_kind(sessions: sessionmaker[Session], kind: str) -> None:
    """Sessions that are no factory cannot be tracked."""

    class Own(Session):
        pass

    bind = sessions.kw["bind"]
    made: Any = {"scoped_session": scoped_session(sessions), "session": sessions(), "class": Own}[kind]
    otel_kit.track_changes(made)
    with capture() as captured:
        session = made(bind=bind) if kind == "class" else made
        session.add(Tag(name="a"))
        session.commit()
        session.close()
        assert told(captured) == ["create Tag 1"]


def test_sessions_of_threads_are_kept_apart(sessions: sessionmaker[Session]) -> None:
    """Changes of one thread's session are told of with another's transaction."""
    otel_kit.track_changes(sessions)
    flushed = threading.Event()

    def other() -> None:
        with sessions() as session:
            session.add(Item(name="x", order_id=1))
            session.rollback()
        flushed.set()

    with capture() as captured, sessions() as session:
        session.add(Tag(name="a"))
        worker = threading.Thread(target=other)
        worker.start()
        assert flushed.wait(10)
        worker.join()
        session.commit()
        assert told(captured) == ["create Tag 1"]


def test_a_large_transaction_is_bounded(sessions: sessionmaker[Session]) -> None:
    """A transaction with very many changes is a record for each of them, or some are not counted."""
    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        session.add_all([Tag(name=str(number)) for number in range(1200)])
        session.commit()
        [point] = captured.metrics["otel_kit.changes"].data.data_points
        bodies = told(captured)
    assert point.value == 1200
    assert len(bodies) == 1001
    assert "create Tag: 200 rows" in bodies


def test_values_of_any_kind_do_no_harm(sessions: sessionmaker[Session]) -> None:
    """A value whose text raises spoils the flush, or a long one is told of whole."""

    class Bad(float):
        def __str__(self) -> str:
            raise ValueError

        __repr__ = __str__

    otel_kit.track_changes(sessions)
    with capture() as captured, sessions() as session:
        session.add(Order(state="x" * 100_000, amount=Bad(1.5)))
        session.commit()
        assert len(facts(captured.logs[0])["after"]["state"]) < 2000


def test_a_failure_of_ours_is_contained(
    sessions: sessionmaker[Session], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of otel_kit in a flush reaches the program."""
    _guard.reset()

    def broken(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr("otel_kit.toolkit.data.sessions._change_of", broken)
    otel_kit.track_changes(sessions)
    with capture(), sessions() as session:
        session.add(Tag(name="a"))
        session.commit()
        assert session.scalars(select(Tag.name)).all() == ["a"]
    assert _guard.contained_counts() == {"data.changes": 1}


def test_nothing_is_told_while_the_part_is_off(sessions: sessionmaker[Session]) -> None:
    """A change is told of although the part is off."""
    otel_kit.track_changes(sessions)
    with capture(disabled_toolkit=["data"]) as captured, sessions() as session:
        session.add(Tag(name="a"))
        session.execute(update(Tag).values(name="b"))
        session.commit()
        assert captured.logs == []


WITHOUT_GREENLET = """
import sys

sys.modules["greenlet"] = None
from sqlalchemy.orm import sessionmaker

import otel_kit

otel_kit.track_changes(sessionmaker())
print("tracked")
"""


def test_without_greenlet(run_program) -> None:  # type: ignore[no-untyped-def]
    """Changes cannot be tracked where SQLAlchemy is installed as ``pip install sqlalchemy`` does it: without greenlet."""
    done = run_program(WITHOUT_GREENLET)
    assert (done.stdout, done.stderr) == ("tracked\n", "")
