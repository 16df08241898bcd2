"""Forked and spawned children, pools, gunicorn and uvicorn: each process delivers what it emitted."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.conftest import ROOT, RunProgram
from tests.receiver import Receiver

POOLS = """
    import multiprocessing, os, sys
    from concurrent.futures import ProcessPoolExecutor
    import otel_kit

    method, kind = sys.argv[1:3]
    if method == "fork" or __name__ == "__main__":
        telemetry = otel_kit.init_telemetry("job", console="off", instrument=())

    def work(count):
        telemetry = otel_kit.init_telemetry("job", console="off", instrument=())
        for number in range(count):
            with telemetry.tracer.start_as_current_span("step"):
                telemetry.logger.info("done")
        telemetry.meter.create_counter(f"steps.{os.getpid()}").add(count)
        return count

    if __name__ == "__main__":
        work(10)
        context = multiprocessing.get_context(method)
        if kind == "Process":
            children = [context.Process(target=work, args=(20,)) for _ in range(2)]
            for child in children:
                child.start()
            for child in children:
                child.join()
        elif kind == "Pool":
            with context.Pool(2) as pool:
                pool.map(work, [10] * 4, chunksize=1)
        else:
            with ProcessPoolExecutor(2, mp_context=context) as executor:
                list(executor.map(work, [10] * 4))
"""


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("fork", "Process"),
        ("fork", "Pool"),
        ("fork", "ProcessPoolExecutor"),
        ("spawn", "Process"),
        pytest.param("spawn", "Pool", marks=pytest.mark.slow),
        pytest.param("spawn", "ProcessPoolExecutor", marks=pytest.mark.slow),
        pytest.param("forkserver", "Process", marks=pytest.mark.slow),
        pytest.param("forkserver", "Pool", marks=pytest.mark.slow),
        pytest.param("forkserver", "ProcessPoolExecutor", marks=pytest.mark.slow),
    ],
)
def test_children_of_multiprocessing_deliver(
    run_program: RunProgram, receiver: Receiver, method: str, kind: str
) -> None:
    """A child's items are lost, because it ends without running exit handlers, or are sent by two processes."""
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http, "PYTHONWARNINGS": "ignore::DeprecationWarning"}
    done = run_program(POOLS, method, kind, env=env)

    assert done.returncode == 0, done.stderr
    assert (len(receiver.spans), len(receiver.logs)) == (50, 50), done.stderr
    pids = {resource["process.pid"] for resource in receiver.resources}
    instances = {resource["service.instance.id"] for resource in receiver.resources}
    assert len(pids) == len(instances) >= 2
    counted = [
        metric.sum.data_points[0].as_int
        for name, metric in receiver.metrics.items()
        if name.startswith("steps.")
    ]
    assert sum(counted) == 50


def test_a_child_reports_its_own_sums_only(run_program: RunProgram, receiver: Receiver) -> None:
    """A forked child tells its parent's counts again under its own name."""
    done = run_program(
        """
        import os, sys
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off", process_metrics=False)
        counter = telemetry.meter.create_counter("steps")
        counter.add(5)
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        else:
            counter.add(1)
        """,
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http,
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        },
    )
    assert done.returncode == 0, done.stderr
    values = [
        point.as_int
        for request in receiver.requests
        for resource in request.message.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in metric.sum.data_points
    ]
    assert sorted(values) == [1, 5]


