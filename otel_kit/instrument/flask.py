"""Flask: our own hooks, around two of Flask's methods and on two of its signals; no package of contrib's.

``Flask.__call__`` is where a server enters every app, whenever it was made. ``request_started`` tells the route,
``got_request_exception`` the exception that becomes a 500, ``handle_user_exception`` one that the app has a handler for. An
app that the program handed to contrib's instrumentor itself is left to that; then only ids and the access log record are added.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Iterable
from functools import wraps
from typing import TYPE_CHECKING, Any

from otel_kit.instrument import _wsgi
from otel_kit.instrument._exchange import KEY, Exchange

if TYPE_CHECKING:
    from flask import Flask

_lock = threading.RLock()
_apps: weakref.WeakSet[Any] = weakref.WeakSet()
_call: Callable[..., Any] | None = None
_handle: Callable[..., Any] | None = None


class _State:
    everywhere = False


def instrument(app: Any = None) -> Any:
    """Turn it on, for every app or for one alone; nothing happens where it is on already.

    Args:
        app: the one; None for all that exist and all to come.

    Returns:
        The app.
    """
    with _lock:
        _install()
        if app is None:
            _State.everywhere = True
        else:
            _apps.add(app)
    return app


def undo() -> None:
    """Turn it off again, for all apps."""
    global _call, _handle
    with _lock:
        _State.everywhere = False
        _apps.clear()
        if _call is None:
            return
        from flask import Flask, got_request_exception, request_started

        setattr(Flask, "__call__", _call)  # noqa: B010  (mypy knows that methods are not assigned to)
        setattr(Flask, "handle_user_exception", _handle)  # noqa: B010
        _call = _handle = None
        request_started.disconnect(_started)
        got_request_exception.disconnect(_failed)


def _install() -> None:
    global _call, _handle
    if _call is not None:
        return
    from flask import Flask, got_request_exception, request_started

    _call = original = Flask.__call__

    @wraps(original)
    def call(app: Flask, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if not _wsgi.is_request(environ) or not (_State.everywhere or app in _apps):
            return original(app, environ, start_response)
        own = not getattr(app, "_is_instrumented_by_opentelemetry", False)
        return _wsgi.serve(lambda *args: original(app, *args), environ, start_response, own=own)

    setattr(Flask, "__call__", call)  # noqa: B010
    _handle = Flask.handle_user_exception
    setattr(Flask, "handle_user_exception", _handling(_handle))  # noqa: B010
    request_started.connect(_started)
    got_request_exception.connect(_failed)


def _handling(original: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(original)
    def handle(app: Flask, e: Exception, *args: Any) -> Any:
        # Flask sends the handler's answer when it has left the exception behind. One of werkzeug's is an answer itself.
        if not hasattr(e, "get_response") and (exchange := _exchange()):
            exchange.raised = e
        return original(app, e, *args)

    return handle


def _exchange() -> Exchange | None:
    from flask import request

    found = request.environ.get(KEY)
    return found if isinstance(found, Exchange) else None


def _started(_sender: Any, **_: Any) -> None:
    from flask import request

    if request.url_rule is not None and (exchange := _exchange()):
        exchange.matched(request.environ.get("SCRIPT_NAME", "").rstrip("/") + request.url_rule.rule)


def _failed(_sender: Any, exception: BaseException, **_: Any) -> None:
    if exchange := _exchange():
        exchange.failed(exception)
