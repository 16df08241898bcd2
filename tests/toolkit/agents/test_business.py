"""Events of the business."""

from __future__ import annotations

from typing import Any

import pytest

import otel_kit
from otel_kit.errors import ArgumentError, OtelKitError
from otel_kit.testing import capture
from otel_kit.toolkit.agents.business import BusinessEvent, event_name

SCHEMA = {"order paid": ["product", "user"], "shop opened": None, "shop closed": []}


@pytest.fixture
def happened() -> BusinessEvent:
    """Events of their own for each test."""
    return BusinessEvent()


def test_an_event_is_a_record_and_is_counted(happened: BusinessEvent) -> None:
    """An event has no record with its name, value, facts and place, or is not counted."""
    with capture() as seen:
        happened("routine generated", value=12.5, language="python")
        happened("routine generated", value=-2)
        happened("routine generated")
        first = seen.logs[0]
        (count,) = seen.metrics["otel_kit.business.events"].data.data_points
        (values,) = seen.metrics["otel_kit.business.value"].data.data_points
    assert (first.body, first.event_name) == ("routine generated", "otel_kit.business.routine_generated")
    assert first.attributes["otel_kit.business.event"] == "routine generated"
    assert (first.attributes["otel_kit.business.value"], first.attributes["language"]) == (12.5, "python")
    assert first.attributes["code.function.name"].endswith("test_an_event_is_a_record_and_is_counted")
    assert first.scope == __name__
    assert (count.value, dict(count.attributes)) == (3, {"otel_kit.business.event": "routine generated"})
    assert values.value == 10.5


@pytest.mark.parametrize("on", [True, False])
def test_a_schema_refuses_what_is_misspelt(happened: BusinessEvent, on: bool) -> None:
    """A misspelt event or fact is taken, or is refused only where telemetry is on."""
    happened.schema(SCHEMA)
    with capture(disabled_toolkit=[] if on else ["agents"]) as seen:
        with pytest.raises(ArgumentError, match="did you mean 'order paid'"):
            happened("order payed", product="tea")
        with pytest.raises(OtelKitError, match="did you mean 'product'"):
            happened("order paid", produkt="tea")
        with pytest.raises(ArgumentError, match="no facts at all"):
            happened("shop closed", why="night")
        happened("order paid", product="tea")
        happened("shop opened", anything="goes")
        assert len(seen.logs) == (2 if on else 0)


@pytest.mark.parametrize("value", ["12", "x", None, True, object(), float("nan")])
def test_a_value_is_a_number(happened: BusinessEvent, value: Any) -> None:
    """A value that is no number is counted."""
    if value is None:
        happened("order paid", value=value)
        return
    with pytest.raises(ArgumentError, match="value"):
        happened("order paid", value=value)


def test_names_without_end_are_bounded(happened: BusinessEvent) -> None:
    """A program that makes up names grows the metric without end."""
    with capture() as seen:
        for number in range(1500):
            happened(f"event {number}")
        points = seen.metrics["otel_kit.business.events"].data.data_points
        logs = len(seen.logs)
    names = {str(p.attributes["otel_kit.business.event"]): p.value for p in points}
    assert (len(names), names["(others)"], logs) == (1001, 500, 1500)


def test_event_names_are_plain() -> None:
    """An event's name has characters that a query trips over."""
    assert event_name("Größe geändert! (v2)") == "otel_kit.business.gr_e_ge_ndert_v2"
    assert event_name("¿?") == "otel_kit.business.event"


def test_it_is_at_the_front_door() -> None:
    """``otel_kit.business_event`` is not what tells of events."""
    assert isinstance(otel_kit.business_event, BusinessEvent)
    with pytest.raises(ArgumentError, match="a list of names"):
        BusinessEvent().schema({"a": "product"})
