"""The storefront, a FastAPI service: it takes orders, and asks the inventory for the goods."""

from __future__ import annotations

import functools
import os
from typing import Any
from uuid import uuid4

import requests
from fastapi import FastAPI, HTTPException
from opentelemetry import trace
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import otel_kit
from examples.shop import assistant, payment
from examples.shop.models import PRICES, Order, Storefront, open_database
from examples.shop.service import serve_asgi

INVENTORY = os.environ.get("SHOP_INVENTORY_URL", "http://127.0.0.1:5001")
PATIENCE = 1.5  # seconds that the storefront waits for the inventory

telemetry = otel_kit.init_telemetry("storefront", baggage_ids=["user_id"])
log = otel_kit.get_logger(__name__)
meter = otel_kit.get_meter(__name__)
orders = meter.create_counter("shop.orders", unit="{order}", description="Orders, by product and outcome.")
amounts = meter.create_histogram("shop.order.amount", unit="{euro}", description="What an order is worth.")

app = FastAPI(title="storefront")
shelf: dict[str, int] = {}

with otel_kit.span("open shop"):
    engine = open_database(Storefront)
otel_kit.track_changes(Session, models=[Order])  # who changed which order, and how


@app.get("/products")
def products() -> dict[str, Any]:
    """What there is, what it costs, how many are left; as it was before where the inventory does not answer."""
    look_at_shelf()
    return {product: {"price": price, "left": shelf.get(product)} for product, price in PRICES.items()}


@app.get("/ask")
def ask_assistant(question: str) -> dict[str, str]:
    """Ask the assistant, an agent with a model and a tool."""
    return {"answer": assistant.answer(question, left)}


@app.post("/orders")
def order(product: str, pieces: int = 1, user: str = "guest") -> dict[str, Any]:
    """Buy something. Everything that happens inside carries the user's and the request's id."""
    with otel_kit.bind(user_id=user, request_id=uuid4().hex[:8]):
        log.info("order received", product=product, pieces=pieces)
        try:
            ask("POST", f"/shelf/{product}/take", pieces=pieces)
            number = sell(product, pieces)
        except HTTPException as error:
            orders.add(1, {"product": product, "outcome": "failed"})
            log.error("order failed", product=product, reason=error.detail)
            raise
        orders.add(1, {"product": product, "outcome": "sold"})
        return {"order": number, "trace_id": current_trace_id()}


@app.get("/report")
def report() -> dict[str, Any]:
    """What was sold so far; its query is slow on purpose, and a warning says so."""
    query = select(func.count(), func.coalesce(func.sum(Order.amount), 0), func.sleep(0.4)).select_from(Order)
    with otel_kit.measure("report", slower_than=0.3), Session(engine) as session:
        count, amount, _ = session.execute(query).one()
    otel_kit.security.data_access("sales", "manager", records=count)
    log.info("sales reported", orders=count, amount=amount)
    return {"orders": count, "amount": amount}


def left(product: str) -> int | None:
    """How many pieces are left; None when nobody knows."""
    look_at_shelf()
    return shelf.get(product)


def look_at_shelf() -> None:
    """Remember what the inventory has now, or go on with what it had."""
    try:
        shelf.update(ask("GET", "/shelf"))
    except HTTPException:
        otel_kit.fallback("last shelf")


def ask(method: str, path: str, **query: str | int) -> Any:
    """The inventory's answer; 504 when it takes too long, 502 when it fails, 409 when nothing is left."""
    try:
        answer = requests.request(method, INVENTORY + path, params=query, timeout=PATIENCE)
    except requests.Timeout as error:
        raise HTTPException(504, "the inventory took too long") from error
    if answer.status_code >= 500:
        raise HTTPException(502, "the inventory failed")
    if answer.status_code >= 400:
        raise HTTPException(409, "sold out")
    return answer.json()


@otel_kit.traced(args=True, result=True)
def sell(product: str, pieces: int) -> int:
    """Take the money and write the order down; the order's number."""
    amount = price_of(product, pieces)
    payment.charge(amount)
    with otel_kit.block("write order down"), Session(engine) as session:
        row = Order(product, pieces, amount)
        session.add(row)
        session.commit()
        number = row.id
    amounts.record(amount, {"product": product})
    otel_kit.business_event("order sold", value=amount, order=number, product=product)
    return number


@otel_kit.observe_cache("prices")
@functools.lru_cache(maxsize=100)
def price_of(product: str, pieces: int) -> float:
    """What so many pieces cost; the cache's hits and misses are metrics."""
    return PRICES[product] * pieces


def current_trace_id() -> str | None:
    """For the answer, so that a customer's complaint finds its trace; None when the trace is not sampled."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.trace_flags.sampled else None


def run() -> int:
    """Serve until the demo ends; how many requests it were."""
    with telemetry:
        return serve_asgi(app)
