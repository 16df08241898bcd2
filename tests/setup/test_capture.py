"""What users' tests see of the three signals."""

from __future__ import annotations

import logging

import pytest

import otel_kit
from otel_kit.testing import capture
from tests.receiver import Receiver


def test_everything_of_a_block_is_there_at_once() -> None:
    """A signal of the block is missing, or only arrives later."""
    with capture() as captured:
        counter = otel_kit.get_meter("m").create_counter("orders")
        with otel_kit.get_tracer("t").start_as_current_span("charge card"):
            otel_kit.get_logger("l").info("card charged", amount=12.5)
            logging.getLogger("stdlib").warning("slow")
        counter.add(2, {"method": "card"})

        span = captured.span("charge card")
        assert [log.body for log in captured.logs] == ["card charged", "slow"]
        assert captured.logs[0].attributes["amount"] == 12.5
        assert captured.logs[0].span_id == span.context.span_id
        assert captured.metrics["orders"].data.data_points[0].value == 2


def test_a_missing_span_is_told_with_those_that_there_are() -> None:
    """A failed look does not say what there was instead."""
    with capture() as captured:
        otel_kit.get_tracer("t").start_span("refund").end()
        with pytest.raises(LookupError, match="0 spans are named 'charge'; there are: refund"):
            captured.span("charge")


def test_two_blocks_share_nothing() -> None:
    """A block sees what another one emitted, or counts its metrics again."""
    for _ in range(2):
        with capture() as captured:
            otel_kit.get_tracer("t").start_span("only one").end()
            otel_kit.get_meter("m").create_counter("hits").add(1)
            assert len(captured.spans) == 1
            assert captured.metrics["hits"].data.data_points[0].value == 1


def test_the_telemetry_from_before_goes_on_after_the_block(receiver: Receiver) -> None:
    """The program's own telemetry gets the block's items, or gets nothing any more."""
    telemetry = otel_kit.init_telemetry("shop", endpoint=receiver.http)
    with capture():
        telemetry.tracer.start_span("captured").end()
    telemetry.tracer.start_span("sent").end()

    assert telemetry.shutdown(5)
    assert [span.name for span in receiver.spans] == ["sent"]


def test_an_exception_is_one_log_record() -> None:
    """An exception that leaves two nested spans and is logged is told twice, or not at all."""
    with capture() as captured:
        tracer, log = otel_kit.get_tracer("t"), otel_kit.get_logger("l")
        span = tracer.start_as_current_span
        with pytest.raises(ValueError, match="no"), span("outer"), span("inner"):
            raise ValueError("no")
        try:
            raise KeyError("x")
        except KeyError:
            log.exception("lost")
        bodies = [log.body for log in captured.logs]
        assert bodies == ["ValueError: no", "lost"]


def test_exception_records_can_be_turned_off() -> None:
    """The setting exception_logs does nothing."""
    with capture(exception_logs=False) as captured:
        with pytest.raises(ValueError, match="no"), otel_kit.get_tracer("t").start_as_current_span("outer"):
            raise ValueError("no")
        assert captured.logs == []
