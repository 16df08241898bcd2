"""FastAPI: it emits spans, metrics and exception records by itself since 0.142; nothing of ours is in the request.

What it adds for each dependency, endpoint and serialization (its operation spans) costs as much as the request's span
again, so it is off unless the app asks with ``FastAPI(telemetry={"operation_spans": True})``. An app that was made
before ``init_telemetry`` cannot be asked what it wanted, so there it is off.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import Any

from otel_kit.instrument._contrib import NotPossibleError, instances

_lock = threading.Lock()
_quiet: weakref.WeakSet[Any] = weakref.WeakSet()
_init: Callable[..., None] | None = None


def instrument() -> None:
    """Turn the operation spans off, for apps that exist and apps to come; nothing happens where it was done already.

    Raises:
        NotPossibleError: if this FastAPI is too old to emit by itself.
    """
    global _init
    from fastapi import FastAPI, __version__

    if "telemetry" not in signature(FastAPI.__init__).parameters:
        raise NotPossibleError(
            f"FastAPI {__version__} emits nothing by itself (0.142 and newer do); "
            "run: pip install --upgrade 'otel-kit[fastapi]'"
        )
    with _lock:
        if _init is not None:
            return
        _init = original = FastAPI.__init__

        @wraps(original)
        def init(app: FastAPI, *args: Any, **kwargs: Any) -> None:
            original(app, *args, **kwargs)
            if "operation_spans" not in (kwargs.get("telemetry") or {}):
                _silence(app)

        setattr(FastAPI, "__init__", init)  # noqa: B010  (mypy knows that methods are not assigned to)
    for app in instances(FastAPI):
        _silence(app)


def undo() -> None:
    """Leave FastAPI as it is without us: it still emits, with its operation spans."""
    global _init
    from fastapi import FastAPI

    with _lock:
        if _init is None:
            return
        setattr(FastAPI, "__init__", _init)  # noqa: B010
        _init = None
        for app in list(_quiet):
            app._telemetry["operation_spans"] = True
        _quiet.clear()


def _silence(app: Any) -> None:
    """The dict is private, and read at each request: it is the only switch once an app exists."""
    settings = getattr(app, "_telemetry", None)
    if isinstance(settings, dict) and settings.get("operation_spans", True):
        settings["operation_spans"] = False
        _quiet.add(app)
