"""Real servers in a thread, for as long as a block lasts."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

PATIENCE = 10.0


def wait_for(holds: Callable[[], Any]) -> Any:
    """What the condition gives as soon as it holds."""
    deadline = time.monotonic() + PATIENCE
    while not (found := holds()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return found


@contextlib.contextmanager
def asgi_server(app: Any, **options: Any) -> Iterator[str]:
    """Serve by uvicorn; the address."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, **{"log_level": "critical", "ws": "none", **options}))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    wait_for(lambda: server.started or not thread.is_alive())
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        listener.close()


@contextlib.contextmanager
def wsgi_server(app: Any) -> Iterator[str]:
    """Serve by werkzeug; the address."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join(PATIENCE)
        server.server_close()


def leave_early(address: str, path: str) -> None:
    """Ask for a path, read the beginning of the answer and go."""
    host, _, port = address.removeprefix("http://").partition(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        assert connection.recv(10)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")


def server_spans(captured: Any) -> list[Any]:
    """The server spans among what was captured."""
    return [span for span in captured.spans if span.kind.name == "SERVER"]


def access_logs(captured: Any) -> list[Any]:
    """The access log records among what was captured."""
    return [record for record in captured.logs if record.event_name == "otel_kit.http.access"]


def points(captured: Any, name: str) -> list[Any]:
    """The data points of a metric, of all its scopes."""
    metric = captured.metrics.get(name)
    return list(metric.data.data_points) if metric else []
