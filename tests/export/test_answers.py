"""What a receiver's strange answers do to the delivery."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

import otel_kit
from otel_kit.export import batch

Connection = socket.socket
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


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
        # Metrics of other tests' instruments would be requests too.
        "shop",
        endpoint=url,
        timeout=timeout,
        console="off",
        instrument=(),
        metrics_exporter="none",
    )


def until(condition: Callable[[], object], seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


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


def trickle(connection: Connection, text: bytes) -> None:
    for byte in text:
        connection.sendall(bytes([byte]))
        time.sleep(0.1)


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-Filler: ", b"HTTP/1.1 503 Busy\r\nContent-Length: 1000\r\n\r\n"]
)
def test_an_answer_that_trickles_ends_at_the_timeout(head: bytes) -> None:
    """An answer that comes byte by byte keeps the only thread that delivers for as long as it likes."""
    with answering(lambda connection: trickle(connection, head + b"x" * 300)) as (url, came):
        telemetry = started(url, timeout=1.0)
        telemetry.tracer.start_span("step").end()
        telemetry.force_flush(0.1)
        assert until(lambda: len(came) > 1, 8)
        assert 1.0 <= came[1] - came[0] < 4.0  # the timeout, then the backoff


def test_a_success_whose_body_trickles_is_a_success(capfd: pytest.CaptureFixture[str]) -> None:
    """The rest of an answer that says yes at its beginning keeps the thread, or has the batch sent again."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"

    def answer(connection: Connection) -> None:
        connection.sendall(head)
        trickle(connection, b"x" * 300)

    with answering(answer) as (url, came):
        telemetry = started(url, timeout=1.0)
        telemetry.tracer.start_span("step").end()
        assert telemetry.force_flush(3)
        assert len(came) == 1


def test_the_addresses_of_a_host_share_the_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    """A host whose first address is a black hole is never reached, or only after the timeout of the whole request."""
    with answering(lambda connection: connection.sendall(OK)) as (url, came):
        port = int(url.rpartition(":")[2])
        with socket.create_server(("127.0.0.1", 0), backlog=0) as hole:
            full = [socket.socket() for _ in range(4)]
            for each in full:
                each.setblocking(False)
                each.connect_ex(hole.getsockname())
            found = [hole.getsockname(), ("127.0.0.1", port)]
            entries = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", address) for address in found]
            monkeypatch.setattr("socket.getaddrinfo", lambda *_, **__: entries)
            telemetry = started("http://two-addresses.test:4318", timeout=2.0)
            telemetry.tracer.start_span("step").end()
            assert telemetry.force_flush(4)
            assert len(came) == 1
            for each in full:
                each.close()


@pytest.mark.parametrize("wish", ["1", "2"])
def test_a_short_retry_after_does_not_shorten_the_backoff(wish: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A collector that asks for a second each time gets requests every second for ever, and not ever fewer."""
    monkeypatch.setattr(batch, "FIRST_BACKOFF", 3.0)
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {wish}\r\nContent-Length: 0\r\n\r\n".encode()
    with answering(lambda connection: connection.sendall(answer)) as (url, came):
        telemetry = started(url)
        telemetry.tracer.start_span("step").end()
        assert telemetry.force_flush(0.1) is False
        assert until(lambda: len(came) > 1, 6)
        assert came[1] - came[0] > 2.2  # three quarters of the backoff


def test_a_retry_after_of_years_is_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    """A receiver whose clock is wrong silences a program for good."""
    monkeypatch.setattr(batch, "LONGEST_WISH", 1.0)
    answers = [b"HTTP/1.1 503 Busy\r\nRetry-After: 31536000000\r\nContent-Length: 0\r\n\r\n", OK]
    with answering(lambda connection: connection.sendall(answers.pop(0))) as (url, _):
        telemetry = started(url)
        telemetry.tracer.start_span("step").end()
        assert telemetry.force_flush(0.1) is False
        assert until(lambda: telemetry.stats()["traces"]["delivered"] == 1, 5)


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

    info = RetryInfo()
    info.retry_delay.seconds, info.retry_delay.nanos = seconds, nanos
    status = Status()
    status.details.add().Pack(info)

    assert retry_after(status.SerializeToString()) == expected


def test_a_retry_info_that_cannot_be_read_is_none() -> None:
    """A gRPC collector whose details are damaged loses the batch."""
    from google.rpc.status_pb2 import Status

    status = Status()
    detail = status.details.add()
    detail.type_url, detail.value = "type.googleapis.com/google.rpc.RetryInfo", b"\xff\xff"
    assert retry_after(b"\xff\xff") is None
    assert retry_after(status.SerializeToString()) is None


def retry_after(details: bytes) -> float | None:
    from otel_kit.export import grpc

    class Error:
        def trailing_metadata(self) -> tuple[tuple[str, bytes], ...]:
            return (("grpc-status-details-bin", details),)

    return grpc._retry_after(Error())
