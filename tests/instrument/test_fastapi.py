"""FastAPI and Starlette behind uvicorn: what each request tells, whoever of them or us makes the span.

These tests hold for FastAPI before 0.142, where all is ours, and after.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from otel_kit import bind, bind_context, get_tracer, instrument
from otel_kit.testing import capture
from tests.instrument.serving import access_logs, asgi_server, leave_early, points, server_spans, wait_for

fastapi = pytest.importorskip("fastapi")
requests = pytest.importorskip("requests")
starlette_testclient = pytest.importorskip("starlette.testclient")

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Request, WebSocket, WebSocketException  # noqa: E402
from fastapi.responses import JSONResponse, StreamingResponse  # noqa: E402
from starlette.applications import Starlette  # noqa: E402
from starlette.background import BackgroundTask  # noqa: E402
from starlette.endpoints import HTTPEndpoint  # noqa: E402
from starlette.middleware.base import BaseHTTPMiddleware  # noqa: E402
from starlette.responses import PlainTextResponse  # noqa: E402
from starlette.routing import Mount, Route  # noqa: E402
from starlette.websockets import WebSocketDisconnect  # noqa: E402


class ShopError(Exception):
    """A failure that the shop's own handler answers."""


@pytest.fixture
def captured() -> Iterator[Any]:
    with capture(instrument=["fastapi", "starlette"]) as found:
        yield found


def make_app() -> FastAPI:
    """As in FastAPI's documentation of bigger applications: routers, dependencies, handlers, middleware, mounts."""
    app = FastAPI()
    router = APIRouter(prefix="/orders")

    async def who(request: Request) -> AsyncIterator[str]:
        with bind(user_id=request.headers.get("who", "nobody")):
            yield "somebody"

    @router.get("/{order_id}")
    def order(order_id: int, user: str = Depends(who)) -> dict[str, Any]:
        if order_id == 0:
            raise HTTPException(404, "no such order")
        return {"id": order_id, "user": user}

    @router.post("/")
    async def place(request: Request) -> dict[str, int]:
        return {"length": len(await request.body())}

    app.include_router(router)

    @app.get("/broken")
    async def broken() -> None:
        raise ZeroDivisionError("on purpose")

    @app.get("/handled")
    async def handled() -> None:
        raise ShopError("handled")

    @app.exception_handler(ShopError)
    async def on_shop_error(request: Request, error: ShopError) -> JSONResponse:
        return JSONResponse({"sorry": True}, 503)

    @app.get("/health")
    async def health() -> str:
        with get_tracer("shop").start_as_current_span("look at the database"):
            return "fine"

    @app.get("/stream")
    async def stream() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            for _ in range(3):
                await asyncio.sleep(0.02)
                yield b"x" * 100

        return StreamingResponse(parts())

    @app.get("/endless")
    async def endless() -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            while True:
                await asyncio.sleep(0.01)
                yield b"x" * 1000

        return StreamingResponse(parts())

    @app.websocket("/talk/{room}")
    async def talk(websocket: WebSocket, room: str) -> None:
        await websocket.accept()
        bind_context(session_id=room)
        await websocket.send_text((await websocket.receive_text()).upper())
        await asyncio.sleep(0.05)
        await websocket.close()

    inner = FastAPI()
    inner.get("/items/{item}")(lambda item: item)
    app.mount("/inner", inner)
    app.add_middleware(BaseHTTPMiddleware, dispatch=_pass)
    return app


async def _pass(request: Request, call_next: Any) -> Any:
    return await call_next(request)


def test_a_request_is_told_in_all_signals(captured: Any) -> None:
    """A request lacks its span, its metrics or its access log record, or one of them says something wrong, or twice."""
    with asgi_server(make_app()) as address:
        answer = requests.get(f"{address}/orders/7?color=red", headers={"who": "ada"}, timeout=10)
        wait_for(lambda: access_logs(captured))
    assert answer.json() == {"id": 7, "user": "somebody"}
    [span] = server_spans(captured)
    host, port = address.removeprefix("http://").split(":")
    assert span.name == "GET /orders/{order_id}"
    expected = {
        "http.request.method": "GET",
        "http.route": "/orders/{order_id}",
        "http.response.status_code": 200,
        "url.path": "/orders/7",
        "url.query": "color=red",
        "url.scheme": "http",
        "server.address": host,
        "server.port": int(port),
        "client.address": "127.0.0.1",
        "http.response.body.size": len(answer.content),
        "user.id": "ada",  # bound in a dependency, after the span had begun
    }
    assert {name: span.attributes.get(name) for name in expected} == expected
    assert span.status.status_code.name == "UNSET"
    assert "http send" not in {each.name for each in captured.spans}
    [record] = access_logs(captured)
    assert record.body == "GET /orders/{order_id} 200"
    assert (record.trace_id, record.span_id) == (span.context.trace_id, span.context.span_id)
    assert record.attributes["user.id"] == "ada"
    assert record.attributes["otel_kit.http.duration"] > 0
    assert record.attributes["http.response.body.size"] == len(answer.content)
    assert record.attributes["user_agent.original"].startswith("python-requests")
    [duration] = points(captured, "http.server.request.duration")
    assert duration.count == 1
    assert duration.explicit_bounds[:2] == (0.005, 0.01)
    assert dict(duration.attributes)["http.route"] == "/orders/{order_id}"
    [size] = points(captured, "http.server.response.body.size")
    assert size.sum == len(answer.content)


