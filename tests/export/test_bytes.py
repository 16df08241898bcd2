"""Large items: the queue is bounded by their bytes, too."""

from __future__ import annotations

import pytest

import otel_kit
from otel_kit.export import batch
from tests.conftest import RunProgram
from tests.receiver import Receiver


@pytest.mark.parametrize("signal", ["traces", "logs"])
def test_large_items_do_not_exhaust_the_memory(run_program: RunProgram, signal: str) -> None:
    """Without a collector, 20,480 large items wait in each queue, whatever memory they hold."""
    done = run_program(
        """
        import sys, psutil, otel_kit
        telemetry = otel_kit.init_telemetry(
            "shop", endpoint="http://127.0.0.1:9", console="off", instrument=(), redact="off",
            metrics_exporter="none",
        )
        signal, large = sys.argv[1], 60_000
        log, before = telemetry.logger, psutil.Process().memory_info().rss
        for number in range(6_000):
            text = f"{number}" + "x" * large
            if signal == "logs":
                log.info("step", text=text)
            else:
                telemetry.tracer.start_span("step", attributes={"text": text, "number": number}).end()
        books = telemetry.stats()[signal]
        print((psutil.Process().memory_info().rss - before) >> 20, books["waiting"] * large >> 20, *books["dropped"])
        assert books["accepted"] == 6_000 == books["waiting"] + sum(books["dropped"].values())
        telemetry.shutdown(0)
        """,
        signal,
    )
    grown, waiting, *reasons = done.stdout.split()
    assert int(grown) < 300, (
        done.stderr
    )  # a third of it the request under way; all of them would be 430 and more
    assert 30 < int(waiting) < 140
    assert reasons == ["queue_bytes"]
    assert f"{signal} to http://127.0.0.1:9: the queue is full (64 MiB)" in done.stderr


def test_one_large_item_drops_no_other(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """An item that is guessed to stand for many others like it has the others dropped."""
    monkeypatch.setattr(
        batch.random, "getrandbits", lambda _: 0
    )  # each item is looked at, and counts sixteenfold
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint=receiver.http, console="off", instrument=(), redact="off", process_metrics=False
    )
    receiver.behave(status=503)
    for number in range(300):
        large = {f"key{n}": "x" * 60_000 for n in range(60)} if number == 50 else {}
        telemetry.tracer.start_span("step", attributes=large).end()
    for _ in range(5):
        telemetry.tracer.start_span("step", attributes={f"key{n}": "y" * 60_000 for n in range(60)}).end()
    receiver.behave()
    assert telemetry.force_flush(15)
    assert telemetry.stats()["traces"]["dropped"] == {}
    assert len(receiver.spans) == 305
