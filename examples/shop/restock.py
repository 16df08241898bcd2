"""The background job of the inventory: it fills the shelves, again and again."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import Self
from uuid import uuid4

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

import otel_kit
from examples.shop.models import PRICES, Shelf
from examples.shop.supplier import Supplier

FULL = 20
STEPS = {"started": ["ordered"], "ordered": ["filled"]}

log = otel_kit.get_logger(__name__)
supplier = Supplier()
refills = otel_kit.get_meter(__name__).create_counter("shop.refills", unit="{shelf}")


def restock(engine: Engine) -> None:
    """Fill every shelf; each run has its own trace and its own run id, and says where its time went."""
    number = uuid4().hex[:8]
    with (
        otel_kit.bind(run_id=number),
        otel_kit.measure("restock", slower_than=1.0),
        otel_kit.workflow("restock", id=number, graph=STEPS) as work,
    ):
        if not supplier.order(list(PRICES)):
            return
        work.to("ordered")
        fill = update(Shelf).where(Shelf.pieces < FULL).values(pieces=FULL).returning(Shelf.product)
        with Session(engine) as session:
            products = session.scalars(fill).all()
            session.commit()
        work.to("filled")
        for product in otel_kit.each(products, "count refills"):
            refills.add(1, {"product": product})
            otel_kit.audit("restock", "shelf.fill", product, after={"pieces": FULL})
        otel_kit.check("shelves that were not full", len(products), max=5, warn_max=4)
        log.info("shelves filled", products=list(products))


class Restocking:
    """Restock in a thread of its own, as long as the block lasts.

    Args:
        engine: the database of the inventory.
        every: the pause between two runs, in seconds.
    """

    def __init__(self, engine: Engine, every: float) -> None:
        self._engine, self._every = engine, every
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._repeat, name="restock", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._closed.set()
        self._thread.join(5)

    def _repeat(self) -> None:
        while not self._closed.wait(self._every):
            restock(self._engine)
