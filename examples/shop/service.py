"""What makes a process of a service: ``python -m examples.shop.service storefront 5``.

It answers on a socket that is open already (here file descriptor 5), so that no port is guessed. It ends when its
standard input is closed, so it ends with the program that started it, whatever happens to that. Then it writes what
its telemetry counted to ``storefront.json`` in the folder ``SHOP_DATA``.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fastapi import FastAPI
    from flask import Flask


def serve_asgi(app: FastAPI) -> int:
    """Serve an ASGI app by uvicorn until standard input ends; how many requests it answered."""
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False))
    at_end_of_input(lambda: setattr(server, "should_exit", True))
    server.run(sockets=[socket.socket(fileno=int(sys.argv[2]))])
    return server.server_state.total_requests


def serve_wsgi(app: Flask) -> int:
    """Serve a WSGI app by Werkzeug until standard input ends; how many requests it answered."""
    from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

    answered: list[object] = []

    class Quiet(WSGIRequestHandler):
        def log_request(self, code: object = "-", size: object = "-") -> None:
            """No access log: the spans say it better."""
            answered.append(code)

    class Patient(ThreadedWSGIServer):
        daemon_threads = False  # at its end it waits for the requests that are under way

    with Patient("127.0.0.1", 0, app, Quiet, fd=int(sys.argv[2])) as server:
        at_end_of_input(server.shutdown)
        server.serve_forever()
    return len(answered)


def at_end_of_input(close: Callable[[], object]) -> None:
    """Call ``close`` once nobody is left at the other end of standard input."""

    def wait() -> None:
        sys.stdin.read()
        close()

    threading.Thread(target=wait, name="end of input", daemon=True).start()


def write(suffix: str, text: str) -> None:
    """Write a small file for the demo: whole or not at all."""
    path = Path(os.environ.get("SHOP_DATA", "."), f"{sys.argv[1]}.{suffix}")
    half = path.with_suffix(".half")
    half.write_text(text, encoding="utf-8")
    half.replace(path)


def main() -> None:
    """Run one service and hand in its figures."""
    service = import_module(f"examples.shop.{sys.argv[1]}")
    write("ready", "")
    requests = service.run()
    write("json", json.dumps({"requests": requests, "stats": service.telemetry.stats()}))


if __name__ == "__main__":
    main()