def test_errors_are_the_server_s_or_not(captured: Any) -> None:
    """A 4xx is an error of the server, a 5xx is not, or nobody says in which line of the user's code it failed."""
    app = make_app()
    with asgi_server(app) as address:
        for path in ("/orders/0", "/orders/seven", "/nowhere", "/broken", "/handled"):
            requests.get(address + path, timeout=10)
        wait_for(lambda: len(access_logs(captured)) == 5)
    spans = {span.attributes["url.path"]: span for span in server_spans(captured)}
    assert {path: span.attributes["http.response.status_code"] for path, span in spans.items()} == {
        "/orders/0": 404,
        "/orders/seven": 422,
        "/nowhere": 404,
        "/broken": 500,
        "/handled": 503,
    }
    assert {path for path, span in spans.items() if span.status.status_code.name == "ERROR"} == {
        "/broken",
        "/handled",
    }
    assert spans["/nowhere"].name == "GET"
    assert spans["/broken"].attributes["error.type"] == "ZeroDivisionError"
    assert (
        spans["/handled"].attributes["error.type"].endswith(("ShopError", "503"))
    )  # the latter is FastAPI's own
    for path, function in (("/broken", "broken"), ("/handled", "handled")):
        assert spans[path].attributes["code.function.name"].endswith(f"make_app.<locals>.{function}")
        assert spans[path].attributes["code.file.path"] == __file__
    told = [
        record for record in captured.logs if record.attributes.get("exception.type") == "ZeroDivisionError"
    ]
    assert len([record for record in told if record.scope != "uvicorn.error"]) == 1
    levels = {record.attributes["url.path"]: record.severity_text for record in access_logs(captured)}
    assert (levels["/broken"], levels["/nowhere"]) == ("ERROR", "INFO")


def test_excluded_paths_are_counted_and_not_traced(captured: Any) -> None:
    """A health check has a span, or what it asks of others has one, or it is missing in the metrics."""
    with asgi_server(make_app()) as address:
        sampled = {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}
        for headers in ({}, sampled):
            requests.get(f"{address}/health", headers=headers, timeout=10)
        requests.get(f"{address}/orders/1", timeout=10)
        wait_for(lambda: access_logs(captured))
    assert [span.name for span in captured.spans] == ["GET /orders/{order_id}"]
    durations = points(captured, "http.server.request.duration")
    assert {dict(p.attributes)["http.route"]: p.count for p in durations} == {
        "/health": 2,
        "/orders/{order_id}": 1,
    }
    assert sum(p.value for p in points(captured, "http.server.active_requests")) == 0
    assert [record.body for record in access_logs(captured)] == ["GET /orders/{order_id} 200"]


def test_streams_last_until_their_end_and_show_who_left(captured: Any) -> None:
    """A stream's duration or size stops at its beginning, or one that the client left looks complete."""
    with asgi_server(make_app()) as address:
        requests.get(f"{address}/stream", timeout=10)
        leave_early(address, "/endless")
        wait_for(lambda: len(access_logs(captured)) == 2)
    spans = {span.name: span for span in server_spans(captured)}
    whole, left = spans["GET /stream"], spans["GET /endless"]
    assert whole.end_time - whole.start_time > 0.05e9
    assert whole.attributes["http.response.body.size"] == 300
    assert "otel_kit.http.disconnected" not in whole.attributes
    assert left.attributes["otel_kit.http.disconnected"] is True


