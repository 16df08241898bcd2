"""Workflows: states, transitions, outcomes, and how one goes on elsewhere."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest

import otel_kit
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured

workflow = otel_kit.workflow
GRAPH = {"started": ["paid", "cancelled"], "paid": ["shipped"]}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    now = [1_000_000.0]
    monkeypatch.setattr(import_module("otel_kit.toolkit.agents.workflows"), "_time", lambda: now[0])
    return now


def told(seen: Captured) -> list[tuple[str, str, dict[str, Any]]]:
    prefix = "otel_kit.workflow."
    return [
        (
            log.event_name.removeprefix(prefix),
            log.severity_text,
            {k.removeprefix(prefix): v for k, v in log.attributes.items() if k.startswith(prefix)},
        )
        for log in seen.logs
        if log.event_name.startswith(prefix)
    ]


def active(seen: Captured) -> dict[str, int]:
    points = seen.metrics["otel_kit.workflow.active"].data.data_points
    return {str(p.attributes["otel_kit.workflow.state"]): p.value for p in points if p.value}


def test_a_workflow_tells_of_start_changes_and_end(clock: list[float]) -> None:
    """The start, a change of state with the time in the one before, or the end is missing or wrong."""
    with capture() as seen:
        with workflow("order", id=7311) as w:
            clock[0] += 2
            w.to("paid", method="card")
            clock[0] += 3
            otel_kit.get_logger("shop").info("packing")
        about = {"name": "order", "id": "7311"}
        assert told(seen) == [
            ("started", "INFO", {**about, "state": "started"}),
            ("moved", "INFO", {**about, "state": "paid", "previous_state": "started", "state_duration": 2.0}),
            (
                "ended",
                "INFO",
                {**about, "state": "paid", "outcome": "completed", "duration": 5.0, "state_duration": 3.0},
            ),
        ]
        moved = next(log for log in seen.logs if log.event_name.endswith("moved"))
        packing = next(log for log in seen.logs if log.body == "packing")
        span = seen.span("workflow order")
    assert moved.attributes["method"] == "card"
    assert moved.attributes["code.function.name"].endswith("test_a_workflow_tells_of_start_changes_and_end")
    assert packing.attributes["otel_kit.workflow.id"] == "7311"
    assert (span.attributes or {})["otel_kit.workflow.outcome"] == "completed"


def failing(look: Callable[[], dict[str, int]]) -> None:
    with workflow("order", id=3):
        assert look() == {"started": 2, "paid": 1}
        raise RuntimeError


def test_the_active_ones_are_counted_by_state() -> None:
    """The number of workflows in a state is wrong while they are under way, or not zero after the end."""
    with capture() as seen:
        with workflow("order", id=1) as first, workflow("order", id=2):
            first.to("paid")
            assert active(seen) == {"started": 1, "paid": 1}
            with pytest.raises(RuntimeError):
                failing(lambda: active(seen))
        assert active(seen) == {}
        durations = seen.metrics["otel_kit.workflow.duration"].data.data_points
    by_outcome = {p.attributes["otel_kit.workflow.outcome"]: p.count for p in durations}
    assert by_outcome == {"completed": 2, "failed": 1}


def test_an_undeclared_change_is_flagged_and_happens() -> None:
    """A change that the graph does not have goes unnoticed, is refused, or a declared one is flagged."""
    with capture() as seen:
        with workflow("order", id=1, graph=GRAPH) as w:
            w.to("paid")
            w.to("cancelled")
            assert w.state == "cancelled"
        flags = [(level, facts.get("undeclared")) for name, level, facts in told(seen) if name == "moved"]
        bodies = [str(log.body) for log in seen.logs if log.event_name.endswith("moved")]
        (point,) = seen.metrics["otel_kit.workflow.undeclared_transitions"].data.data_points
    assert flags == [("INFO", None), ("WARN", True)]
    assert bodies[1].endswith("which its graph does not have: after paid comes shipped")
    assert point.value == 1


def test_the_outcome_is_what_the_program_says() -> None:
    """An outcome of the program's own is replaced, told twice, or a change after the end counts."""
    with capture() as seen:
        with workflow("order", id=1) as w:
            w.end("cancelled", reason="no stock")
            w.to("paid")
            w.end()
        assert [(name, facts.get("outcome")) for name, _, facts in told(seen)] == [
            ("started", None),
            ("ended", "cancelled"),
        ]


