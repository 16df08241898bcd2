"""``watch_attributes``: each write and delete is told, on classes of every kind, and nothing else changes."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import weakref
from typing import Any

import pydantic
import pytest
import sqlalchemy as sa
from sqlalchemy import orm

from otel_kit import semconv
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.code import watch_attributes

EVENTS = (semconv.EVENT_ATTRIBUTE_CHANGED, semconv.EVENT_ATTRIBUTE_DELETED)


def changes(seen: Captured) -> list[str]:
    return [record.body.rpartition(">.")[2] for record in seen.logs if record.event_name in EVENTS]


@watch_attributes
class Order:
    status = "new"

    def __init__(self, number: int) -> None:
        self.number = number


def test_each_write_and_delete_is_told_with_old_new_and_place() -> None:
    """A write or delete is not told, or old, new, file or line are wrong."""
    with capture() as seen:
        order = Order(7)
        order.status = "paid"
        order.status = "paid"
        del order.status
    assert changes(seen) == [
        "Order.number: (unset) → 7",
        "Order.status: 'new' → 'paid'",
        "Order.status: 'paid' → 'paid'",
        "Order.status: 'paid' → (deleted)",
    ]
    record = seen.logs[1]
    first = test_each_write_and_delete_is_told_with_old_new_and_place.__code__.co_firstlineno
    assert record.attributes["code.line.number"] == first + 4
    assert record.attributes["code.file.path"] == __file__
    assert record.attributes[semconv.CODE_CHANGED] == "Order.status"
    assert (record.attributes[semconv.CODE_OLD], record.attributes[semconv.CODE_NEW]) == ("'new'", "'paid'")
    assert seen.logs[3].event_name == semconv.EVENT_ATTRIBUTE_DELETED
    assert pickle.loads(pickle.dumps(order)).number == 7


def test_names_can_be_chosen_and_secrets_stay_home() -> None:
    """Attributes that were not chosen, or are excluded, are told; or a password is."""

    @watch_attributes(only=("a",))
    class One:
        pass

    @watch_attributes(exclude="b")
    class Other:
        pass

    with capture() as seen:
        for cls in (One, Other):
            thing: Any = cls()
            thing.a = thing.b = thing.password = "hunter" + "2"
        assert len(changes(seen)) == 3
        assert "Other.password: (unset) → [redacted:password]" in changes(seen)


def test_slots_and_dataclasses() -> None:
    """A class with slots, or a dataclass of any kind, behaves otherwise or is not told of."""

    @watch_attributes
    class Slots:
        __slots__ = ("x", "y")

    @watch_attributes
    @dataclasses.dataclass(slots=True)
    class Point:
        x: int
        y: int = 0

    @dataclasses.dataclass(slots=True)
    @watch_attributes
    class Inside:
        x: int

    @watch_attributes
    @dataclasses.dataclass(frozen=True)
    class Frozen:
        x: int

    with capture() as seen:
        slots = Slots()
        slots.x = 1
        slots.x = 2
        del slots.x
        with pytest.raises(AttributeError):
            slots.z = 3  # type: ignore[attr-defined]
        point = Point(1)
        point.y = 5
        inside = Inside(1)
        inside.x = 2
        frozen = Frozen(1)
        with pytest.raises(dataclasses.FrozenInstanceError):
            frozen.x = 2  # type: ignore[misc]
    assert changes(seen) == [
        "Slots.x: (unset) → 1",
        "Slots.x: 1 → 2",
        "Slots.x: 2 → (deleted)",
        "Point.x: (unset) → 1",
        "Point.y: (unset) → 0",
        "Point.y: 0 → 5",
        "Inside.x: (unset) → 1",
        "Inside.x: 1 → 2",
    ]
    assert frozen.x == 1
    assert hash(frozen) == hash(Frozen(1))


def test_pydantic_models() -> None:
    """A pydantic model validates otherwise, or its writes are not told as they were stored."""

    @watch_attributes
    class Item(pydantic.BaseModel):
        model_config = pydantic.ConfigDict(validate_assignment=True)
        price: float = 0.0
        _secret: int = pydantic.PrivateAttr(default=1)

    with capture() as seen:
        item = Item(price=1)
        item.price = "2.5"  # type: ignore[assignment]
        with pytest.raises(pydantic.ValidationError):
            item.price = "dear"  # type: ignore[assignment]
        item._secret = 2
    assert changes(seen)[0].rpartition("Item.")[2] == "price: 1.0 → 2.5"
    assert len(changes(seen)) == 2
    assert item.model_dump() == {"price": 2.5}


def test_sqlalchemy_models() -> None:
    """A mapped object is loaded, saved or expired otherwise, a look at it runs a statement, or its writes are not told."""

    class Base(orm.DeclarativeBase):
        pass

    @watch_attributes
    class Row(Base):
        __tablename__ = "rows"
        id: orm.Mapped[int] = orm.mapped_column(primary_key=True)
        name: orm.Mapped[str]

    engine = sa.create_engine("sqlite://")
    Base.metadata.create_all(engine)
    statements: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    with capture() as seen, orm.Session(engine) as session:
        row = Row(name="a")
        session.add(row)
        session.commit()
        before = len(statements)
        row.name = "b"  # the old one has expired: nobody may load it for us
        loaded = len(statements) - before
        session.commit()
        assert session.scalars(sa.select(Row.name)).all() == ["b"]
    told = [text.rpartition("Row.")[2] for text in changes(seen)]
    assert [text for text in told if text.startswith("name")] == [
        "name: (unknown) → 'a'",
        "name: (unknown) → 'b'",
    ]
    assert loaded == 0
    engine.dispose()


def test_strange_classes_stay_as_they_are() -> None:
    """A property that raises, a ``__getattr__`` that lies, a ``__setattr__`` of its own or a metaclass changes what happens."""
    called: list[str] = []

    class Meta(type):
        __hash__ = None  # type: ignore[assignment]

        def __setattr__(cls, name: str, value: object) -> None:
            raise AttributeError("closed")

    @watch_attributes
    class Strange(metaclass=Meta):
        def __getattr__(self, name: str) -> str:
            called.append(f"get {name}")
            return "lie"

        def __setattr__(self, name: str, value: Any) -> None:
            called.append(f"set {name}")
            object.__setattr__(self, name, value)

        @property
        def broken(self) -> int:
            called.append("broken")
            raise ValueError("broken")

        @broken.setter
        def broken(self, value: int) -> None:
            if value < 0:
                raise ValueError("negative")
            self.real = value

    with capture() as seen:
        strange = Strange()
        strange.broken = 3
        with pytest.raises(ValueError, match="negative"):
            strange.broken = -1
    assert called == ["set broken", "set real", "set broken"]
    assert [text.rpartition("Strange.")[2] for text in changes(seen)] == [
        "real: (unset) → 3",
        "broken: (unknown) → 3",
    ]


def test_subclasses_are_watched_once() -> None:
    """A class and its base that are both watched tell of one write twice, or a subclass is not watched."""

    @watch_attributes
    class Base:
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)

    class Plain(Base):
        pass

    @watch_attributes
    class Sub(Base):
        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, value)

    class Other:
        pass

    @watch_attributes
    class Both(Plain, Other):
        pass

    with capture() as seen:
        for cls in (Plain, Sub, Both):
            thing = cls()
            thing.x = 1
            assert thing.x == 1
    assert [text.rpartition(".")[2] for text in changes(seen)] == ["x: (unset) → 1"] * 3


def test_it_can_be_turned_off_for_one_instance_and_for_all() -> None:
    """What is turned off is still told of, another instance is silent too, or the class keeps something of ours."""

    @watch_attributes(only="x")
    class Thing:
        x = y = 0

    class Slots:
        __slots__ = ("x",)

    watch_attributes(Slots)
    with capture() as seen:
        one, other = Thing(), Thing()
        assert watch_attributes(one, on=False) is one
        one.x = other.x = 1
        assert len(changes(seen)) == 1
        watch_attributes(one, on=True)
        one.x = 2
        assert len(changes(seen)) == 2
        watch_attributes(Thing, on=False)
        one.x = 3
        assert len(changes(seen)) == 2
        assert not {"__setattr__", "__delattr__"} & set(vars(Thing))
        watch_attributes(Thing, on=True)
        one.x = one.y = 4
        assert len(changes(seen)) == 3
        slots = Slots()
        watch_attributes(slots, on=False)
        slots.x = 1
        assert len(changes(seen)) == 3
        watch_attributes(slots, on=True)
    reference = weakref.ref(one)
    watch_attributes(one, on=False)
    del one
    gc.collect()
    assert reference() is None


def test_nothing_is_left_where_it_is_turned_off() -> None:
    """A class that is turned off has a method of ours, or one whose part is off tells of a write."""

    @watch_attributes
    class Watched:
        x = 0

    with capture(disabled_toolkit=("code",)) as seen:
        Watched().x = 1
        assert seen.logs == []
    watch_attributes(Watched, on=False)
    assert Watched.__setattr__ is object.__setattr__


def test_what_cannot_be_watched_is_named() -> None:
    """A wrong target is taken silently, or the message does not name it."""
    for wrong in (dict, type):
        with pytest.raises(ArgumentError, match="watch_attributes"):
            watch_attributes(wrong)  # type: ignore[type-var]
    with pytest.raises(ArgumentError, match="an instance of one that is watched"):
        watch_attributes(3, on=False)
    with pytest.raises(ArgumentError, match="names of attributes"):
        watch_attributes(only=(1,))  # type: ignore[call-overload]
