"""Where applications of Starlette, and of FastAPI which is made of it, are entered and find their routes.

Both files hook the same class, so the hook is here, and each says which applications it watches.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, NamedTuple

from otel_kit import _guard
from otel_kit.instrument import _loop
from otel_kit.instrument._asgi import NATIVE, AsgiScope, Message, Receive, Send, is_request, serve
from otel_kit.instrument._exchange import KEY, Exchange
from otel_kit.instrument._figures import OURS, Scope

_THEIRS = "OpenTelemetryMiddleware"  # contrib's and Starlette's own, which the program adds itself


class Watcher(NamedTuple):
    """Who watches some applications.

    Attributes:
        wants: whether an application is among them.
        native: the scope of the metrics that such an application makes by itself.
    """

    wants: Callable[[Any], bool]
    native: Scope = OURS


_lock = threading.Lock()
_watchers: dict[str, Watcher] = {}
_originals: list[tuple[type, str, Any]] = []


def follow(owner: str, watcher: Watcher) -> None:
    """Watch the applications that the watcher wants."""
    with _lock:
        _watchers[owner] = watcher
        if not _originals:
            _install()


def unfollow(owner: str) -> None:
    """Watch them no longer; without any watcher nothing of ours stays on the classes."""
    with _lock:
        _watchers.pop(owner, None)
        if not _watchers:
            while _originals:
                cls, name, original = _originals.pop()
                setattr(cls, name, original)


def _install() -> None:
    from starlette.applications import Starlette
    from starlette.routing import Mount, Route, WebSocketRoute

    _replace(Starlette, "__call__", _entering)
    for cls in (Route, WebSocketRoute):
        _replace(cls, "handle", _routing)
    _replace(Mount, "handle", _mounting)


def _replace(cls: type, name: str, make: Callable[[Any], Any]) -> None:
    original = getattr(cls, name)
    _originals.append((cls, name, original))
    setattr(cls, name, wraps(original)(make(original)))


def _watcher_of(app: Any) -> Watcher | None:
    for watcher in list(_watchers.values()):
        if watcher.wants(app):
            return watcher
    return None


def _entering(original: Any) -> Any:
    async def call(app: Any, scope: AsgiScope, receive: Receive, send: Send) -> None:
        watcher = _watcher_of(app) if is_request(scope) else None
        if watcher is None:
            await original(app, scope, receive, send)
            return
        own = scope.get(NATIVE) is None and not _tells_itself(app)
        figures = watcher.native if NATIVE in scope else OURS

        async def inside(*args: Any) -> None:
            await original(app, *args)

        await serve(inside, scope, receive, send, own=own, figures=figures)

    return call


def _tells_itself(app: Any) -> bool:
    if getattr(app, "_is_instrumented_by_opentelemetry", False):
        return True
    added: list[Any] = getattr(app, "user_middleware", None) or []
    return bool(added) and any(getattr(each.cls, "__name__", "") == _THEIRS for each in added)


def _routing(original: Any) -> Any:
    async def handle(route: Any, scope: AsgiScope, receive: Receive, send: Send) -> None:
        exchange = _note(scope, route.path_format, mounted=False)
        if exchange is None:
            await original(route, scope, receive, send)
            return
        wire = _Wire(exchange, send, route.endpoint)
        try:
            await original(route, scope, receive, wire)
        except Exception as error:
            wire.broke(error)
            raise

    return handle


class _Wire:
    """What a route sends.

    A middleware may send it on from another task, where nothing is known of the exception behind it, and may complete what
    broke off.
    """

    __slots__ = ("_endpoint", "_exchange", "_is_due", "_send")

    def __init__(self, exchange: Exchange, send: Send, endpoint: Any) -> None:
        self._exchange, self._send, self._endpoint, self._is_due = exchange, send, endpoint, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._is_due = True
            if self._exchange.age >= _loop.Threshold.seconds:
                _loop.served(self._endpoint)
            if message["status"] >= 500:
                self._exchange.handled()
        elif message["type"] == "http.response.body":
            self._is_due = bool(message.get("more_body"))
        await self._send(message)

    def broke(self, error: Exception) -> None:
        """The route raised. What has begun to go out cannot become the answer of an exception handler any more."""
        if self._is_due:
            self._exchange.failed(error)
        else:
            self._exchange.raised = error


def _mounting(original: Any) -> Any:
    async def handle(route: Any, scope: AsgiScope, receive: Receive, send: Send) -> None:
        _note(scope, route.path, mounted=True)
        await original(route, scope, receive, send)

    return handle


def _note(scope: AsgiScope, path: str, *, mounted: bool) -> Exchange | None:
    exchange = scope.get(KEY)
    if not isinstance(exchange, Exchange):
        return None
    try:
        if mounted:
            exchange.prefix += path
            path = "/{path}"
        exchange.matched(exchange.prefix + path)
    except Exception as error:
        _guard.contained("instrument.starlette", error)
    return exchange
