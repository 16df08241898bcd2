"""Figures of data held against their limits."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

import otel_kit
from otel_kit.context.tally import Tally
from otel_kit.errors import ArgumentError, CheckError
from otel_kit.testing import capture


@pytest.mark.parametrize(
    ("value", "limits", "outcome"),
    [
        (0.03, {"max": 0.02}, "fail"),
        (0.02, {"max": 0.02}, "pass"),
        (5, {"min": 6}, "fail"),
        (6, {"min": 6, "max": 7}, "pass"),
        (0.03, {"max": 0.05, "warn_max": 0.02}, "warn"),
        (3, {"min": 1, "warn_min": 5}, "warn"),
        (Decimal("0.5"), {"max": 1}, "pass"),
        (True, {}, "pass"),
        (False, {}, "fail"),
        (None, {"max": 1}, "fail"),
        (math.nan, {"max": 1}, "fail"),
        ("1", {"max": 1}, "fail"),
    ],
)
def test_a_value_is_held_against_its_limits(value: Any, limits: dict[str, float], outcome: str) -> None:
    """A value beyond a limit passes, or one within fails; or it depends on whether telemetry is on."""
    assert otel_kit.check("value", value, **limits).outcome == outcome
    with capture():
        assert otel_kit.check("value", value, **limits).outcome == outcome


def test_a_check_is_a_record_a_count_and_a_figure() -> None:
    """A check's record lacks name, value, limit, outcome or place, has another level, or no metric tells of it."""
    with capture() as captured:
        found = otel_kit.check("null rate", 0.03, max=0.02)
        [record] = captured.logs
        [count] = captured.metrics["otel_kit.checks"].data.data_points
        [value] = captured.metrics["otel_kit.check.value"].data.data_points
    assert not found
    assert (record.event_name, record.severity_text) == ("otel_kit.check", "ERROR")
    assert record.body == "null rate: 0.03 (max 0.02) fail"
    assert record.attributes["otel_kit.check.name"] == "null rate"
    assert record.attributes["otel_kit.check.value"] == 0.03
    assert record.attributes["code.file.path"] == __file__
    assert dict(count.attributes) == {"otel_kit.check.name": "null rate", "otel_kit.check.outcome": "fail"}
    assert (count.value, value.value) == (1, 0.03)


def test_who_asks_hears_of_it() -> None:
    """The work that is going on does not hear of a check, also while nothing is emitted."""

    class Notes(Tally):
        heard: list[Any] = []  # noqa: RUF012

        def hear(self, kind: str, facts: Any) -> None:
            self.heard.append((kind, facts))

    with Notes() as notes:
        otel_kit.check("null rate", 0.01, max=0.02)
    assert notes.heard == [("check", {"name": "null rate", "passed": True, "outcome": "pass", "value": 0.01})]


def test_a_failure_raises_on_request() -> None:
    """A failure that was to raise does not, or one that was not does, or a warning raises."""
    with pytest.raises(CheckError, match=r"null rate: 0\.03 \(max 0\.02\) fail"):
        otel_kit.check("null rate", 0.03, max=0.02, raises=True)
    otel_kit.check("null rate", 0.03, max=0.05, warn_max=0.02, raises=True)


def of_three(raises: bool) -> None:
    with otel_kit.checks("orders", raises=raises) as table:
        table.check("a", 1, max=0)
        table.check("b", 1, max=2)
        table.check("c", None, max=2)


def interrupted() -> None:
    with otel_kit.checks("orders", raises=True) as table:
        table.check("a", 1, max=0)
        raise ZeroDivisionError


def test_a_set_raises_on_request() -> None:
    """A set that was to raise does not name all that failed, or hides the error that ended its block."""
    of_three(raises=False)
    with pytest.raises(CheckError) as caught:
        of_three(raises=True)
    assert caught.value.sentences == ("a: 1 (max 0) fail", "c: None (max 2) fail")
    with pytest.raises(ZeroDivisionError):
        interrupted()


def test_wrong_arguments_are_named() -> None:
    """A limit that is no number, a check without one, or rows that are no table are taken in silence."""
    with pytest.raises(ArgumentError, match=r"check\(max\) is 'much'"):
        otel_kit.check("a", 1, max="much")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="a limit"):
        otel_kit.check("a", 1)
    with pytest.raises(ArgumentError, match="a list of dicts"):
        otel_kit.checks("orders", "text")
    with pytest.raises(ArgumentError, match="a table"):
        otel_kit.checks("orders").rows(min=1)
    with pytest.raises(ArgumentError, match="did you mean 'amount'"):
        otel_kit.checks("orders", [{"amount": 1}]).nulls("amuont")


