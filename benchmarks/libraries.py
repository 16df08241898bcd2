"""One call of each library that is instrumented, set up and ready to be timed.

The peer of ours is contrib's instrumentation where its package is installed, or what the library itself offers; where there is
neither, ours is compared with the bare call. Servers are called without a network, clients call the sink.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

from benchmarks.shop import Caller

Call = Callable[[], object]


class Library(NamedTuple):
    """How one is measured.

    Attributes:
        text: what the call does.
        make: given the contender's name, gives the call.
        contrib: contrib's instrumentor, as ``module:Class``.
        peer: whether the library itself, or ``make``, has a peer of ours.
        named: what ``init_telemetry(instrument=…)`` is given; its own name by default.
    """

    text: str
    make: Callable[[str], Call]
    contrib: str = ""
    peer: bool = False
    named: tuple[str, ...] | None = None

    def has_peer(self) -> bool:
        """Whether there is anything but the bare call to compare with."""
        return self.peer or bool(self.contrib and _is_there(self.contrib.partition(":")[0]))

    def turn_on_peer(self) -> None:
        """Contrib's, for everything."""
        if self.contrib and not self.peer:
            module, _, name = self.contrib.partition(":")
            getattr(import_module(module), name)().instrument(skip_dep_check=True)


def _is_there(module: str) -> bool:
    try:
        return find_spec(module) is not None
    except ImportError:
        return False


def _url() -> str:
    return os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] + "/answer"


def _awaited(make: Callable[[], Any]) -> Call:
    loop = asyncio.new_event_loop()
    return lambda: loop.run_until_complete(make())


# clients and databases


def sqlalchemy(_: str) -> Call:
    """A statement on SQLite, within a transaction that goes on."""
    from sqlalchemy import create_engine, text

    connection = create_engine("sqlite://").connect()
    connection.execute(text("create table item (id integer primary key, name text)"))
    statement = text("select name from item where id = :id")
    return lambda: connection.execute(statement, {"id": 1}).all()


def requests(_: str) -> Call:
    """A call with a session."""
    import requests

    session, url = requests.Session(), _url()
    return lambda: session.get(url)


def httpx(_: str) -> Call:
    """A call with a client."""
    import httpx

    client, url = httpx.Client(), _url()
    return lambda: client.get(url)


def urllib3(_: str) -> Call:
    """A call with a pool."""
    import urllib3

    pool, url = urllib3.PoolManager(), _url()
    return lambda: pool.request("GET", url)


def aiohttp(_: str) -> Call:
    """A call with a session."""
    import aiohttp

    url, made = _url(), list[Any]()

    async def call() -> None:
        if not made:
            made.append(aiohttp.ClientSession())
        async with made[0].get(url) as response:
            await response.read()

    return _awaited(call)


def redis(_: str) -> Call:
    """A command on a server that is none."""
    import fakeredis

    client = fakeredis.FakeStrictRedis()
    return lambda: client.get("key")


def loop(_: str) -> Call:
    """Ten steps of an event loop."""

    async def steps() -> None:
        for _ in range(10):
            await asyncio.sleep(0)

    return _awaited(steps)


# servers


async def _hello(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"{}"})


def asgi(name: str) -> Call:
    """A request to an application by hand."""
    app: Any = _hello
    if name == "stock":
        app = import_module("opentelemetry.instrumentation.asgi").OpenTelemetryMiddleware(app)
    if name == "ours":
        from otel_kit import instrument

        app = instrument.asgi(app)
    return Caller(app)


def starlette(name: str) -> Call:
    """A request to a route; its peer is Starlette's own middleware."""
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    app = Starlette(routes=[Route("/items/{item_id:int}", lambda request: JSONResponse({}))])
    if name == "stock":
        app.add_middleware(import_module("starlette.middleware.opentelemetry").OpenTelemetryMiddleware)
    return Caller(app)


def fastapi(_: str) -> Call:
    """A request to a route; its peer is what FastAPI does by itself."""
    from fastapi import FastAPI

    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: int) -> dict[str, int]:
        return {"id": item_id}

    return Caller(app)


def _served(app: Any) -> Call:
    """A WSGI application, called as a server would."""
    from wsgiref.util import setup_testing_defaults

    environ: dict[str, Any] = {
        "PATH_INFO": "/items/1",
        "HTTP_USER_AGENT": "benchmark",
        "REMOTE_ADDR": "127.0.0.1",
    }
    setup_testing_defaults(environ)

    def call() -> None:
        parts = app(dict(environ), lambda *_: None)
        assert list(parts)
        if hasattr(parts, "close"):
            parts.close()

    return call


def wsgi(name: str) -> Call:
    """A request to an application by hand."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("content-length", "2")])
        return [b"{}"]

    served: Any = app
    if name == "stock":
        served = import_module("opentelemetry.instrumentation.wsgi").OpenTelemetryMiddleware(app)
    if name == "ours":
        from otel_kit import instrument

        served = instrument.wsgi(app)
    return _served(served)


def flask(_: str) -> Call:
    """A request to a route."""
    import flask

    app = flask.Flask("benchmark")
    app.add_url_rule("/items/<int:item_id>", view_func=lambda item_id: {"id": item_id}, endpoint="item")
    return _served(app)


def django(_: str) -> Call:
    """A request to a view."""
    settings, http = import_module("django.conf").settings, import_module("django.http")
    route = import_module("django.urls").path(
        "items/<int:item_id>", lambda request, item_id: http.JsonResponse({"id": item_id})
    )
    routes = type("Routes", (), {"urlpatterns": [route]})
    settings.configure(ROOT_URLCONF=routes, ALLOWED_HOSTS=["*"], LOGGING_CONFIG=None, SECRET_KEY="benchmark")
    import_module("django").setup()
    return _served(import_module("django.core.handlers.wsgi").WSGIHandler())


CONTRIB = "opentelemetry.instrumentation."
LIBRARIES: dict[str, Library] = {
    "sqlalchemy": Library(
        "SQLAlchemy, a statement", sqlalchemy, f"{CONTRIB}sqlalchemy:SQLAlchemyInstrumentor"
    ),
    "requests": Library("requests, a call", requests, f"{CONTRIB}requests:RequestsInstrumentor"),
    "httpx": Library("httpx, a call", httpx, f"{CONTRIB}httpx:HTTPXClientInstrumentor"),
    "urllib3": Library("urllib3, a call", urllib3, f"{CONTRIB}urllib3:URLLib3Instrumentor"),
    "aiohttp": Library("aiohttp, a call", aiohttp, f"{CONTRIB}aiohttp_client:AioHttpClientInstrumentor"),
    "fastapi": Library("FastAPI, a request (peer: its own telemetry)", fastapi, peer=True),
    "starlette": Library("Starlette, a request (peer: its own middleware)", starlette, peer=True),
    "asgi": Library("ASGI, a request", asgi, f"{CONTRIB}asgi:", peer=_is_there(f"{CONTRIB}asgi"), named=()),
    "flask": Library("Flask, a request", flask, f"{CONTRIB}flask:FlaskInstrumentor"),
    "django": Library("Django, a request", django, f"{CONTRIB}django:DjangoInstrumentor"),
    "wsgi": Library("WSGI, a request", wsgi, f"{CONTRIB}wsgi:", peer=_is_there(f"{CONTRIB}wsgi"), named=()),
    "redis": Library("redis, a command", redis, f"{CONTRIB}redis:RedisInstrumentor"),
    "asyncio": Library("asyncio, ten steps of the loop", loop, f"{CONTRIB}asyncio:AsyncioInstrumentor"),
}
