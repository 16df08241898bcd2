"""More at once than the delivering thread can keep up with."""

from __future__ import annotations

import pytest

import otel_kit
from tests.conftest import RunProgram
from tests.receiver import Receiver

PROGRAM = """
    import logging, sys
    import otel_kit
    signal, count, endpoint = sys.argv[1:]
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint=endpoint, console="off", instrument=(), process_metrics=False, metrics_exporter="none"
    )
    log = logging.getLogger("shop")
    for number in range(int(count)):
        if signal == "logs":
            log.info("step %d", number)
        else:
            telemetry.tracer.start_span("step").end()
    telemetry.force_flush(20)
    print(telemetry.stats()[signal]["delivered"], telemetry.stats()[signal]["dropped"])
"""


@pytest.mark.parametrize(("signal", "count"), [("traces", 5_000), ("traces", 30_000), ("logs", 5_000)])
def test_a_burst_is_delivered_whole(
    run_program: RunProgram, receiver: Receiver, signal: str, count: int
) -> None:
    """A tight loop loses items although the collector takes all that it is sent."""
    done = run_program(PROGRAM, signal, str(count), receiver.http, timeout=60)
    assert done.stdout == f"{count} {{}}\n", done.stderr
    assert done.stderr == ""


def test_a_loss_is_told_as_it_begins(receiver: Receiver, capfd: pytest.CaptureFixture[str]) -> None:
    """The program learns of a full queue at its end only, for each item, or not what helps."""
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint=receiver.http, console="off", instrument=(), traces_queue_size=100
    )
    receiver.stop()
    for _ in range(300):
        telemetry.tracer.start_span("step").end()
    lines = [line for line in capfd.readouterr().err.splitlines() if "full" in line]
    assert lines == [
        f"otel_kit: traces to {receiver.http}: the queue is full (100), and the oldest are dropped; "
        "OTEL_BSP_MAX_QUEUE_SIZE gives it more room"
    ]


def test_what_waits_stays_small(run_program: RunProgram) -> None:
    """Without a collector the queue grows beyond 60 MB."""
    program = """
    import otel_kit, psutil
    telemetry = otel_kit.init_telemetry("shop", endpoint="http://127.0.0.1:9", console="off", instrument=(),
                                        process_metrics=False, metrics_exporter="none")
    before = psutil.Process().memory_info().rss
    for number in range(60_000):
        telemetry.tracer.start_span("step", attributes={"number": number, "customer": "c" * 20}).end()
    print((psutil.Process().memory_info().rss - before) >> 20)
    telemetry.shutdown(0)
    """
    done = run_program(program)
    assert int(done.stdout) < 60, done.stderr