def test_forks_while_threads_emit_do_not_hang(run_program: RunProgram, receiver: Receiver) -> None:
    """A child that was forked while a thread held a lock hangs at its first item or at its end."""
    done = run_program(
        """
        import os, signal, threading, time
        import otel_kit
        telemetry = otel_kit.init_telemetry("job", console="off", instrument=())
        counter = telemetry.meter.create_counter("steps")
        over = threading.Event()

        def work():
            with telemetry.tracer.start_as_current_span("step"):
                telemetry.logger.info("done")
            counter.add(1)

        def busy():
            while not over.is_set():
                work()

        work()  # a program that imports in a thread while it forks hangs by itself
        threads = [threading.Thread(target=busy) for _ in range(4)]
        for thread in threads:
            thread.start()
        failed = 0
        for _ in range(30):
            child = os.fork()
            if not child:
                work()
                otel_kit.setup.telemetry._runtime.flush(5)
                os._exit(0)
            deadline = time.monotonic() + 15
            while os.waitpid(child, os.WNOHANG) == (0, 0):
                if time.monotonic() > deadline:
                    failed += 1
                    os.kill(child, signal.SIGKILL)
                time.sleep(0.005)
        over.set()
        for thread in threads:
            thread.join()
        assert not failed, failed
        """,
        env={
            "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http,
            "PYTHONWARNINGS": "ignore::DeprecationWarning",
        },
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert len({resource["process.pid"] for resource in receiver.resources}) == 31


APPLICATION = """
    import os
    import otel_kit

    def start():
        global telemetry
        telemetry = otel_kit.init_telemetry("web", console="off", instrument=())

    if "LATE" not in os.environ:
        start()

    def answer():
        with telemetry.tracer.start_as_current_span("request"):
            telemetry.logger.info("answered")
        return str(os.getpid()).encode()

    def wsgi(environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [answer()]

    async def asgi(scope, receive, send):
        if scope["type"] == "lifespan":
            if "LATE" in os.environ:  # init only now, when the server handles signals already
                start()
            while (await receive())["type"] != "lifespan.shutdown":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": answer()})
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(
    folder: Path, receiver: Receiver, *command: str, variables: dict[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """A server for the time of a block, ended by SIGTERM."""
    (folder / "application.py").write_text(textwrap.dedent(APPLICATION), encoding="utf-8")
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http,
        "PYTHONWARNINGS": "ignore::DeprecationWarning",
        **(variables or {}),
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", *command], env=env, cwd=folder, stdout=log, stderr=log
        )
        try:
            yield server
        finally:
            if server.poll() is None:
                server.send_signal(signal.SIGTERM)
            server.wait(20)


def ask(port: int, count: int) -> set[bytes]:
    """The answers to so many requests; waits until the server is up."""
    answers: set[bytes] = set()
    deadline = time.monotonic() + 30
    while count:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as response:
                answers.add(response.read())
            count -= 1
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)
    return answers


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(("gunicorn", "-w", "2", "--preload", "application:wsgi"), id="gunicorn --preload"),
        pytest.param(
            ("gunicorn", "-w", "1", "--max-requests", "5", "application:wsgi"),
            id="gunicorn --max-requests",
            marks=pytest.mark.slow,
        ),
        pytest.param(("gunicorn", "-w", "2", "application:wsgi"), id="gunicorn", marks=pytest.mark.slow),
        pytest.param(("uvicorn", "--log-level", "warning", "application:asgi"), id="uvicorn"),
        pytest.param(
            ("uvicorn", "--workers", "2", "--log-level", "warning", "application:asgi"),
            id="uvicorn --workers",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_the_workers_of_a_server_deliver(
    tmp_path: Path, receiver: Receiver, command: tuple[str, ...]
) -> None:
    """A worker's items are lost when the server is told to end by SIGTERM."""
    port = free_port()
    name, *options, target = command
    address = ("-b", f"127.0.0.1:{port}") if name == "gunicorn" else ("--port", str(port))
    with serving(tmp_path, receiver, name, *options, *address, target):
        pids = ask(port, 20)
    bodies = [record.body.string_value for record in receiver.logs]
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert len([span for span in receiver.spans if span.name == "request"]) == 20, log
    assert bodies.count("answered") == 20
    served = {str(resource["process.pid"]).encode() for resource in receiver.resources}
    assert pids <= served


def test_a_server_delivers_that_calls_init_when_it_is_up(tmp_path: Path, receiver: Receiver) -> None:
    """init_telemetry in a lifespan handler comes too late for SIGTERM: the server puts back the default action."""
    port = free_port()
    command = ("uvicorn", "--log-level", "warning", "--port", str(port), "application:asgi")
    with serving(tmp_path, receiver, *command, variables={"LATE": "1"}) as server:
        ask(port, 5)
    assert server.returncode == -signal.SIGTERM
    assert len([span for span in receiver.spans if span.name == "request"]) == 5
