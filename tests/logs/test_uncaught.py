"""Warnings and uncaught exceptions: one record each, on request, and the hooks from before still called."""

from __future__ import annotations

import asyncio
import gc
import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import pytest

from otel_kit import semconv
from otel_kit.signals.logs import activate, already_shown, install_bridges, remove_bridges


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What hooks of the program, set before ours, were given."""
    seen: list[str] = []
    monkeypatch.setattr(sys, "excepthook", lambda kind, error, tb: seen.append(f"main {error}"))
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(f"thread {args.exc_value}"))
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        monkeypatch.setattr(warnings, "showwarning", lambda message, *_, **__: seen.append(f"warn {message}"))
        yield seen
        remove_bridges()


@pytest.fixture
def on(pipeline: Any, shown: list[str]) -> Any:
    activate(console=False)
    install_bridges(warnings=True, uncaught_exceptions=True)
    return pipeline


def raises() -> None:
    raise ValueError("nobody catches me")


def test_a_warning_is_a_record(on: Any, shown: list[str]) -> None:
    """A warning is no record, lacks its category or place, or is no longer shown as the program shows it."""
    warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert (on.one.logger, on.one.severity, on.one.body) == ("py.warnings", "WARN", "old")
    assert on.one.attributes == {semconv.WARNING_CATEGORY: "DeprecationWarning"}
    assert on.one_raw.attributes[semconv.CODE_FILE_PATH] == __file__
    assert shown == ["warn old"]


def test_warnings_that_logging_captures_arrive_once(pipeline: Any, shown: list[str]) -> None:
    """With ``logging.captureWarnings``, before or after ours, a warning is two records or none."""
    logging.captureWarnings(True)
    try:
        activate(console=False)
        install_bridges(warnings=True)
        warnings.warn("before", stacklevel=1)
        remove_bridges()
        logging.captureWarnings(False)
        install_bridges(warnings=True)
        logging.captureWarnings(True)
        warnings.warn("after", stacklevel=1)
    finally:
        logging.captureWarnings(False)
    assert [r.logger for r in pipeline.all] == ["py.warnings"] * 2
    assert pipeline.all[0].body == "before"
    assert "after" in pipeline.all[1].body


def test_an_uncaught_exception_of_the_program(on: Any, shown: list[str]) -> None:
    """An exception that ends the program is no record, or its traceback is no longer printed."""
    try:
        raises()
    except ValueError as error:
        sys.excepthook(type(error), error, error.__traceback__)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    record = on.one_raw
    assert (record.severity_text, record.event_name) == ("FATAL", "exception")
    assert record.body == "uncaught exception in the program: ValueError: nobody catches me"
    assert "in raises" in record.attributes[semconv.EXCEPTION_STACKTRACE]
    assert already_shown(record.context)
    assert shown == ["main nobody catches me", "main "]


def test_an_uncaught_exception_of_a_thread(on: Any, shown: list[str]) -> None:
    """An exception that ends a thread is no record, or the hook from before is not called."""
    thread = threading.Thread(target=raises, name="worker")
    thread.start()
    thread.join()
    silent = threading.Thread(target=sys.exit)
    silent.start()
    silent.join()
    assert (on.one.severity, on.one.body) == (
        "ERROR",
        "uncaught exception in thread worker: ValueError: nobody catches me",
    )
    assert on.one.attributes[semconv.THREAD_NAME] == "worker"
    assert shown == ["thread nobody catches me", "thread "]


@pytest.mark.parametrize("handler", ["default", "own"])
def test_an_uncaught_exception_of_a_task(on: Any, handler: str) -> None:
    """A task's exception that nobody asks for is no record or two, or the program's own handler is not called."""
    called: list[str] = []

    async def main() -> None:
        if handler == "own":
            asyncio.get_running_loop().set_exception_handler(lambda loop, c: called.append(c["message"]))

        async def fails() -> None:
            raises()

        task = asyncio.create_task(fails())
        await asyncio.sleep(0)
        del task
        gc.collect()

    asyncio.run(main())
    assert (on.one.logger, on.one.severity) == ("asyncio", "ERROR")
    assert on.one.body == "Task exception was never retrieved"
    assert "in raises" in on.one.attributes[semconv.EXCEPTION_STACKTRACE]
    assert called == (["Task exception was never retrieved"] if handler == "own" else [])


def test_nothing_is_captured_unless_asked_for(records: Any, shown: list[str]) -> None:
    """Warnings or uncaught exceptions become records although nobody asked for it."""
    warnings.warn("old", stacklevel=1)
    sys.excepthook(ValueError, ValueError("x"), None)
    assert (shown, records.all) == (["warn old", "main x"], [])


def test_removal_restores_the_hooks(pipeline: Any, shown: list[str]) -> None:
    """After our removal a hook of ours is left, or one that the program set later is gone."""
    before = (
        sys.excepthook,
        threading.excepthook,
        warnings.showwarning,
        asyncio.BaseEventLoop.call_exception_handler,
    )
    activate(console=False)
    install_bridges(warnings=True, uncaught_exceptions=True)
    install_bridges(warnings=True, uncaught_exceptions=True)
    remove_bridges()
    assert before == (
        sys.excepthook,
        threading.excepthook,
        warnings.showwarning,
        asyncio.BaseEventLoop.call_exception_handler,
    )
    install_bridges(warnings=True, uncaught_exceptions=True)
    ours = sys.excepthook

    def theirs(*args: Any) -> None:
        ours(*args)

    sys.excepthook = theirs
    remove_bridges()
    assert sys.excepthook is theirs
    sys.excepthook(ValueError, ValueError("x"), None)
    install_bridges(uncaught_exceptions=True)
    sys.excepthook(ValueError, ValueError("y"), None)
    assert shown == ["main x", "main y"]
    assert [r.attributes[semconv.EXCEPTION_MESSAGE] for r in pipeline.all] == ["y"]


def test_warnings_that_cannot_speak(on: Any) -> None:
    """A warning whose ``__str__`` raises costs its record."""

    class Mute(UserWarning):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    with pytest.raises(RuntimeError, match="no text"):
        # The program's own hook formats it and raises; ours has made its record by then.
        warnings.showwarning(Mute(), Mute, "f", 1)
    assert on.one.body == "<Mute: its text raised RuntimeError>"
