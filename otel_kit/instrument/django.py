"""Django: our own hooks on the handlers that servers and Django's test client call, and where URLs are resolved.

No middleware is added to the settings, so it does not matter whether those were read already. Exceptions that Django
turns into a 500 are seen by its signal ``got_request_exception``. Nothing of Django is imported here: each hook waits for
its module, because ``import django`` alone is cheap and its handlers are not.
"""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Callable, Iterable
from functools import partial, wraps
from typing import Any

from otel_kit import _guard
from otel_kit._imports import when_imported
from otel_kit.instrument import _asgi, _wsgi
from otel_kit.instrument._exchange import KEY, Exchange

_lock = threading.Lock()
_originals: list[tuple[type, str, Any]] = []
_DECORATION = re.compile(r"\\[AZ]|[\^$]")  # what a pattern of re_path() has and no path


_SIGNALS = "django.core.signals"


class _State:
    on = False


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    with _lock:
        if _State.on:
            return
        _State.on = True
    for module in dict.fromkeys(hook[0] for hook in _HOOKS):
        when_imported(module, partial(_hook, module))
    when_imported(_SIGNALS, _connect)


def undo() -> None:
    """Turn it off again."""
    with _lock:
        if not _State.on:
            return
        _State.on = False
        while _originals:
            cls, name, original = _originals.pop()
            setattr(cls, name, original)
    if module := sys.modules.get(_SIGNALS):
        module.got_request_exception.disconnect(_failed)


def _connect() -> None:
    if _State.on:
        sys.modules[_SIGNALS].got_request_exception.connect(_failed)


def _hook(module: str) -> None:
    for where, cls, name, make in _HOOKS:
        if where == module:
            _replace(module, cls, name, make)


def _replace(module: str, cls: str, name: str, make: Callable[[Any], Any]) -> None:
    with _lock:
        found = getattr(sys.modules[module], cls)
        original = getattr(found, name)
        if _State.on and not hasattr(original, "__wrapped__"):
            _originals.append((found, name, original))
            setattr(found, name, wraps(original)(make(original)))


def _entering_wsgi(original: Any) -> Any:
    def call(handler: Any, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not _wsgi.is_request(environ):
            result: Iterable[bytes] = original(handler, environ, start_response)
            return result
        return _wsgi.serve(partial(original, handler), environ, start_response)

    return call


def _entering_asgi(original: Any) -> Any:
    async def call(handler: Any, scope: Any, receive: Any, send: Any) -> None:
        if _asgi.is_request(scope):
            await _asgi.serve(partial(original, handler), scope, receive, send)
        else:
            await original(handler, scope, receive, send)

    return call


def _entering_client(original: Any) -> Any:
    def call(handler: Any, environ: dict[str, Any]) -> Any:
        if not _wsgi.is_request(environ):
            return original(handler, environ)
        return _wsgi.watch(partial(original, handler), environ, _answer)

    return call


def _entering_async_client(original: Any) -> Any:
    async def call(handler: Any, scope: Any) -> Any:
        if not _asgi.is_request(scope):
            return await original(handler, scope)
        return await _asgi.watch(partial(original, handler), scope, _answer)

    return call


def _answer(response: Any) -> tuple[int, dict[str, str], int]:
    """Status, headers and length of one of Django's responses."""
    headers = {name.lower(): value for name, value in response.items()}
    return response.status_code, headers, 0 if response.streaming else len(response.content)


def _resolving(original: Any) -> Any:
    def resolve_request(handler: Any, request: Any) -> Any:
        match = original(handler, request)
        try:
            if (exchange := _exchange(request)) and isinstance(match.route, str):
                exchange.matched(_prefix(exchange) + route_of(match.route))
        except Exception as error:
            _guard.contained("instrument.django", error)
        return match

    return resolve_request


def _handling(original: Any) -> Any:
    def process_exception_by_middleware(handler: Any, exception: Any, request: Any) -> Any:
        if exchange := _exchange(request):
            exchange.raised = exception  # a middleware may have an answer to it
        return original(handler, exception, request)

    return process_exception_by_middleware


def _failed(request: Any = None, **_: Any) -> None:
    error = sys.exc_info()[1]
    if error is not None and (exchange := _exchange(request)):
        exchange.failed(error)


def _exchange(request: Any) -> Exchange | None:
    scope = getattr(request, "scope", None)
    found = (getattr(request, "META", {}) if scope is None else scope).get(KEY)
    return found if isinstance(found, Exchange) else None


def _prefix(exchange: Exchange) -> str:
    raw = exchange.head.raw
    return str(raw.get("SCRIPT_NAME") or raw.get("root_path") or "").rstrip("/")


def route_of(pattern: str) -> str:
    """A URL pattern as a route: ``orders/<int:id>/`` is ``/orders/<int:id>/``."""
    return f"/{_DECORATION.sub('', pattern).lstrip('/')}"


_HOOKS: tuple[tuple[str, str, str, Callable[[Any], Any]], ...] = (
    ("django.core.handlers.base", "BaseHandler", "resolve_request", _resolving),
    ("django.core.handlers.base", "BaseHandler", "process_exception_by_middleware", _handling),
    ("django.core.handlers.wsgi", "WSGIHandler", "__call__", _entering_wsgi),
    ("django.core.handlers.asgi", "ASGIHandler", "__call__", _entering_asgi),
    ("django.test.client", "ClientHandler", "__call__", _entering_client),
    ("django.test.client", "AsyncClientHandler", "__call__", _entering_async_client),
)
