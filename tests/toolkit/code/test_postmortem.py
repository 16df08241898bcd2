"""``debug_on_error``: the debugger opens in development on a terminal, and nowhere else."""

from __future__ import annotations

import asyncio
import inspect
import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.toolkit.code import debug_on_error

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys
import otel_kit

@otel_kit.debug_on_error
def outer():
    return inner()

@otel_kit.debug_on_error
def inner():
    secret_number = 4711
    raise ValueError("broken")

otel_kit.init_telemetry(
    "x", environment=sys.argv[1] or None, traces_exporter="none", metrics_exporter="none", logs_exporter="none"
)
try:
    outer()
except ValueError as error:
    print("went on with", error)
"""


def on_a_terminal(tmp_path: Path, environment: str, answers: list[str], **variables: str) -> str:
    """What a program shows on a terminal of its own, where somebody types the answers at each prompt."""
    path = tmp_path / "program.py"
    path.write_text(PROGRAM, encoding="utf-8")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, str(path), environment],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb", **variables},
        cwd=tmp_path,
    )
    os.close(theirs)
    shown, deadline = "", time.monotonic() + 30
    try:
        while time.monotonic() < deadline:
            if not select.select([ours], [], [], 0.1)[0]:
                if process.poll() is not None:
                    break
                continue
            try:
                shown += os.read(ours, 65536).decode()
            except OSError:  # the other end is closed
                break
            if shown.endswith("(Pdb) ") and answers:
                os.write(ours, f"{answers.pop(0)}\n".encode())
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    return shown


def test_the_debugger_opens_in_development_on_a_terminal(tmp_path: Path) -> None:
    """The debugger does not open where the exception was raised, opens twice, or the exception does not go on."""
    shown = on_a_terminal(tmp_path, "development", ["p secret_number", "q"])
    assert "4711" in shown
    assert shown.count("the debugger is open") == 1
    assert "went on with broken" in shown


@pytest.mark.parametrize(
    ("environment", "variables"),
    [("production", {}), ("", {}), ("dev", {"PYTHONBREAKPOINT": "0"})],
    ids=["production", "unnamed", "breakpoints off"],
)
def test_it_opens_nowhere_else(tmp_path: Path, environment: str, variables: dict[str, str]) -> None:
    """A program in production, or somewhere that nobody called development, waits at a prompt."""
    shown = on_a_terminal(tmp_path, environment, [], **variables)
    assert "Pdb" not in shown
    assert "went on with broken" in shown


def test_it_does_not_open_without_a_terminal(run_program: Any) -> None:
    """A program whose input is no terminal waits for somebody who types."""
    done = run_program(PROGRAM, "development")
    assert "Pdb" not in done.stdout + done.stderr
    assert "went on with broken" in done.stdout


def test_functions_stay_what_they_are() -> None:
    """A decorated function is of another kind, has another signature, or returns or raises something else."""

    @debug_on_error
    async def co(n: int) -> int:
        return n

    @debug_on_error
    def gen(n: int) -> Iterator[int]:
        yield n

    class Thing:
        @debug_on_error
        @staticmethod
        def name(n: int) -> int:
            return n

    with capture(environment="development"):
        assert asyncio.run(co(1)) == 1
        assert list(gen(2)) == [2]
        assert Thing.name(3) == 3
    assert inspect.iscoroutinefunction(co)
    assert inspect.isgeneratorfunction(gen)
    assert str(inspect.signature(gen)) == "(n: 'int') -> 'Iterator[int]'"
    with pytest.raises(ArgumentError, match="debug_on_error"):
        debug_on_error(Thing)
