"""A FastAPI program behind real servers, and a worker of Celery's with processes: each request and task is told, once."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.testing import capture
from tests.conftest import ROOT, RunProgram
from tests.instrument.serving import asgi_server, server_spans, wait_for
from tests.receiver import Receiver

SHOP = """
    import otel_kit
    telemetry = otel_kit.init_telemetry("shop", console="off")
    from fastapi import FastAPI
    app = FastAPI()
    log = otel_kit.get_logger("shop")

    @app.get("/orders/{n}")
    async def order(n: int):
        log.info("order", n=n)
        return otel_kit.current_context()
"""
JOBS = """
    import os, celery, otel_kit
    telemetry = otel_kit.init_telemetry("jobs", console="json")
    app = celery.Celery("jobs", broker="filesystem://", backend="file://" + os.getcwd())
    app.conf.broker_transport_options = {
        "data_folder_in": os.getcwd(), "data_folder_out": os.getcwd(), "polling_interval": 0.05}
    log = otel_kit.get_logger("jobs")

    @app.task
    def add(a, b):
        log.info("adding")
        return [os.getpid(), otel_kit.current_context()]
"""


@contextmanager
def running(folder: Path, receiver: Receiver, name: str, source: str, *command: str) -> Iterator[None]:
    """A program that serves for the time of a block, and is ended by SIGTERM."""
    (folder / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")
    env = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{folder}",
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http,
    }
    with (folder / "log").open("wb") as log:
        program = subprocess.Popen(
            [sys.executable, "-m", *command], env=env, cwd=folder, stdout=log, stderr=log
        )
        try:
            yield
        finally:
            program.send_signal(signal.SIGTERM)
            program.wait(30)


def ask(address: str, count: int) -> None:
    """So many requests, each with an id of its own; waits until the server is up."""
    deadline = time.monotonic() + 30
    while count:
        request = urllib.request.Request(f"{address}/orders/{count}", headers={"x-request-id": f"r-{count}"})
        try:
            with urllib.request.urlopen(request, timeout=10) as response:
                assert f'"request_id":"r-{count}"' in response.read().decode()
            count -= 1
        except OSError:
            assert time.monotonic() < deadline, "the server does not answer"
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    "command",
    [
        "hypercorn --bind ADDRESS",
        "hypercorn --workers 2 --bind ADDRESS",
        "uvicorn --reload --port PORT",
        "uvicorn --workers 2 --port PORT",
        "gunicorn --preload -w 2 -k uvicorn.workers.UvicornWorker -b ADDRESS",
    ],
)
def test_each_request_is_told_once_behind_a_server(tmp_path: Path, receiver: Receiver, command: str) -> None:
    """A request behind this server has no span, no record or no ids, or two of them."""
    server, *options = command.split()
    if importlib.util.find_spec(server) is None:
        pytest.skip(f"{server} is not installed")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    given = [option.replace("ADDRESS", f"127.0.0.1:{port}").replace("PORT", str(port)) for option in options]
    with running(tmp_path, receiver, "shop", SHOP, server, "shop:app", *given):
        ask(f"http://127.0.0.1:{port}", 10)
    log = (tmp_path / "log").read_text(encoding="utf-8")
    assert [span.name for span in receiver.spans] == ["GET /orders/{n}"] * 10, log
    told = Counter(record.event_name or record.body.string_value for record in receiver.logs)
    assert (told["order"], told["otel_kit.http.access"]) == (10, 10)
    assert "otel_kit: " not in log


@pytest.mark.slow
def test_tasks_in_processes_of_a_worker_are_told_once(
    tmp_path: Path, receiver: Receiver, run_program: RunProgram
) -> None:
    """A task in a process of Celery's has no span, another trace, other ids, or a record for each line on the console."""
    pytest.importorskip("celery")
    worker = ("celery", "-A", "jobs", "worker", "-c", "2", "-P", "prefork", "-l", "warning")
    with running(tmp_path, receiver, "jobs", JOBS, *worker):
        done = run_program(
            """
            import jobs, otel_kit
            with otel_kit.bind(request_id="r-7"), otel_kit.span("order"):
                results = [jobs.add.delay(number, 1) for number in range(10)]
            found = [result.get(timeout=40) for result in results]
            print(sorted({str(ids) for _, ids in found}))
            jobs.telemetry.shutdown()
            """,
            env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
            timeout=60,
        )
    assert done.stdout == """["{'request_id': 'r-7'}"]\n""", done.stderr
    names = Counter(span.name for span in receiver.spans)
    assert names == {"order": 1, "publish jobs.add": 10, "process jobs.add": 10}
    assert len({span.trace_id for span in receiver.spans}) == 1
    assert Counter(record.body.string_value for record in receiver.logs)["adding"] == 10
    assert not [record for record in receiver.logs if "timestamp" in record.body.string_value]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_websocket_over_a_real_connection() -> None:
    """A websocket on a socket has no span, one that ends with the handshake, or one that never ends as the client is gone."""
    fastapi, client = (
        pytest.importorskip("fastapi"),
        pytest.importorskip("websockets.sync.client"),
    )
    app = fastapi.FastAPI()

    async def talk(websocket: Any, room: str) -> None:
        await websocket.accept()
        async for text in websocket.iter_text():
            await websocket.send_text(text.upper())

    talk.__annotations__["websocket"] = fastapi.WebSocket
    app.websocket("/talk/{room}")(talk)
    with capture(instrument=["fastapi"]) as captured, asgi_server(app, ws="auto") as address:
        url = address.replace("http", "ws")
        with client.connect(f"{url}/talk/red") as connection:
            connection.send("hello")
            assert connection.recv() == "HELLO"
        dropped = client.connect(f"{url}/talk/blue")
        dropped.send("hello")
        dropped.recv()
        dropped.socket.shutdown(socket.SHUT_RDWR)
        wait_for(lambda: len(server_spans(captured)) == 2)
        dropped.close_socket()
        closed, lost = server_spans(captured)
    assert [closed.name, lost.name] == ["WS /talk/{room}"] * 2
    assert "otel_kit.http.disconnected" not in closed.attributes
    # uvicorn's newest websockets report a client that is gone as one that gave no reason, so it is not told apart.
    assert lost.end_time > lost.start_time
    assert otel_kit.current_context() == {}