def test_websockets_last_until_they_are_closed(captured: Any) -> None:
    """A websocket has no span, or one that ends with the handshake, or is counted among the requests."""
    with (
        starlette_testclient.TestClient(make_app()) as client,
        client.websocket_connect("/talk/lobby") as socket,
    ):
        socket.send_text("hello")
        assert socket.receive_text() == "HELLO"
        assert socket.receive()["type"] == "websocket.close"
    wait_for(lambda: access_logs(captured))
    [span] = server_spans(captured)
    assert span.name == "WS /talk/{room}"
    assert span.end_time - span.start_time > 0.05e9
    assert span.attributes["session.id"] == "lobby"
    assert not points(captured, "http.server.request.duration")
    [record] = access_logs(captured)
    assert record.attributes["otel_kit.http.duration"] > 0.05


def test_the_handshake_of_a_websocket_has_its_status(captured: Any) -> None:
    """A websocket's span does not say whether it was accepted."""
    app = FastAPI()

    @app.websocket("/talk/{room}")
    async def talk(websocket: WebSocket, room: str) -> None:
        if room == "closed":
            raise WebSocketException(code=1008)
        await websocket.accept()
        await websocket.close()

    client = starlette_testclient.TestClient(app)
    with client.websocket_connect("/talk/open"):
        pass
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/talk/closed"):
        pass
    spans = wait_for(lambda: len(found := server_spans(captured)) == 2 and found)
    assert [span.attributes["http.response.status_code"] for span in spans] == [101, 403]
    assert [span.status.status_code.name for span in spans] == ["UNSET", "UNSET"]


def test_mounted_applications_are_one_request(captured: Any) -> None:
    """A request to a mounted application has two server spans or durations, or lacks the mount's prefix."""
    with starlette_testclient.TestClient(make_app()) as client:
        client.get("/inner/items/3")
    assert [span.name for span in server_spans(captured)] == ["GET /inner/items/{item}"]
    assert sum(p.count for p in points(captured, "http.server.request.duration")) == 1


def test_starlette_with_classes_mounts_and_background_tasks(captured: Any) -> None:
    """A plain Starlette application lacks its route, or the time of a background task is added to the request's."""

    class Items(HTTPEndpoint):
        async def get(self, request: Any) -> PlainTextResponse:
            return PlainTextResponse("item", background=BackgroundTask(asyncio.sleep, 0.2))

    app = Starlette(routes=[Mount("/shop", routes=[Route("/items/{item:int}", Items)])])
    with starlette_testclient.TestClient(app) as client:
        client.get("/shop/items/3")
        client.post("/shop/items/3")
    first, second = server_spans(captured)
    assert (first.name, second.name) == ("GET /shop/items/{item}", "POST /shop/items/{item}")
    assert second.attributes["http.response.status_code"] == 405
    assert first.end_time - first.start_time < 0.2e9


def test_what_breaks_off_behind_a_middleware_is_an_error(captured: Any) -> None:
    """A stream that raised is fine, or a 500 has no reason, because a middleware sends the response from another task."""

    async def broken(request: Any) -> StreamingResponse:
        async def parts() -> AsyncIterator[bytes]:
            yield b"x"
            raise ZeroDivisionError("on purpose")

        return StreamingResponse(parts())

    async def inner(request: Any) -> None:
        raise ZeroDivisionError("on purpose")

    async def late(request: Any) -> PlainTextResponse:
        return PlainTextResponse("fine", background=BackgroundTask(inner, request))

    native, plain = FastAPI(), Starlette(routes=[Route("/", broken)])
    for app in (native, plain):
        app.add_middleware(BaseHTTPMiddleware, dispatch=_pass)
        app.add_route("/stream", broken)
        app.add_route("/late", late)
        app.mount("/inner", Starlette(routes=[Route("/", inner)]))
        client = starlette_testclient.TestClient(app, raise_server_exceptions=False)
        for where in ("/stream", "/inner/", "/late"):
            client.get(where)
    found = [
        (span.status.status_code.name, "code.line.number" in span.attributes)
        for span in server_spans(captured)
    ]
    assert found == [("ERROR", True), ("ERROR", True), ("UNSET", False)] * 2
    levels = [record.severity_text for record in access_logs(captured)]
    assert levels == ["ERROR", "ERROR", "INFO"] * 2


