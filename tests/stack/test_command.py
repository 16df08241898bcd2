"""`python -m deploy.stack`: what it says when it cannot start, and that it stops as cleanly as it started."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.stack.processes import Stack
from deploy.stack.programs import PROGRAMS, StackError
from deploy.stack.services import HOST, address, free_ports, refuse_taken
from tests.stack.apis import get

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def command(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """The command in a process of its own, on free ports; it is gone after the block."""
    process = subprocess.Popen(
        [sys.executable, "-m", "deploy.stack", *arguments],
        cwd=ROOT,
        env={**os.environ, **{name: str(port) for name, port in free_ports().items()}, **variables},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=60)


def refusal(**variables: str) -> str:
    """What `up` says when it does not start."""
    with command("up", **variables) as process:
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1
    assert "Traceback" not in said
    return said


def test_says_what_to_do_without_go(tmp_path: Path) -> None:
    """Where Go is missing, one sentence names it, where to get it, and the other way."""
    said = refusal(PATH="/nowhere", OTEL_KIT_STACK_CACHE=str(tmp_path))
    assert "https://go.dev/dl/" in said
    assert "docker compose up -d" in said


def test_says_which_port_is_taken() -> None:
    """Where a port is taken, one sentence names the port and the variable that chooses another."""
    with socket.create_server((HOST, 0)) as other:
        port = other.getsockname()[1]
        said = refusal(OTEL_KIT_PROMETHEUS_PORT=str(port))
    assert f"Port {port} is taken" in said
    assert "OTEL_KIT_PROMETHEUS_PORT" in said


def test_says_which_variable_is_no_port() -> None:
    """A wrong port names its variable."""
    assert "OTEL_KIT_JAEGER_UI_PORT=many" in refusal(OTEL_KIT_JAEGER_UI_PORT="many")


def test_says_what_a_program_said_last(tmp_path: Path) -> None:
    """When a program ends at its start, the message has its name, its status and the end of its log."""
    broken = tmp_path / "broken"
    broken.write_text("#!/bin/sh\necho unknown flag\nexit 3\n")
    broken.chmod(0o755)
    stack = Stack({program.name: broken for program in PROGRAMS}, tmp_path, free_ports())
    with pytest.raises(StackError, match=r"(?s)victoria-logs ended with status 3.*unknown flag"):
        stack.start()


@pytest.mark.stack
@pytest.mark.timeout(120, func_only=True)
@pytest.mark.parametrize("ask", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_runs_until_it_is_asked_to_stop(
    programs: dict[str, Path], tmp_path: Path, ask: signal.Signals
) -> None:
    """`up` says where to send and to look, answers there, and takes all four programs with it when it ends."""
    ports = free_ports()
    variables = {name: str(port) for name, port in ports.items()}
    variables["OTEL_KIT_STACK_CACHE"] = str(programs["otelcol"].parent)
    with command("up", "--data", str(tmp_path), **variables) as process:
        assert process.stdout
        said = "".join(iter(process.stdout.readline, f"  data        {tmp_path}\n"))
        assert f"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:{ports['OTEL_KIT_OTLP_HTTP_PORT']}" in said
        assert get(address(ports, "COLLECTOR_HEALTH"))
        process.send_signal(ask)
        _, complaints = process.communicate(timeout=60)
        assert (process.returncode, complaints) == (0, "")
    refuse_taken(ports)
