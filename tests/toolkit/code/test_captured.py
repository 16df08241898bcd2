"""``capture`` and ``exception_locals``: where the program stands, and where it stood when it failed."""

from __future__ import annotations

import json
from typing import Any

import pytest

import otel_kit
from otel_kit import semconv
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture as captured
from otel_kit.toolkit.code import capture


def total(prices: list[int], password: str) -> int:
    subtotal = sum(prices)
    capture("look", order_id=7)
    return subtotal


def test_where_the_program_stands_is_one_record() -> None:
    """Local variables, place, stack, process figures or attributes are missing, or a secret is told."""

    def caller() -> int:
        return total([1, 2], "hunter" + "2")

    with captured() as seen:
        with otel_kit.span("work"):
            assert caller() == 3
        (record,) = seen.logs
    assert (record.body, record.event_name) == ("look", semconv.EVENT_CODE_CAPTURED)
    assert record.attributes[semconv.CODE_LOCALS] == {
        f"{__name__}.total": {"prices": "[1, 2]", "password": "[redacted:password]", "subtotal": 3}
    }
    assert record.attributes["code.line.number"] == total.__code__.co_firstlineno + 2
    assert record.attributes["code.stacktrace"].rstrip().endswith('capture("look", order_id=7)')
    assert "caller" in record.attributes["code.stacktrace"]
    assert record.attributes["process.memory.usage"] > 1_000_000
    assert record.attributes["process.thread.count"] >= 1
    assert record.attributes["order_id"] == 7
    assert record.span_id


def test_frames_can_be_chosen() -> None:
    """The frames that were chosen, by number or by name, are not those that are told."""

    def inner(frames: Any) -> None:
        depth = 0
        capture(frames=frames)
        assert depth == 0

    def outer(frames: Any) -> None:
        name = "Ann"
        inner(frames)
        assert name

    def told(frames: Any) -> list[str]:
        with captured() as seen:
            outer(frames)
        return [name.rpartition(".")[2] for name in seen.logs[0].attributes[semconv.CODE_LOCALS]]

    assert told(0) == []
    assert told(2) == ["inner", "outer"]
    assert told("outer") == ["outer"]
    assert told((f"{__name__}.test_frames_can_be_chosen.<locals>.inner",)) == ["inner"]

    def down(n: int) -> None:
        if n:
            down(n - 1)
        else:
            capture(frames=3)

    with captured() as seen:
        down(3)
    found = seen.logs[0].attributes[semconv.CODE_LOCALS]
    assert [(name.rpartition(".")[2], values["n"]) for name, values in found.items()] == [
        ("down", 0),
        ("down#2", 1),
        ("down#3", 2),
    ]


def test_a_wrong_choice_is_named_and_off_is_off() -> None:
    """A wrong argument is taken silently, or something is recorded though the part is off."""
    for wrong in ((), -1, True, (1,)):
        with pytest.raises(ArgumentError, match=r"capture\(frames\)"):
            capture(frames=wrong)  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"capture\(note\)"):
        capture(3)  # type: ignore[arg-type]
    with captured(disabled_toolkit=("code",)) as seen:
        capture()
    assert seen.logs == []


class Lying:
    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(name)

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def charge(amount: int, api_key: str) -> None:
    card, odd = {"number": 4, "password": "hunter" + "2"}, Lying()
    loop: list[Any] = [odd, card]
    loop.append(loop)
    raise ValueError(f"declined {amount}")


def pay() -> None:
    order = 7
    charge(order, "hunter" + "2")


def test_exceptions_carry_local_variables_on_request() -> None:
    """An exception's record lacks the variables of its frames, tells a secret, or has them though nobody asked."""
    for wanted in (True, False):
        with captured(exception_locals=wanted) as seen:
            with pytest.raises(ValueError, match="declined"), otel_kit.span("pay"):
                pay()
            try:
                pay()
            except ValueError:
                otel_kit.get_logger("x").exception("failed")
            span, logged = seen.logs
        assert (semconv.CODE_LOCALS in span.attributes) is wanted
        assert (semconv.CODE_LOCALS in logged.attributes) is wanted
        assert "hunter2" not in repr(dict(span.attributes)) + repr(dict(logged.attributes))
        if wanted:
            found = span.attributes[semconv.CODE_LOCALS]
            assert list(found)[-2:] == [f"{__name__}.pay", f"{__name__}.charge"]
            assert found[f"{__name__}.pay"] == {"order": 7}
            variables = found[f"{__name__}.charge"]
            assert variables["amount"] == 7
            assert variables["odd"] == "<Lying: its text raised RuntimeError>"
            assert variables["api_key"].startswith("[redacted:")
            assert logged.attributes[semconv.CODE_LOCALS][f"{__name__}.pay"] == {"order": 7}


def test_an_exceptions_variables_are_told_once() -> None:
    """Who logs an exception again repeats the variables of its frames."""
    with captured(exception_locals=True) as seen:
        try:
            with otel_kit.span("pay"):
                pay()
        except ValueError:
            otel_kit.get_logger("x").exception("failed")
        assert [semconv.CODE_LOCALS in record.attributes for record in seen.logs] == [True, False]


def test_a_deep_or_circular_exception_is_bounded() -> None:
    """The variables of a thousand frames are told, or exceptions that cause each other never end."""

    def down(n: int) -> None:
        if not n:
            raise error
        down(n - 1)

    error, other = ValueError("x" * 10_000), ValueError("other")
    error.__cause__, other.__cause__ = other, error
    with captured(exception_locals=True) as seen:
        with pytest.raises(ValueError, match="x"), otel_kit.span("deep"):
            down(500)
        found = seen.logs[0].attributes[semconv.CODE_LOCALS]
    assert len(found) == 10
    assert len(json.dumps(found)) < 10 * 30 * 250


PROGRAM = """
import otel_kit
telemetry = otel_kit.init_telemetry("x", console="json")
total = 3
try:
    {}["card"]
except KeyError:
    otel_kit.get_logger("shop").exception("failed")
telemetry.shutdown()
"""


def test_the_variable_turns_it_on(run_program: Any) -> None:
    """``OTEL_KIT_EXCEPTION_LOCALS`` does nothing, or a module's imports are among its variables."""
    quiet = {f"OTEL_{signal}_EXPORTER": "none" for signal in ("TRACES", "METRICS", "LOGS")}
    done = run_program(PROGRAM, env={**quiet, "OTEL_KIT_EXCEPTION_LOCALS": "true"})
    record = next(json.loads(line) for line in done.stderr.splitlines() if line.startswith("{"))
    variables = record["attributes"][semconv.CODE_LOCALS]["__main__.<module>"]
    assert variables["total"] == 3
    assert "otel_kit" not in variables
