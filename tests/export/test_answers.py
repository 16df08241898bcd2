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


@pytest.mark.parametrize("wish", ["0", "-1", "nan", "0.001", "Thu, 01 Jan 1998 00:00:00 GMT"])
def test_a_retry_after_of_nothing_leaves_the_backoff(wish: str) -> None:
    """A collector that asks for no wait gets requests as fast as they can be made."""
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {wish}\r\nContent-Length: 0\r\n\r\n".encode()
    with answering(lambda connection: connection.sendall(answer)) as (url, came):
        telemetry = started(url)
        telemetry.tracer.start_span("step").end()
        assert telemetry.force_flush(0.5) is False
        assert len(came) == 1


@pytest.mark.parametrize(
    ("nanos", "seconds", "expected"), [(0, 0, None), (0, -5, None), (10**6, 0, None), (0, 2, 2.0)]
)
def test_a_retry_info_of_nothing_leaves_the_backoff(nanos: int, seconds: int, expected: float | None) -> None:
    """A gRPC collector that asks for no wait gets requests as fast as they can be made."""
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    from otel_kit.export import grpc

    info = RetryInfo()
    info.retry_delay.seconds, info.retry_delay.nanos = seconds, nanos
    status = Status()
    status.details.add().Pack(info)

    class Error:
        def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
            return (("grpc-status-details-bin", status.SerializeToString()),)

    assert grpc._retry_after(Error()) == expected
