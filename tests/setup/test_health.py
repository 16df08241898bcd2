"""The books as metrics."""

from __future__ import annotations

from typing import Any

import otel_kit
from tests.conftest import RunProgram
from tests.receiver import Receiver, attributes


def points(receiver: Receiver, name: str) -> dict[str, Any]:
    return {
        attributes(point).get("error.type", ""): point.as_int
        for point in receiver.metrics[name].sum.data_points
    }


def test_what_was_delivered_and_lost_can_be_seen_in_the_metrics(receiver: Receiver) -> None:
    """An operator's dashboard does not show that spans were lost."""
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint=receiver.http, console="off", traces_queue_size=10, traces_batch_size=10
    )
    telemetry.tracer.start_span("fine").end()
    assert telemetry.force_flush(5)
    receiver.behave(status=400)
    for _ in range(3):
        telemetry.tracer.start_span("refused").end()
    telemetry.force_flush(5)
    receiver.behave()
    assert telemetry.force_flush(5)

    assert points(receiver, "otel.sdk.exporter.span.exported") == {"": 1, "rejected": 3}
    assert points(receiver, "otel.sdk.processor.span.queue.size") == {"": 0}
    assert points(receiver, "otel.sdk.exporter.log.exported") == {"": 0}


def test_it_is_off_with_the_process_metrics(receiver: Receiver, run_program: RunProgram) -> None:
    """A program that wants no metrics of its process gets those of its telemetry."""
    done = run_program(
        """
        import otel_kit
        telemetry = otel_kit.init_telemetry("shop", console="off", process_metrics=False)
        telemetry.tracer.start_span("fine").end()
        assert telemetry.shutdown(5)
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert done.returncode == 0, done.stderr
    assert not receiver.metrics
