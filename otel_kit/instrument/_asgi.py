"""An ASGI application as a server sees it: requests and websockets, until their last message."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from otel_kit import _guard, semconv
from otel_kit.instrument import _loop
from otel_kit.instrument._exchange import KEY, Exchange
from otel_kit.instrument._figures import OURS, Scope
from otel_kit.instrument._head import AsgiHead, client_of, texts
from otel_kit.instrument._web import current
from otel_kit.signals.logs import access

AsgiScope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[AsgiScope, Receive, Send], Awaitable[None]]

NATIVE = "fastapi.telemetry"
"""Where FastAPI (0.142 and newer) keeps its own telemetry in the scope; None there keeps it quiet for the request."""

_CLOSED_NORMALLY = (1000, 1001, 1005, None)


def is_request(scope: AsgiScope) -> bool:
    """Whether this is a request that nobody watches yet."""
    return scope.get("type") in ("http", "websocket") and KEY not in scope


async def serve(
    app: App, scope: AsgiScope, receive: Receive, send: Send, *, own: bool = True, figures: Scope = OURS
) -> None:
    """Have the application serve a request, and tell about it.

    Args:
        app: the application.
        scope, receive, send: what ASGI hands over.
        own: make the span and the figures; otherwise only complete those of the framework.
        figures: the scope of the metrics.
    """
    exchange = _begun(scope, own, figures)
    if exchange is None:
        await app(scope, receive, send)
        return
    wires = _Wires(exchange, receive, send)
    exchange.prefix = (scope.get("app_root_path") or scope.get("root_path") or "").rstrip("/")
    try:
        await app(scope, wires.receive, wires.send)
    except BaseException as error:
        if not _is_goodbye(error):
            exchange.failed(error)
        raise
    finally:
        _end(exchange)
        scope.pop(KEY, None)


def _is_goodbye(error: BaseException) -> bool:
    """Frameworks raise where the application listens to a websocket and its client has closed it, as clients do."""
    return type(error).__name__ == "WebSocketDisconnect" and getattr(error, "code", 0) in _CLOSED_NORMALLY


async def watch(
    call: Callable[[AsgiScope], Awaitable[Any]],
    scope: AsgiScope,
    answer: Callable[[Any], tuple[int, dict[str, str], int]],
) -> Any:
    """The same for a test client, which calls without a server and gets the framework's own response.

    Args:
        call: has the request served.
        scope: the request.
        answer: tells a response's status, its headers by lower-case names, and its length.
    """
    exchange = _begun(scope, own=True, figures=OURS)
    if exchange is None:
        return await call(scope)
    try:
        response = await call(scope)
        status, headers, exchange.response.length = answer(response)
        exchange.answered(status, headers)
        for name, value in exchange.new_headers(headers):
            response[name] = value
        return response
    except BaseException as error:
        exchange.failed(error)
        raise
    finally:
        _end(exchange)
        scope.pop(KEY, None)


def _begun(scope: AsgiScope, own: bool, figures: Scope) -> Exchange | None:
    try:
        if own:
            scope.setdefault(NATIVE, None)  # a FastAPI inside would tell the same again
        websocket = scope["type"] == "websocket"
        exchange = Exchange(AsgiHead(scope), own=own, websocket=websocket, scope=figures)
        if current().access_log:
            access.begin()
        exchange.enter()
        scope[KEY] = exchange
        return exchange
    except Exception as error:
        _guard.contained("instrument.asgi", error)
        return None


def _end(exchange: Exchange) -> None:
    try:
        _look_for_route(exchange)
        if client := client_of(exchange.head.raw):
            exchange.head.client = client
        exchange.describe()
        exchange.tell()
        if exchange.age >= (least := _loop.Threshold.seconds):
            _loop.served(exchange.head.raw.get("endpoint") if exchange.seconds >= least else None)
    except Exception as error:
        _guard.contained("instrument.asgi", error)
    finally:
        exchange.leave()


def _look_for_route(exchange: Exchange) -> None:
    try:
        _find_route(exchange)
    except Exception as error:
        _guard.contained("instrument.asgi", error)


def _find_route(exchange: Exchange) -> None:
    """FastAPI knows the route of its routers best; newer Starlettes and other frameworks leave it in the scope."""
    scope = exchange.head.raw
    native = scope.get(NATIVE)
    if exchange.is_handed_on and native is not None:
        with suppress(AttributeError):  # the route of the application inside, for FastAPI's duration, too
            native.route = exchange.route
        exchange.span.update_name(exchange.title)
        exchange.span.set_attribute(semconv.HTTP_ROUTE, exchange.route)
    elif route := getattr(native, "route", None):
        exchange.route = route
    elif not exchange.route and isinstance(path := getattr(scope.get("route"), "path_format", None), str):
        exchange.matched(exchange.prefix + path)


class _Wires:
    """What the application receives from and sends to the server, and what is seen of it."""

    __slots__ = ("_exchange", "_receive", "_send", "_trailers")

    def __init__(self, exchange: Exchange, receive: Receive, send: Send) -> None:
        self._exchange, self._receive, self._send = exchange, receive, send
        self._trailers = False

    async def receive(self) -> Message:
        """The server's next message."""
        message = await self._receive()
        try:
            self._note_received(message)
        except Exception as error:
            _guard.contained("instrument.asgi", error)
        return message

    def _note_received(self, message: Message) -> None:
        kind, exchange = message["type"], self._exchange
        if kind == "http.request":
            exchange.request.add(message.get("body") or b"")
        elif kind == "websocket.receive":
            exchange.request.add(message.get("bytes") or (message.get("text") or "").encode())
        elif kind == "http.disconnect":
            exchange.disconnected = not exchange.is_over
        elif kind == "websocket.disconnect":
            exchange.disconnected = message.get("code") not in _CLOSED_NORMALLY

    async def send(self, message: Message) -> None:
        """Send the application's message on."""
        last = False
        try:
            message, last = self._noted(message)
        except Exception as error:
            _guard.contained("instrument.asgi", error)
        if not last:
            await self._send(message)
            return
        _look_for_route(self._exchange)
        # FastAPI ends its own span when this message has gone out; ours lasts until then.
        if not self._exchange.own:
            self._exchange.describe()
        await self._send(message)
        self._exchange.describe()
        self._exchange.tell()

    def _noted(self, message: Message) -> tuple[Message, bool]:
        kind, exchange = message["type"], self._exchange
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._trailers = message.get("trailers", False)
            return self._started(message, message["status"]), False
        if kind == "http.response.body":
            exchange.response.add(message.get("body") or b"")
            return message, not message.get("more_body") and not self._trailers
        if kind == "websocket.accept":
            return self._started(message, 101), False
        if kind == "websocket.send":
            exchange.response.add(message.get("bytes") or (message.get("text") or "").encode())
        elif kind == "websocket.http.response.body":
            exchange.response.add(message.get("body") or b"")
        elif kind == "websocket.close" and not exchange.status:
            exchange.answered(403, {})  # that is how servers refuse the handshake then
        return message, kind == "http.response.pathsend" or (
            kind == "http.response.trailers" and not message.get("more_trailers")
        )

    def _started(self, message: Message, status: int) -> Message:
        given, exchange = list(message.get("headers") or ()), self._exchange
        message = {**message, "headers": given}  # they may have been an iterator
        try:
            exchange.answered(status, texts(given) if exchange.wants_headers else {})
            present = [bytes(name).lower() for name, _ in given]
            for name, value in exchange.new_headers(()):
                if name.encode() not in present:
                    given.append((name.encode(), value.encode()))
        except Exception as error:
            _guard.contained("instrument.asgi", error)
        return message
