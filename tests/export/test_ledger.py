"""The books balance at every moment, whoever emits, and whatever the far side does."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.export import batch
from otel_kit.export.ledger import Ledger
from otel_kit.export.outage import Outage
from otel_kit.export.outcome import DELIVERED, Outcome


class Moody:
    """A far side that answers as it likes."""

    encoding = False

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def send(self, items: list[Any], timeout: float) -> Outcome:
        mood = self._random.randrange(6)
        if mood == 0:
            return Outcome(retry=True, after=0.001)
        if mood == 1:
            return Outcome({"partial_success": self._random.randrange(len(items) + 3)})
        if mood == 2:
            return Outcome(split=True) if len(items) > 1 else Outcome({"too_large": 1})
        if mood == 3:
            return Outcome({"rejected": len(items)})
        return DELIVERED

    def renew(self) -> None: ...

    def close(self) -> None: ...


def batcher_for(sender: Any, **sizes: Any) -> batch.Batcher[Any]:
    options = {"capacity": 200, "batch_size": 32, "delay": 0.01, "timeout": 1, **sizes}
    return batch.Batcher("test", sender, Ledger(), Outage("test"), **options)


def balance(figures: dict[str, Any]) -> bool:
    settled = figures["delivered"] + figures["waiting"] + sum(figures["dropped"].values())
    return bool(figures["accepted"] == settled) and min(figures["waiting"], figures["delivered"]) >= 0


def test_the_books_balance_while_threads_emit() -> None:
    """At some moment an item is in no column, or in two."""
    batcher = batcher_for(Moody(7))
    over = threading.Event()
    wrong: list[dict[str, Any]] = []

    def audit() -> None:
        while not over.is_set():
            figures = batcher.ledger.snapshot()
            if not balance(figures):
                wrong.append(figures)

    def emit() -> None:
        for number in range(2000):
            batcher.put(number)

    auditor = threading.Thread(target=audit)
    emitters = [threading.Thread(target=emit) for _ in range(4)]
    for thread in (auditor, *emitters):
        thread.start()
    for thread in emitters:
        thread.join()
    batcher.close(time.monotonic() + 10)
    batcher.put("too late")
    over.set()
    auditor.join()

    assert not wrong
    figures = batcher.ledger.snapshot()
    assert balance(figures)
    assert (figures["accepted"], figures["waiting"]) == (8001, 0)
    assert figures["dropped"]["after_shutdown"] == 1


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(1, 50), st.booleans()), min_size=1, max_size=15),
    st.integers(0, 10**6),
    st.integers(1, 64),
)
def test_the_books_balance_for_items_of_any_weight(
    steps: list[tuple[int, bool]], seed: int, capacity: int
) -> None:
    """Items that count more than one, such as metrics, are counted wrongly."""
    batcher: batch.Batcher[int] = batch.Batcher(
        "test",
        Moody(seed),
        Ledger(),
        Outage("test"),
        capacity=capacity,
        batch_size=16,
        delay=0.001,
        timeout=1,
        weigh=lambda weight: weight,
    )
    for weight, flush in steps:
        batcher.put(weight, weight)
        if flush:
            batcher.flush(time.monotonic() + 0.2)
        assert balance(batcher.ledger.snapshot())
    batcher.close(time.monotonic() + 0.2)
    figures = batcher.ledger.snapshot()
    assert balance(figures)
    assert figures["accepted"] == sum(weight for weight, _ in steps)
    assert figures["waiting"] == 0


def test_flush_answers_for_what_was_there_and_not_for_what_comes() -> None:
    """A flush under constant load never comes back."""

    class Slow(Moody):
        def send(self, items: list[Any], timeout: float) -> Outcome:
            time.sleep(0.02)
            return DELIVERED

    batcher = batcher_for(Slow(0), capacity=100_000)
    over = threading.Event()

    def emit() -> None:
        while not over.wait(0.001):
            batcher.put("more")

    thread = threading.Thread(target=emit)
    thread.start()
    began = time.monotonic()
    flushed = batcher.flush(began + 5)
    took = time.monotonic() - began
    over.set()
    thread.join()
    batcher.close(time.monotonic() + 5)
    assert flushed
    assert took < 1
