"""What caches, checks and changes of entities cost: each case is one call, set up and ready to be timed.

``stock_cases`` is the same without otel_kit: the bare cache, or by hand with OpenTelemetry's API alone.
"""

from __future__ import annotations

import functools
from collections import UserDict
from collections.abc import Callable
from typing import Any

from opentelemetry import metrics
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker

import otel_kit

Case = Callable[[], object]


class Base(DeclarativeBase):
    """The one table."""


class Order(Base):
    """An order."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str]


def _twice(number: int) -> int:
    return number * 2


def _sessions() -> sessionmaker[Session]:
    engine = create_engine("sqlite://")
    Base.metadata.create_all(engine)
    return sessionmaker(engine)


def _saved(sessions: sessionmaker[Session]) -> None:
    with sessions() as session:
        session.add(Order(state="new"))
        session.commit()


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    function = otel_kit.observe_cache("function", functools.lru_cache(_twice))
    mapping: Any = otel_kit.observe_cache("mapping", UserDict({"tea": 1}))
    sessions = _sessions()
    otel_kit.track_changes(sessions)
    return {
        "lru_cache, a hit": lambda: function(2),
        "mapping, a hit": lambda: mapping["tea"],
        "check": lambda: otel_kit.check("null rate", 0.01, max=0.02),
        "create an entity": lambda: _saved(sessions),
    }


def stock_cases() -> dict[str, Case]:
    """The peers."""
    function, mapping, sessions = functools.lru_cache(_twice), UserDict({"tea": 1}), _sessions()
    rate = metrics.get_meter("stock").create_gauge("null.rate")
    return {
        "lru_cache, a hit": lambda: function(2),
        "mapping, a hit": lambda: mapping["tea"],
        "check": lambda: rate.set(0.01, {"check": "null rate"}),
        "create an entity": lambda: _saved(sessions),
    }
