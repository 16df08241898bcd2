"""What is said about an exception beside its traceback, by whoever registered for it."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping

import pytest
from opentelemetry.trace import SpanContext

import otel_kit
from otel_kit import _guard
from otel_kit.context import described, tally
from otel_kit.testing import capture

told: list[tuple[BaseException, int]] = []


def _tell(exception: BaseException, description: Mapping[str, object], context: SpanContext) -> None:
    told.append((exception, context.trace_id))


@pytest.fixture(autouse=True)
def describer() -> Iterator[None]:
    before = vars(described._describer).copy()
    told.clear()
    described.describe_with(lambda error: {"shop.kind": type(error).__name__}, _tell)
    yield
    described.describe_with(before.get("describe"), before.get("told"), before.get("brief"))


def test_each_record_and_span_of_an_exception_is_described() -> None:
    """A span that an exception leaves, or a record of it, lacks the description; or it is counted more than once."""
    log = otel_kit.get_logger("shop")
    with capture() as captured, tally.Tally() as counted:
        with contextlib.suppress(KeyError), otel_kit.span("outer"), otel_kit.span("inner"):
            try:
                {}["card"]
            except KeyError:
                log.exception("no such card")
                raise
        spans, logs = captured.spans, captured.logs
    kinds = [dict(item.attributes or {})["shop.kind"] for item in [*spans, *logs]]
    assert kinds == ["KeyError"] * 3
    assert len(told) == counted.counts["exception"] == 1
    assert told[0][1] == spans[0].context.trace_id


def test_an_exception_told_in_two_traces_counts_in_each() -> None:
    """One exception object that is raised in two requests counts once only."""
    error = ValueError("shared")
    with capture(), tally.Tally() as counted:
        for _ in range(2):
            with pytest.raises(ValueError, match="shared"), otel_kit.span("request"):
                raise error
    assert counted.counts["exception"] == 2


def test_what_is_recorded_by_hand_is_described_in_its_event() -> None:
    """An exception recorded by hand has no description in its event, or gives it to the whole span."""
    with capture() as captured:
        with otel_kit.span("request") as span:
            span.record_exception(ValueError("x"), {"shop.kind": "mine"})
            span.record_exception(KeyError("x"))
        (found,) = captured.spans
    assert [dict(event.attributes or {})["shop.kind"] for event in found.events] == ["mine", "KeyError"]
    assert "shop.kind" not in (found.attributes or {})


def test_an_exception_that_cannot_speak_is_described() -> None:
    """The record of an exception whose text raises lacks the description."""

    class Mute(Exception):
        def __str__(self) -> str:
            raise RuntimeError

    with capture() as captured:
        try:
            raise Mute
        except Mute:
            otel_kit.get_logger("shop").exception("failed")
        (record,) = captured.logs
    assert record.attributes["shop.kind"] == "Mute"


def test_a_describer_that_fails_costs_the_description_only() -> None:
    """An error of the describer reaches the program, is not counted, or costs the record."""

    def describe(error: BaseException) -> Mapping[str, str]:
        raise ZeroDivisionError

    described.describe_with(describe)
    _guard.reset()
    with capture() as captured:
        with pytest.raises(ValueError, match="x"), otel_kit.span("request"):
            raise ValueError("x")
        assert len(captured.logs) == len(captured.spans) == 1
    assert _guard.contained_counts()["describing an exception"] >= 1