def test_a_failed_workflow_says_so() -> None:
    """An exception that leaves is swallowed, or the workflow counts as completed."""
    with capture() as seen:
        with pytest.raises(KeyError), workflow("order", id=1):
            raise KeyError("x")
        ended = next(log for log in seen.logs if log.event_name.endswith("ended"))
    assert (ended.attributes["otel_kit.workflow.outcome"], ended.attributes["error.type"]) == (
        "failed",
        "KeyError",
    )
    assert ended.severity_text == "ERROR"


def test_it_goes_on_elsewhere(clock: list[float]) -> None:
    """What goes on elsewhere starts anew, forgets its state or times, has no link, or ends twice."""
    with capture() as seen:
        with workflow("order", id=7, graph=GRAPH) as w:
            w.to("paid")
            clock[0] += 60
            carrier = json.dumps(w.hand_on())
        assert active(seen) == {"paid": 1}
        with workflow("order", id=7, graph=GRAPH, carrier=carrier) as w:
            assert w.state == "paid"
            clock[0] += 5
            w.to("shipped")
        assert active(seen) == {}
        names = [name for name, _, _ in told(seen)]
        last = told(seen)[-1][2]
        first, second = (span for span in seen.spans if span.name == "workflow order")
    assert names == ["started", "moved", "handed_on", "continued", "moved", "ended"]
    assert last["duration"] == 65.0
    assert [link.context.span_id for link in second.links] == [first.context.span_id]
    assert second.context.trace_id != first.context.trace_id


def test_it_goes_on_in_another_process(run_program: Any) -> None:
    """Another process cannot take up what this one handed on."""
    with capture() as seen, workflow("order", id=7) as w:
        w.to("paid")
        carrier = w.hand_on()
        span_id = seen.spans or w._span.get_span_context().span_id  # type: ignore[union-attr]
    done = run_program(
        """
        import json, sys
        from otel_kit import workflow
        from otel_kit.testing import capture
        with capture() as seen:
            with workflow("order", id=7, carrier=sys.argv[1]) as w:
                w.to("shipped")
            moved = [l for l in seen.logs if l.event_name.endswith("moved")][0]
            print(json.dumps([moved.attributes["otel_kit.workflow.previous_state"],
                              seen.span("workflow order").links[0].context.span_id]))
        """,
        json.dumps(carrier),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == ["paid", span_id]


def test_it_works_in_coroutines() -> None:
    """Concurrent workflows share their ids."""

    async def one(number: int) -> str:
        async with workflow("order", id=number) as w:
            await asyncio.sleep(0)
            w.to("paid")
            return str(otel_kit.current_context()["workflow_id"])

    async def program() -> list[str]:
        return await asyncio.gather(*(one(number) for number in range(20)))

    with capture() as seen:
        assert asyncio.run(program()) == [str(number) for number in range(20)]
        assert active(seen) == {}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"name": "", "id": 1}, "workflow\\(name\\)"),
        ({"name": "order", "id": None}, "workflow\\(id\\)"),
        ({"name": "order", "id": 1, "carrier": "no json"}, "hand_on"),
        ({"name": "order", "id": 1, "carrier": {"name": "order", "id": "2"}}, "one of order 1"),
    ],
)
def test_wrong_arguments_are_named(arguments: dict[str, Any], message: str) -> None:
    """A wrong argument is taken, or the error does not say which it is."""
    with pytest.raises(ArgumentError, match=message):
        workflow(arguments.pop("name"), **arguments)


def test_a_spoilt_carrier_does_not_stop_it() -> None:
    """A carrier with nonsense in it raises where the workflow goes on."""
    spoilt = {"name": "order", "id": "1", "state": "paid", "since": "nan", "began": "x", "traceparent": "zz"}
    with capture() as seen:
        with workflow("order", id=1, carrier=spoilt) as w:
            assert w.state == "paid"
        assert [name for name, _, _ in told(seen)] == ["continued", "ended"]


def test_nothing_is_told_while_the_part_is_off() -> None:
    """With the part off something is emitted, or the state is not known."""
    with capture(disabled_toolkit=["agents"]) as seen:
        with workflow("order", id=1) as w:
            w.to("paid")
            w.end()
        assert w.hand_on()["state"] == "paid"
        assert (seen.spans, told(seen)) == ([], [])


def test_id_without_text() -> None:
    """An id that cannot be written raises."""
    with otel_kit.workflow("order", id=10**5000) as order:
        assert "ValueError" in order.id
