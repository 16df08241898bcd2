"""Callbacks and tasks that hold the event loop up."""

from __future__ import annotations

import asyncio
import functools
import gc
import importlib
import sys
import time
import types
from collections.abc import Iterator
from pathlib import Path

import pytest

import otel_kit
from otel_kit.instrument import _loop
from otel_kit.instrument import asyncio as asyncio_file
from otel_kit.testing.capture import Captured, capture

PAUSE = 0.12


@pytest.fixture
def seen() -> Iterator[Captured]:
    with capture() as captured:
        asyncio_file.instrument()
        asyncio_file.instrument()
        yield captured
        asyncio_file.undo()
        asyncio_file.undo()
        _loop.use(_loop.SECONDS)


async def careless() -> None:
    await asyncio.sleep(0)
    time.sleep(PAUSE)
    await asyncio.sleep(0)


async def outer() -> None:
    with otel_kit.get_tracer(__name__).start_as_current_span("request"):
        await careless()


def test_a_task_that_blocks_is_one_record_at_its_place(seen: Captured) -> None:
    """A step of a task that blocks the loop is not told, told twice, or without place, duration and its span."""
    asyncio.run(outer())
    (log,) = seen.logs
    assert (log.event_name, log.severity_text) == ("otel_kit.asyncio.blocked", "WARN")
    assert log.attributes["code.function.name"].endswith("careless")
    assert log.attributes["code.file.path"] == __file__
    first = careless.__code__.co_firstlineno
    assert first <= log.attributes["code.line.number"] <= first + 3
    assert PAUSE <= log.attributes["otel_kit.asyncio.duration"] < 5
    assert log.span_id == seen.span("request").context.span_id


def test_a_task_s_last_step_has_a_place_too(seen: Captured) -> None:
    """A task that blocks and ends has no place."""

    async def last() -> None:
        time.sleep(PAUSE)

    asyncio.run(last())
    (log,) = seen.logs
    assert log.attributes["code.function.name"].endswith("last")
    assert log.attributes["code.line.number"] == last.__code__.co_firstlineno


@pytest.mark.parametrize("wrap", [False, True])
def test_a_callback_that_blocks_is_told(seen: Captured, wrap: bool) -> None:
    """A function that was handed to call_soon or call_later blocks the loop, and nobody says so."""

    def slow(seconds: float = PAUSE) -> None:
        time.sleep(seconds)

    async def work() -> None:
        callback = functools.partial(slow, PAUSE) if wrap else slow
        asyncio.get_running_loop().call_later(0, callback)
        await asyncio.sleep(0.01)

    asyncio.run(work())
    (log,) = seen.logs
    assert log.attributes["code.function.name"].endswith("slow")
    assert log.attributes["code.file.path"] == __file__


def test_waiting_is_not_blocking(seen: Captured) -> None:
    """A task that waits, as it should, is told as one that blocks."""
    asyncio.run(asyncio.sleep(PAUSE))
    assert seen.logs == []


def test_the_threshold_can_be_chosen(seen: Captured) -> None:
    """The threshold is fixed, or 0 does not switch off."""
    _loop.use(0.01)
    asyncio.run(outer())
    _loop.use(0)
    asyncio.run(outer())
    assert len(seen.logs) == 1


@pytest.mark.parametrize(("modules", "severity"), [(20, "DEBUG"), (2, "WARN")])
def test_what_imports_explain_is_no_warning(
    seen: Captured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, modules: int, severity: str
) -> None:
    """A server that imports its application in the loop is warned at each start, or a step that blocks is hidden by an import."""
    otel_kit.set_level("debug")
    monkeypatch.syspath_prepend(tmp_path)
    for number in range(modules):
        (tmp_path / f"lazy_{modules}_{number}.py").write_text(f"import time; time.sleep({0.2 / modules})")

    async def start() -> None:
        for number in range(modules):
            importlib.import_module(f"lazy_{modules}_{number}")

    asyncio.run(start())
    (log,) = [log for log in seen.logs if log.event_name]
    assert (log.severity_text, log.attributes["otel_kit.asyncio.imported_modules"]) == (severity, modules)
    assert f"while {modules} modules were imported" in log.body
    otel_kit.set_level("info")
    asyncio.run(outer())
    assert [log.severity_text for log in seen.logs if log.event_name] == [severity, "WARN"]


def test_what_the_export_imports_explains_nothing(seen: Captured) -> None:
    """A task that blocks while otel_kit imports what it exports with is passed over."""

    async def block() -> None:
        for number in range(30):
            sys.modules[f"opentelemetry.proto.made_up_{number}"] = types.ModuleType("made_up")
        time.sleep(PAUSE)

    asyncio.run(block())
    for number in range(30):
        del sys.modules[f"opentelemetry.proto.made_up_{number}"]
    assert [log.severity_text for log in seen.logs] == ["WARN"]


def test_the_level_holds(seen: Captured) -> None:
    """A program that wants errors only of this is warned nevertheless."""
    otel_kit.set_level("info,otel_kit.asyncio=error")
    asyncio.run(outer())
    otel_kit.set_level("info")
    assert seen.logs == []


def test_off_is_off(seen: Captured) -> None:
    """Something is emitted after undo."""
    asyncio_file.undo()
    asyncio.run(outer())
    assert seen.logs == []


def test_an_exception_of_a_callback_goes_where_it_always_went(seen: Captured) -> None:
    """The loop's exception handler no longer hears of an exception of a callback."""
    heard = []

    async def work() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, what: heard.append(what["exception"]))
        loop.call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    asyncio.run(work())
    assert [type(error) for error in heard] == [ZeroDivisionError]


def test_a_task_that_failed_unseen_is_told_at_once(seen: Captured) -> None:
    """What a task raised and nobody asked for is told at the next garbage collection, or when the program ends."""
    heard = []

    def fail() -> None:
        raise ValueError("v")

    async def task() -> None:
        fail()

    async def work() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, what: heard.append(what["message"]))
        asyncio.create_task(task())  # noqa: RUF006
        await asyncio.sleep(0.01)
        assert heard == ["Task exception was never retrieved"]

    gc.disable()
    try:
        asyncio.run(work())
    finally:
        gc.enable()
