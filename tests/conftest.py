"""Fixtures of the whole suite: a clean environment for each test, programs in processes of their own."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from otel_kit import _guard, clear_context
from tests.receiver import Receiver, receiving

# A busy machine is slow to make examples, and no fault of a test.
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parent.parent

RunProgram = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def vanishing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder that is deleted in the moment that somebody looks into it."""
    folder, scandir = tmp_path / "gone", os.scandir
    folder.mkdir()

    def look(path: str | Path) -> object:
        if Path(path) == folder and folder.exists():
            folder.rmdir()
        return scandir(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "scandir", look)
        yield folder


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No OTEL variable of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def contained_errors_are_raised() -> Iterator[None]:
    """What otel_kit would swallow in a program fails our own tests."""
    _guard.reset(reraise=True)
    yield
    _guard.reset()


@pytest.fixture(autouse=True)
def telemetry_is_reset() -> Iterator[None]:
    """No telemetry of one test goes on in the next."""
    yield
    if setup := sys.modules.get("otel_kit.setup.telemetry"):
        setup._runtime.reset()


@pytest.fixture(autouse=True)
def the_program_is_as_before() -> Iterator[None]:
    """No id and no logging configuration of one test reaches the next."""
    root, disabled = logging.getLogger(), logging.root.manager.disable
    level, handlers = root.level, root.handlers[:]
    yield
    clear_context()
    root.setLevel(level)
    root.handlers[:] = handlers
    logging.disable(disabled)


@pytest.fixture
def run_program(tmp_path: Path) -> RunProgram:
    """Run Python source as a program of its own: ``run_program(source, *args, env={}, options=(), timeout=120)``."""

    def run(
        source: str,
        *args: str,
        env: dict[str, str] | None = None,
        options: tuple[str, ...] = (),
        timeout: float = 120,
    ) -> subprocess.CompletedProcess[str]:
        path = tmp_path / "program.py"
        path.write_text(textwrap.dedent(source), encoding="utf-8")
        environment = {**os.environ, "PYTHONPATH": str(ROOT), **(env or {})}
        return subprocess.run(
            [sys.executable, *options, str(path), *args],
            env=environment,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A real OTLP receiver, HTTP and gRPC on loopback; see ``tests/receiver.py``."""
    with receiving() as running:
        yield running
