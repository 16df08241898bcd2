"""Any ASGI application in one line, called as a server calls it."""

from __future__ import annotations

import asyncio
import contextvars
import types
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import Sampler

from otel_kit import _guard, get_tracer, instrument
from otel_kit import current_context as bound
from otel_kit.testing import capture
from tests.instrument.serving import access_logs, points, server_spans

SCOPE: dict[str, Any] = {
    "type": "http",
    "asgi": {"version": "3.0"},
    "http_version": "1.1",
    "method": "GET",
    "scheme": "https",
    "path": "/a",
    "query_string": b"",
    "headers": [(b"host", b"[::1]:8443")],
    "client": ("10.0.0.1", 5),
    "server": ("127.0.0.1", 80),
}


@pytest.fixture
def captured() -> Iterator[Any]:
    with capture() as found:
        yield found


def call(app: Any, received: list[Any] | None = None, **scope: Any) -> list[Any]:
    """Call it once; what it sent."""
    messages, sent = list(received or [{"type": "http.request"}]), []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app({**SCOPE, **scope}, receive, send))
    return sent


def answering(status: int = 200, body: bytes = b"fine") -> Any:
    """An application that reads the request and answers."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": body})

    return app


def test_one_line_watches_an_application(captured: Any) -> None:
    """An application that was wrapped is watched not at all, twice, or under a wrong address."""
    app = instrument.asgi(instrument.asgi(answering()))
    sent = call(app, method="POST", headers=[*SCOPE["headers"], (b"content-length", b"12")])
    assert {name for name, _ in sent[0]["headers"]} == {b"x-request-id", b"x-correlation-id"}
    [span] = server_spans(captured)
    assert span.name == "POST"
    assert (span.attributes["server.address"], span.attributes["server.port"]) == ("::1", 8443)
    assert span.attributes["client.address"] == "10.0.0.1"
    assert span.attributes["http.request.body.size"] == 12
    assert len(access_logs(captured)) == 1
    instrument.asgi.undo()
    call(app)
    assert len(server_spans(captured)) == 1
    instrument.asgi()


@pytest.mark.parametrize(
    "odd",
    [
        {"method": "FROBNICATE"},
        {"headers": [(b"host", b"a b:c"), (b"traceparent", b"00-zz"), (b"content-length", b"many")]},
        {"headers": [(b"host", b"\xff\xfe"), (b"user-agent", b"\xff")], "client": None, "server": None},
        {"path": "/" + "x" * 100_000, "query_string": b"\xff%zz&&="},
        {"http_version": "", "scheme": "", "raw_path": None},
        {"server": ("/run/app.sock", None), "headers": []},
    ],
)
def test_odd_requests_are_served_and_told(captured: Any, odd: dict[str, Any]) -> None:
    """A request that no browser sends is not served, or makes an error of ours, or one series each."""
    assert call(instrument.asgi(answering()), **odd)[-1]["body"] == b"fine"
    [span] = server_spans(captured)
    assert span.attributes["http.response.status_code"] == 200
    if "method" in odd:
        assert span.name == "HTTP"
        assert span.attributes["http.request.method"] == "_OTHER"
        assert span.attributes["http.request.method_original"] == "FROBNICATE"


def test_the_trace_goes_on_from_the_caller(captured: Any) -> None:
    """The server's span has another trace than its caller, or what happens inside is not below it."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        with get_tracer("shop").start_as_current_span("inside"):
            await answering()(scope, receive, send)

    parent = f"00-{'a' * 32}-{'b' * 16}-01"
    call(instrument.asgi(app), headers=[(b"traceparent", parent.encode())])
    inside, server = sorted(captured.spans, key=lambda span: span.kind.name)
    assert f"{server.context.trace_id:032x}" == "a" * 32
    assert f"{server.parent.span_id:016x}" == "b" * 16
    assert inside.parent.span_id == server.context.span_id
    assert access_logs(captured)[0].span_id == server.context.span_id


