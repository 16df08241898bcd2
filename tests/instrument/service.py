"""A service on loopback that answers as its paths say, and remembers what it was asked."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit


@dataclass
class Service:
    """What is known of it.

    Attributes:
        url: its address, with a host name.
        other: the same service under another host name, which is another host for clients.
        asked: path and headers of each request, in order.
    """

    url: str
    other: str
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def headers(self) -> list[dict[str, str]]:
        """The headers of each request, in order."""
        return [headers for _, headers in self.asked]


@contextlib.contextmanager
def serving() -> Iterator[Service]:
    """Serve until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            service.asked.append((parts.path, {name.lower(): value for name, value in self.headers.items()}))
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            times = sum(path == parts.path for path, _ in service.asked)
            getattr(self, parts.path.strip("/").partition("/")[0] or "ok")(query, times)

        do_POST = do_HEAD = do_PURGE = do_GET

        def ok(self, query: dict[str, str], times: int) -> None:
            fields = [("X-Shard", "7"), ("Set-Cookie", "a=b"), ("X-Part", "a"), ("X-Part", "b")]
            self.answer(int(query.get("status", 200)), fields)

        def redirect(self, query: dict[str, str], times: int) -> None:
            self.answer(302, [("Location", query["to"])])

        def flaky(self, query: dict[str, str], times: int) -> None:
            self.answer(503 if times <= 2 else 200)

        def slow(self, query: dict[str, str], times: int) -> None:
            released.wait(5)
            with contextlib.suppress(OSError):
                self.answer(200)

        def broken(self, query: dict[str, str], times: int) -> None:
            self.close_connection = True

        def login(self, query: dict[str, str], times: int) -> None:
            if "authorization" in service.asked[-1][1]:
                self.answer(200)
            else:
                challenge = 'Digest realm="far", nonce="abc", qop="auth", algorithm=MD5'
                self.answer(401, [("WWW-Authenticate", challenge)])

        def answer(self, status: int, headers: list[tuple[str, str]] | None = None) -> None:
            body = json.dumps({"path": self.path}).encode()
            self.send_response(status)
            for name, value in headers or []:
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    released = threading.Event()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    port = server.server_port
    service = Service(f"http://127.0.0.1:{port}", f"http://localhost:{port}")
    try:
        yield service
    finally:
        released.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


def closed_port() -> int:
    """A port at which nobody listens."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def eventually(condition: Any, seconds: float = 10) -> Any:
    """What the condition gives once it is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.01)
    return found