NOW = datetime.now(UTC)
ROWS: list[dict[str, Any]] = [
    {"id": 1, "amount": 5.0, "email": "a", "at": NOW - timedelta(hours=5)},
    {"id": 2, "amount": -1.0, "email": None, "at": NOW - timedelta(hours=2)},
    {"id": 2, "amount": 500.0, "email": "c", "at": NOW - timedelta(hours=3)},
    {"id": 4, "amount": math.nan, "email": "d", "at": None},
]


def columns() -> dict[str, list[Any]]:
    return {name: [row[name] for row in ROWS] for name in ROWS[0]}


def pandas() -> Any:
    return pytest.importorskip("pandas", reason="pandas is not installed").DataFrame(ROWS)


def polars() -> Any:
    return pytest.importorskip("polars", reason="polars is not installed").DataFrame(ROWS)


def lazy() -> Any:
    return polars().lazy()


@pytest.mark.parametrize(
    "rows", [lambda: ROWS, columns, pandas, polars, lazy], ids=["rows", "columns", "pandas", "polars", "lazy"]
)
def test_a_table(rows: Callable[[], Any]) -> None:
    """A table's rows, missing values, duplicates, values out of range or age are not what they are."""
    with capture() as captured:
        with otel_kit.checks("orders", rows()) as table:
            assert table.rows(min=1, max=10).value == 4
            assert table.nulls("email", max=0.2).value == 0.25
            assert table.nulls("amount", max=0.5, warn_max=0.1).outcome == "warn"
            assert table.duplicates("id").value == 0.25
            assert table.duplicates().outcome == "pass"
            assert table.range("amount", min=0, max=100).value == 0.5
            assert table.range("amount", max=100, share=0.3).outcome == "pass"
            age = datetime.now(UTC) - (NOW - timedelta(hours=2))
            assert table.freshness("at", max=3600).value == pytest.approx(age.total_seconds(), abs=120)
        total = captured.logs[-1]
    assert table.counts() == {"pass": 3, "warn": 1, "fail": 4}
    assert (total.event_name, total.severity_text, total.body) == (
        "otel_kit.checks",
        "ERROR",
        "orders: 3 pass, 1 warn, 4 fail",
    )
    assert total.attributes["otel_kit.check.count.fail"] == 4
    assert "  nulls in email: 0.25 (max 0.2) fail" in table.summary().splitlines()
    assert len(captured_names(captured)) == 9


def captured_names(captured: Any) -> list[str]:
    return [record.event_name for record in captured.logs]


def test_an_empty_table() -> None:
    """A table without rows raises, or its age passes."""
    table = otel_kit.checks("orders", [])
    assert table.rows(min=1).outcome == "fail"
    assert table.nulls("email").outcome == "pass"
    assert table.freshness("at", max=10).outcome == "fail"
    assert table.summary().startswith("orders: 1 pass, 2 fail")


def test_nothing_is_emitted_while_the_part_is_off() -> None:
    """A check is told of although the part is off, or has another outcome then."""
    with capture(disabled_toolkit=["data"]) as captured:
        with otel_kit.checks("orders", ROWS) as table:
            assert table.rows(min=1)
        assert captured.logs == []


@pytest.mark.parametrize("library", ["rows", "pandas", "polars"])
def test_values_that_cannot_be_compared(library: str) -> None:
    """A check raises because of dirty data, or a value that cannot be compared counts as within the limits."""
    columns: dict[str, list[Any]] = {
        "price": [5, "n/a", Decimal("sNaN"), Decimal("3")],
        "word": ["a", "b", "c", "d"],
    }
    if library == "polars":
        del columns["price"]
    made: Any = columns if library == "rows" else pytest.importorskip(library).DataFrame(columns)
    with otel_kit.checks("import", made) as table:
        assert table.range("word", min=0, max=9).value == 1
        if "price" in columns:
            assert table.range("price", min=0, max=9).value == 0.5
            assert table.freshness("price", max=60).outcome == "fail"
    with otel_kit.checks("import", [{"n": Decimal("sNaN"), 7: []}, {"n": Decimal("sNaN"), 7: []}]) as table:
        assert table.duplicates().value == 0.5
        assert table.nulls("n").value == 0
