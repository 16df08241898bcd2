"""What a receiver's strange answers do to the delivery."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import otel_kit

Connection = socket.socket


def read_request(connection: Connection) -> None:
    with connection.makefile("rb") as stream:
        lines = iter(stream.readline, b"\r\n")
        length = sum(
            int(line.split(b":")[1]) for line in lines if line.lower().startswith(b"content-length:")
        )
        stream.read(length)


@contextmanager
def answering(answer: Callable[[Connection], object]) -> Iterator[tuple[str, list[float]]]:
    """A server that reads a request, and answers as told: its URL, and when requests came."""
    came: list[float] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=one, args=(connection,), daemon=True).start()

    def one(connection: Connection) -> None:
        with connection:
            try:
                read_request(connection)
                came.append(time.monotonic())
                answer(connection)
            except OSError:
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", came
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def started(url: str, timeout: float = 10.0) -> otel_kit.Telemetry:
    return otel_kit.init_telemetry(
        "shop", endpoint=url, timeout=timeout, console="off", instrument=(), process_metrics=False
    )


@pytest.mark.parametrize(
    "rest",
    [
        b"Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope",
        b"Content-Length: 100\r\n\r\nshort",
        b"Transfer-Encoding: chunked\r\n\r\nno chunk\r\n",
    ],
    ids=["encoding", "short", "chunks"],
)
def test_a_success_whose_body_cannot_be_read_is_a_success(rest: bytes) -> None:
    """What the collector has accepted is sent again, because the rest of its answer is broken."""
    with answering(lambda connection: connection.sendall(b"HTTP/1.1 200 OK\r\n" + rest)) as (url, came):
        telemetry = started(url)
        telemetry.tracer.start_span("step").end()
        assert telemetry.shutdown(5)
        assert len(came) == 1
        assert telemetry.stats()["traces"]["delivered"] == 1