def test_what_leaves_the_application_reaches_the_server(captured: Any) -> None:
    """An exception is swallowed, or the request that it ended is not an error with its place."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError):
        call(instrument.asgi(app))
    [span] = server_spans(captured)
    assert (span.attributes["error.type"], span.status.status_code.name) == ("KeyError", "ERROR")
    assert span.attributes["code.function.name"].endswith("<locals>.app")
    assert "http.response.status_code" not in span.attributes
    [exception] = [
        record for record in captured.logs if record.attributes.get("exception.type") == "KeyError"
    ]
    assert exception.trace_id == span.context.trace_id


def test_an_exception_that_a_span_inside_has_is_no_second_event(captured: Any) -> None:
    """The request's span repeats the event of the span inside, or is no error."""

    async def failing(scope: Any, receive: Any, send: Any) -> None:
        with get_tracer("tests").start_as_current_span("inner"):
            raise KeyError("lost")

    with pytest.raises(KeyError):
        call(instrument.asgi(failing))
    [span] = server_spans(captured)
    [inner] = [span for span in captured.spans if span.name == "inner"]
    assert [event.name for event in inner.events] == ["exception"]
    assert not span.events
    assert (span.status.status_code.name, span.attributes["error.type"]) == ("ERROR", "KeyError")


def test_a_cancelled_request_shows_it(captured: Any) -> None:
    """A request that the server cancels, because the client left, looks like any other."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        call(instrument.asgi(app))
    [span] = server_spans(captured)
    assert span.attributes["otel_kit.http.disconnected"] is True
    assert span.status.status_code.name == "UNSET"


def test_a_websocket_that_breaks_shows_it(captured: Any) -> None:
    """A websocket whose client vanished looks as if it had said goodbye."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.accept"})
        while (await receive())["type"] != "websocket.disconnect":
            pass

    for code in (1000, 1006):
        received = [
            {"type": "websocket.receive", "text": "é"},
            {"type": "websocket.disconnect", "code": code},
        ]
        sent = call(instrument.asgi(app), received, type="websocket", scheme="wss")
        assert {name for name, _ in sent[0]["headers"]} >= {b"x-request-id"}
    polite, broken = server_spans(captured)
    assert "otel_kit.http.disconnected" not in polite.attributes
    assert broken.attributes["otel_kit.http.disconnected"] is True
    assert not points(captured, "http.server.request.duration")


def test_a_websocket_that_is_refused_has_its_status(captured: Any) -> None:
    """A handshake that the application refuses looks like one that was never answered."""

    async def closing(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.close", "code": 1008})

    async def answering(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 429, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"later"})

    for app in (closing, answering):
        call(instrument.asgi(app), type="websocket", scheme="wss")
    statuses = [span.attributes["http.response.status_code"] for span in server_spans(captured)]
    assert statuses == [403, 429]
    assert [record.attributes["http.response.status_code"] for record in access_logs(captured)] == statuses


def test_a_client_that_says_goodbye_is_no_error(captured: Any) -> None:
    """A websocket that its client closed is an error, because the framework tells its application by an exception."""
    websockets = pytest.importorskip("starlette.websockets")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        websocket = websockets.WebSocket(scope, receive, send)
        await websocket.accept()
        await websocket.receive_text()

    for code in (1000, 1006):
        received = [{"type": "websocket.connect"}, {"type": "websocket.disconnect", "code": code}]
        with pytest.raises(websockets.WebSocketDisconnect):
            call(instrument.asgi(app), received, type="websocket", scheme="wss")
    polite, broken = server_spans(captured)
    assert "error.type" not in polite.attributes
    assert broken.attributes["error.type"].endswith("WebSocketDisconnect")
    assert [record.severity_text for record in access_logs(captured)] == ["INFO", "ERROR"]


def test_the_answer_to_head_has_no_body(captured: Any) -> None:
    """What the server keeps to itself is told as sent."""
    call(instrument.asgi(answering()), method="HEAD")
    assert "http.response.body.size" not in server_spans(captured)[0].attributes


@types.coroutine
def _waiting() -> Iterator[None]:
    yield


