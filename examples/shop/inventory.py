"""The inventory, a Flask service: it knows what is on the shelf, and hands it out."""

from __future__ import annotations

import time

from flask import Flask, request
from flask.typing import ResponseReturnValue
from sqlalchemy import select, update
from sqlalchemy.orm import Session

import otel_kit
from examples.shop.models import PRICES, Inventory, Shelf, data_folder, open_database
from examples.shop.restock import Restocking
from examples.shop.service import serve_wsgi

telemetry = otel_kit.init_telemetry(
    "inventory", baggage_ids=["user_id"], audit_file=data_folder() / "inventory.audit.jsonl"
)
log = otel_kit.get_logger(__name__)

app = Flask(__name__)

with otel_kit.span("open shop"):
    engine = open_database(Inventory)
    with Session(engine) as session:
        session.add_all(Shelf(product, 20) for product in PRICES)
        session.commit()


@app.get("/shelf")
def shelf() -> ResponseReturnValue:
    """What is there, of everything."""
    with Session(engine) as session:
        return {row.product: row.pieces for row in session.scalars(select(Shelf))}


@app.post("/shelf/<product>/take")
def take(product: str) -> ResponseReturnValue:
    """Hand out pieces of a product, or answer 409 when there are not enough."""
    wanted = int(request.args["pieces"])
    if product == "antique":
        time.sleep(2.0)  # on purpose: somebody climbs to the attic, for longer than the storefront waits
    enough = (Shelf.product == product) & (Shelf.pieces >= wanted)
    take_them = update(Shelf).where(enough).values(pieces=Shelf.pieces - wanted).returning(Shelf.pieces)
    with Session(engine) as session:
        left = session.scalar(take_them)  # one statement, so that no piece goes to two customers
        session.commit()
        if left is None:
            left = session.get_one(Shelf, product).pieces  # on purpose: an unknown product raises
            log.warning("too few left", product=product, wanted=wanted, left=left)
            return {"left": left}, 409
    log.info("goods taken", product=product, pieces=wanted, left=left)
    return {"left": left}


def run() -> int:
    """Serve until the demo ends, and restock beside it; how many requests it were."""
    with telemetry, Restocking(engine, every=2.0):
        return serve_wsgi(app)
