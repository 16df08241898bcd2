"""For programs of these tests: providers that keep what is emitted, and a server of the program's own."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from otel_kit.pipeline.series import MeterProvider

_exporter = InMemorySpanExporter()
_reader = InMemoryMetricReader()


def observe() -> None:
    """Set the global providers, as init_telemetry does."""
    provider = TracerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(_exporter))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([_reader], Resource({})))


def spans() -> list[Any]:
    """Finished spans since the last call, in the order of their ends."""
    found = list(_exporter.get_finished_spans())
    _exporter.clear()
    return found


def names() -> list[str]:
    """Their names."""
    return [span.name for span in spans()]


def metric(name: str) -> list[Any]:
    """The data points of a metric."""
    data = _reader.get_metrics_data()
    scopes = data.resource_metrics[0].scope_metrics if data else []
    return [p for scope in scopes for m in scope.metrics if m.name == name for p in m.data.data_points]


def show(**facts: Any) -> None:
    """Tell the test."""
    print(json.dumps(facts, default=str))


def serve_wsgi(app: Any) -> str:
    """Serve a WSGI app by werkzeug in a thread; the address."""
    from werkzeug.serving import make_server

    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_port}"


def serve_asgi(app: Any) -> str:
    """Serve an ASGI app by uvicorn in a thread; the address."""
    import uvicorn

    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    threading.Thread(target=server.run, args=([listener],), daemon=True).start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def settled(count: int) -> list[Any]:
    """That many finished spans: a server ends its span a moment after the client has its answer."""
    found: list[Any] = []
    deadline = time.monotonic() + 10
    while len(found) < count and time.monotonic() < deadline:
        found += spans()
        time.sleep(0.01)
    return found