@pytest.mark.parametrize("middleware", [False, True])
def test_a_handler_that_holds_the_loop_up_is_named_in_its_trace(middleware: bool) -> None:
    """The server's function is named, without a trace, because the step ended with the request or in a middleware."""

    async def careless(request: Any) -> PlainTextResponse:
        time.sleep(0.15)
        return PlainTextResponse("fine")

    app = Starlette(routes=[Route("/", careless)])
    if middleware:
        app.add_middleware(BaseHTTPMiddleware, dispatch=_pass)
    with capture(instrument=["starlette", "asyncio"]) as captured, asgi_server(app) as address:
        requests.get(address, timeout=10)
        wait_for(lambda: len(server_spans(captured)) == 1)
        told = wait_for(lambda: [r for r in captured.logs if r.event_name == "otel_kit.asyncio.blocked"])
    [span] = server_spans(captured)
    named = [r for r in told if r.attributes["code.function.name"].endswith("careless")]
    assert [(record.trace_id, record.span_id) for record in named] == [
        (span.context.trace_id, span.context.span_id)
    ]
    assert named[0].attributes["code.line.number"] == careless.__code__.co_firstlineno
    assert named[0].attributes["otel_kit.request.id"] == span.attributes["otel_kit.request.id"]


@pytest.mark.filterwarnings("ignore:starlette.middleware.wsgi")
@pytest.mark.parametrize("make", [FastAPI, Starlette])
def test_a_wsgi_application_inside_is_the_same_request(make: Any) -> None:
    """A Flask application in a FastAPI, as FastAPI's documentation has it, makes a second request of each."""
    flask = pytest.importorskip("flask")
    wsgi = pytest.importorskip("starlette.middleware.wsgi")
    inside = flask.Flask("inside")
    inside.logger.disabled = True
    inside.get("/hi/<name>", endpoint="hi")(lambda name: name)
    inside.get("/broken", endpoint="broken")(lambda: 1 / 0)
    app = make()
    app.mount("/v1", wsgi.WSGIMiddleware(inside))
    with capture(instrument=["fastapi", "starlette", "flask"]) as captured:
        client = starlette_testclient.TestClient(app, raise_server_exceptions=False)
        for where in ("/v1/hi/ada?a=1", "/v1/broken", "/v1/nowhere"):
            assert client.get(where).headers["x-request-id"]
    spans = server_spans(captured)
    assert [span.name for span in spans] == ["GET /v1/hi/<name>", "GET /v1/broken", "GET /v1/{path}"]
    assert [span.attributes["http.response.status_code"] for span in spans] == [200, 500, 404]
    assert spans[1].attributes["code.function.name"].endswith("<lambda>")
    routes = [record.attributes["http.route"] for record in access_logs(captured)]
    assert routes == ["/v1/hi/<name>", "/v1/broken", "/v1/{path}"]
    counted = points(captured, "http.server.request.duration")
    assert {(point.attributes["http.route"], point.count) for point in counted} == {
        (route, 1) for route in routes
    }


def test_one_application_alone() -> None:
    """Turning one application on turns others on, or undo leaves something on."""
    chosen, other = make_app(), make_app()
    plain, plain_other = Starlette(routes=[Route("/", _plain)]), Starlette(routes=[Route("/", _plain)])
    with capture() as captured:
        assert instrument.fastapi(chosen) is chosen
        assert instrument.starlette(plain) is plain
        for app in (chosen, other, plain, plain_other):
            starlette_testclient.TestClient(app).get("/")
        assert len(access_logs(captured)) == 2
        instrument.fastapi.undo()
        instrument.starlette.undo()
        captured.clear()
        starlette_testclient.TestClient(chosen).get("/")
        assert access_logs(captured) == []


async def _plain(request: Any) -> PlainTextResponse:
    return PlainTextResponse("fine")


def test_the_server_s_own_line_is_no_second_record(captured: Any) -> None:
    """uvicorn's access line becomes a record beside ours, or is lost where ours is off."""
    seen: list[str] = []

    class Lines(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            seen.append(record.getMessage())

    lines = Lines()
    access = logging.getLogger("uvicorn.access")
    with asgi_server(make_app(), log_level="info", log_config=None) as address:
        access.setLevel(logging.INFO)
        access.addHandler(lines)
        try:
            requests.get(f"{address}/orders/1", timeout=10)
            wait_for(lambda: access_logs(captured))
        finally:
            access.removeHandler(lines)
    assert len(seen) == 1
    assert [record.scope for record in captured.logs if "access" in record.scope] == ["otel_kit.access"]
    with (
        capture(instrument=["fastapi"], access_log=False) as without,
        asgi_server(make_app(), log_level="info", log_config=None) as address,
    ):
        requests.get(f"{address}/orders/1", timeout=10)
        wait_for(lambda: [record for record in without.logs if record.scope == "uvicorn.access"])
        assert access_logs(without) == []
