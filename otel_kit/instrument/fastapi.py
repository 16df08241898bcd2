"""FastAPI: since 0.142 it makes span, duration, active requests and exception records itself; that is left to it.

Ours, on Starlette's class below it, adds what lacks: ids, their headers, body sizes, the user's line of code on errors,
the access log record. Excluded paths are counted by us, in FastAPI's scope, because FastAPI could only leave out both
the span and the count. For FastAPI before 0.142 everything is ours.

What FastAPI adds for each dependency, endpoint and serialization (its operation spans) costs as much as the request's span
again, so it is off unless the app asks with ``FastAPI(telemetry={"operation_spans": True})``. An app that was made
before ``init_telemetry`` cannot be asked what it wanted, so there it is off.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import lru_cache, wraps
from inspect import signature
from typing import Any

from otel_kit.instrument import _starlette
from otel_kit.instrument._asgi import NATIVE, AsgiScope, Receive, Send
from otel_kit.instrument._contrib import instances
from otel_kit.instrument._figures import OURS, Scope
from otel_kit.instrument._web import current

_lock = threading.Lock()
_quiet: weakref.WeakSet[Any] = weakref.WeakSet()
_apps: weakref.WeakSet[Any] = weakref.WeakSet()
_init: Callable[..., None] | None = None
_call: Callable[..., Any] | None = None


class _State:
    everywhere = False
    silent = False


def instrument(app: Any = None) -> Any:
    """Turn it on, for every app or for one alone; nothing happens where it is on already.

    Args:
        app: the one; None for all that exist and all to come.

    Returns:
        The app.
    """
    with _lock:
        _State.silent = False
        if app is None:
            _State.everywhere = True
        else:
            _apps.add(app)
        _watch_calls()
        if app is None:
            _watch_making()
    for each in _every_app() if app is None else (app,):
        _silence(each)
    _starlette.follow("fastapi", _starlette.Watcher(_wants, _native_scope()))
    return app


def undo() -> None:
    """Leave FastAPI as it is without us: a new one still emits, with its operation spans."""
    global _init, _call
    from fastapi import FastAPI

    _starlette.unfollow("fastapi")
    with _lock:
        _State.everywhere = _State.silent = False
        _apps.clear()
        if _init is not None:
            setattr(FastAPI, "__init__", _init)  # noqa: B010
        if _call is not None:
            setattr(FastAPI, "__call__", _call)  # noqa: B010
        _init = _call = None
        for app in list(_quiet):
            app._telemetry["operation_spans"] = True
        _quiet.clear()


def silence() -> None:
    """Turn off also what FastAPI emits by itself, until :func:`undo` or :func:`instrument`."""
    undo()
    with _lock:
        _State.silent = True
        _watch_calls()


def _watch_making() -> None:
    global _init
    if _init is not None:
        return
    from fastapi import FastAPI

    _init = original = FastAPI.__init__
    if "telemetry" not in signature(original).parameters:
        return

    @wraps(original)
    def init(app: FastAPI, *args: Any, **kwargs: Any) -> None:
        original(app, *args, **kwargs)
        if "operation_spans" not in (kwargs.get("telemetry") or {}):
            _silence(app)

    setattr(FastAPI, "__init__", init)  # noqa: B010  (mypy knows that methods are not assigned to)


def _watch_calls() -> None:
    global _call
    if _call is not None:
        return
    from fastapi import FastAPI

    _call = original = FastAPI.__call__

    @wraps(original)
    async def call(app: FastAPI, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if _State.silent or (_wants(app) and current().excludes(scope.get("path") or "")):
            scope.setdefault(NATIVE, None)
        await original(app, scope, receive, send)

    setattr(FastAPI, "__call__", call)  # noqa: B010


def _wants(app: Any) -> bool:
    kind: Any = type(app)
    return _is_one(kind) and (_State.everywhere or app in _apps)


@lru_cache(maxsize=256)
def _is_one(kind: type) -> bool:
    from fastapi import FastAPI

    return issubclass(kind, FastAPI)


def _native_scope() -> Scope:
    import fastapi

    try:
        from fastapi.telemetry import _asgi

        return "fastapi", fastapi.__version__, getattr(_asgi, "_SCHEMA_URL", None)
    except ImportError:  # before 0.142
        return OURS


def _every_app() -> list[Any]:
    from fastapi import FastAPI

    return instances(FastAPI)


def _silence(app: Any) -> None:
    """The dict is private, and read at each request: it is the only switch once an app exists."""
    settings = getattr(app, "_telemetry", None)
    if isinstance(settings, dict) and settings.get("operation_spans", True):
        settings["operation_spans"] = False
        _quiet.add(app)