def test_a_request_that_is_given_up_elsewhere_is_quiet(
    captured: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A request that is still open when its loop is gone is no span, or its end is told as a failure of ours."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _waiting()

    request = instrument.asgi(app)(SCOPE, None, None)
    contextvars.copy_context().run(request.send, None)
    request.close()
    assert len(server_spans(captured)) == 1
    assert caplog.records == []


def test_headers_in_parts_and_compressed_bodies() -> None:
    """Of a header that was sent twice one part is missing, or the bytes of a compressed body are told as its text."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        headers = [
            (b"content-type", b"text/plain"),
            (b"content-encoding", b"gzip"),
            (b"x-a", b"3"),
            (b"x-a", b"4"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"\x1f\x8b"})

    given = [
        (b"x-a", b"1"),
        (b"x-a", b"2"),
        (b"cookie", b"a=1"),
        (b"cookie", b"b=2"),
        (b"content-type", b"text/plain"),
    ]
    settings = {
        "capture_request_headers": ["x-a", "cookie"],
        "capture_response_headers": ["x-a"],
        "capture_body": 9,
    }
    with capture(**settings, redact="off") as captured:
        call(instrument.asgi(app), [{"type": "http.request", "body": b"plain"}], headers=given)
    attributes = server_spans(captured)[0].attributes
    assert attributes["http.request.header.x-a"] == ("1, 2",)
    assert attributes["http.request.header.cookie"] == ("a=1; b=2",)
    assert attributes["http.response.header.x-a"] == ("3, 4",)
    assert attributes["otel_kit.http.request.body"] == "plain"
    assert "otel_kit.http.response.body" not in attributes


def test_what_breaks_the_rules_is_passed_on_and_over() -> None:
    """Where a server or an application breaks ASGI's rules we raise, change messages, or leave ids, span or count behind."""
    _guard.reset()  # what we do not understand is contained
    messages: list[Any] = [
        {"type": "http.response.start", "status": "200", "headers": iter([(b"a", b"b")])},
        {"no": "type"},
        {"type": "http.response.body", "body": None},
    ]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert await receive() is None
        for message in messages:
            await send(message)

    async def receive() -> Any:
        return None

    async def send(message: Any) -> None:
        sent.append(message)

    sent: list[Any] = []
    scope = {**SCOPE, "headers": [("x-a", "text")], "query_string": None}
    with capture(capture_request_headers=[".*"], capture_body=10) as captured:

        async def serve() -> None:
            await instrument.asgi(app)(scope, receive, send)
            assert bound() == {}
            assert not trace.get_current_span().get_span_context().is_valid

        asyncio.run(serve())
        assert len(server_spans(captured)) == 1
        assert sum(p.value for p in points(captured, "http.server.active_requests")) == 0
    assert [sent[0]["status"], *list(sent[0]["headers"])[:1], *sent[1:]] == [
        "200",
        (b"a", b"b"),
        *messages[1:],
    ]


def test_a_sampler_that_raises_leaves_nothing_behind() -> None:
    """A request whose span cannot be begun keeps ids for the next one, or is active for ever."""

    _guard.reset()

    class Broken(Sampler):
        def should_sample(self, *args: Any, **kwargs: Any) -> Any:
            raise RuntimeError("no sampling today")

        def get_description(self) -> str:
            return "broken"

    with capture() as captured:
        trace.get_tracer_provider().sampler = Broken()  # type: ignore[attr-defined]

        async def serve() -> None:
            sent: list[Any] = []

            async def send(message: Any) -> None:
                sent.append(message)

            async def receive() -> Any:
                return {"type": "http.request"}

            await instrument.asgi(answering())({**SCOPE}, receive, send)
            assert sent[-1]["body"] == b"fine"
            assert bound() == {}

        asyncio.run(serve())
        assert sum(p.value for p in points(captured, "http.server.active_requests")) == 0


def test_a_host_that_can_be_none_is_not_kept(captured: Any) -> None:
    """Whoever sends long Host headers fills the memory and the attributes with them."""
    call(instrument.asgi(answering()), headers=[(b"host", b"h" * 30_000)])
    assert "server.address" not in server_spans(captured)[0].attributes


def test_a_fastapi_inside_tells_nothing_twice() -> None:
    """A FastAPI application inside a wrapper of the program's choice has two spans or durations."""
    fastapi = pytest.importorskip("fastapi")
    app = fastapi.FastAPI()
    app.get("/a")(lambda: "fine")
    with capture(instrument=["fastapi", "starlette"]) as captured:
        call(instrument.asgi(app))
        assert [span.name for span in server_spans(captured)] == ["GET /a"]
        assert sum(p.count for p in points(captured, "http.server.request.duration")) == 1
        assert len(access_logs(captured)) == 1
