"""Flask: a server span named by the route, and the request metrics, by contrib's package, whenever the app was made.

contrib's instrumentor replaces the name ``flask.Flask``, which misses apps that exist and modules that did
``from flask import Flask`` before. So each app is handed to its ``instrument_app`` when its first request arrives.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import wraps
from typing import Any

from otel_kit import _guard
from otel_kit.instrument._contrib import load

_lock = threading.RLock()
_apps: weakref.WeakSet[Any] = weakref.WeakSet()
_call: Callable[..., Any] | None = None


def instrument() -> None:
    """Turn it on for every app; nothing happens where it is on already.

    Raises:
        NotPossibleError: if contrib's package is not installed.
    """
    global _call
    contrib, flask = load("flask"), _flask()
    with _lock:
        if _call is not None:
            return
        _call = original = flask.__call__

        @wraps(original)
        def call(app: Any, environ: dict[str, Any], start_response: Any) -> Any:
            if not getattr(app, "_is_instrumented_by_opentelemetry", False):
                _add(contrib, app)
            return original(app, environ, start_response)

        flask.__call__ = call


def undo() -> None:
    """Turn it off again, also for apps that have served requests."""
    global _call
    with _lock:
        if _call is None:
            return
        _flask().__call__, _call = _call, None
        for app in list(_apps):
            load("flask").FlaskInstrumentor.uninstrument_app(app)
        _apps.clear()


def _flask() -> Any:
    from flask import Flask

    return Flask


def _add(contrib: Any, app: Any) -> None:
    try:
        with _lock:
            if _call is not None and not getattr(app, "_is_instrumented_by_opentelemetry", False):
                _instrument_app(contrib, app)
                _apps.add(app)
    except Exception as error:
        # Not again at each request.
        app._is_instrumented_by_opentelemetry = True
        _guard.contained("instrument.flask", error)


def _instrument_app(contrib: Any, app: Any) -> None:
    # Flask refuses new hooks after an app's first request; ours are added to lists that it reads at each request.
    served, app._got_first_request = app._got_first_request, False
    try:
        contrib.FlaskInstrumentor.instrument_app(app, request_hook=_name_unrouted)
    finally:
        app._got_first_request = served
    # The span opens before the app's own hooks and closes after them: a hook that answers by itself would hide it.
    for hooks in (app.before_request_funcs[None], app.teardown_request_funcs[None]):
        hooks.insert(0, hooks.pop())


def _name_unrouted(span: Any, environ: dict[str, Any]) -> None:
    """Without a route the path would become the name, one per address that a scanner tries."""
    from flask import request

    if span is not None and request.url_rule is None:
        span.update_name(environ.get("REQUEST_METHOD", "HTTP"))
