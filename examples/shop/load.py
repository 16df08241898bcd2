"""The customers: a bounded number of them, at a bounded rate."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field

import requests

RATE = 20.0  # requests a second
CUSTOMERS = 8  # at the same time

# What they do, over and over, and the status they get. The failures are on purpose: `ghost` is unknown to the
# inventory, which raises; `antique` takes longer than the storefront waits; and the report's query is slow.
VISITS = (
    ("POST", "/orders?product=tea&pieces=2", 200),
    ("GET", "/products", 200),
    ("POST", "/orders?product=cup", 200),
    ("POST", "/orders?product=ghost", 502),
    ("POST", "/orders?product=whisk", 200),
    ("GET", "/report", 200),
    ("POST", "/orders?product=pot", 200),
    ("GET", "/ask?question=Is there any tea left?", 200),
    ("POST", "/orders?product=antique", 504),
    ("POST", "/orders?product=tea", 200),
)


@dataclass
class Tally:
    """What came back so far: how many answers, failures that were meant, and answers that were not."""

    requests: int = 0
    failures: int = 0
    surprises: int = 0
    seconds: float = 0.0
    trace_id: str | None = None
    lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def count(self, status: int, expected: int, trace_id: str | None) -> None:
        """Take in one answer, and keep the trace of the last order that went well."""
        with self.lock:
            self.requests += 1
            self.failures += status == expected >= 400
            self.surprises += status != expected
            self.trace_id = trace_id or self.trace_id


def visit(session: requests.Session, shop: str, number: int, tally: Tally) -> None:
    """One request to the storefront, the ``number``-th of all. No answer counts as status 599."""
    method, path, expected = VISITS[number % len(VISITS)]
    user = {"user": f"customer-{number % 7}"} if method == "POST" else None
    try:
        answer = session.request(method, shop + path, params=user, timeout=10)
        tally.count(answer.status_code, expected, answer.json().get("trace_id"))
    except requests.RequestException:
        tally.count(599, expected, None)


def drive(shop: str, seconds: float, closed: threading.Event, progress: Callable[[Tally], None]) -> Tally:
    """Send customers to the shop until the time is over or ``closed`` is set.

    Args:
        shop: the storefront's address.
        seconds: how long.
        closed: ends it before the time.
        progress: called with the tally twice a second, and at the end.
    """
    tally, numbers, start = Tally(), itertools.count(), time.monotonic()

    def customer() -> None:
        with requests.Session() as session:
            while (number := next(numbers)) < seconds * RATE and time.monotonic() < start + seconds:
                if closed.wait(max(0.0, start + number / RATE - time.monotonic())):
                    return
                visit(session, shop, number, tally)

    with ThreadPoolExecutor(CUSTOMERS) as pool:
        busy = {pool.submit(customer) for _ in range(CUSTOMERS)}
        while busy:
            busy = wait(busy, timeout=0.5).not_done
            tally.seconds = time.monotonic() - start
            progress(tally)
    return tally
