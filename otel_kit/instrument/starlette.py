"""Starlette: our own hook on ``Starlette.__call__``, so it does not matter when an application was made.

Routes are seen where they are handled, through mounts. An application with an ``OpenTelemetryMiddleware``, Starlette's
own or contrib's, is left to that; then only ids and the access log record are added.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import Any

from otel_kit.instrument import _starlette

_apps: weakref.WeakSet[Any] = weakref.WeakSet()


class _State:
    everywhere = False


def instrument(app: Any = None) -> Any:
    """Turn it on, for every application or for one alone; nothing happens where it is on already.

    Args:
        app: the one; None for all that exist and all to come.

    Returns:
        The application.
    """
    if app is None:
        _State.everywhere = True
    else:
        _apps.add(app)
    _starlette.follow("starlette", _starlette.Watcher(_wants))
    return app


def undo() -> None:
    """Turn it off again, for all applications."""
    _State.everywhere = False
    _apps.clear()
    _starlette.unfollow("starlette")


def _wants(app: Any) -> bool:
    kind: Any = type(app)
    return (_State.everywhere and not _is_fastapi(kind)) or app in _apps


@lru_cache(maxsize=256)
def _is_fastapi(kind: type) -> bool:
    return any(base.__module__ == "fastapi.applications" for base in kind.__mro__)
