"""The tables of the shop. Each service keeps its own in an SQLite file of its own."""

from __future__ import annotations

import os
import time
from pathlib import Path

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column

PRICES = {"antique": 120.0, "cup": 9.5, "pot": 34.0, "tea": 6.25, "whisk": 18.0}


class Inventory(MappedAsDataclass, DeclarativeBase):
    """Tables of the inventory."""


class Shelf(Inventory):
    """How many pieces of one product are there."""

    __tablename__ = "shelf"

    product: Mapped[str] = mapped_column(primary_key=True)
    pieces: Mapped[int]


class Storefront(MappedAsDataclass, DeclarativeBase):
    """Tables of the storefront."""


class Order(Storefront):
    """What a customer has bought."""

    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True, init=False)
    product: Mapped[str]
    pieces: Mapped[int]
    amount: Mapped[float]


def data_folder() -> Path:
    """Where the shop keeps its files."""
    return Path(os.environ.get("SHOP_DATA", "."))


def open_database(tables: type[DeclarativeBase]) -> Engine:
    """The database of a service, made when it is not there, in the folder ``SHOP_DATA``."""
    engine = create_engine(f"sqlite:///{data_folder() / tables.__name__.lower()}.db")
    event.listen(engine, "connect", _add_sleep)
    tables.metadata.create_all(engine)
    return engine


def _add_sleep(connection: object, _: object) -> None:
    """``SELECT sleep(0.3)``, as other databases have it: a slow query that costs no processor time."""
    connection.create_function("sleep", 1, time.sleep)  # type: ignore[attr-defined]
