"""Any WSGI application: wrap it, and hand the wrapper to the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otel_kit.instrument._wsgi import App, Environ, is_request, serve


class Watched:
    """An application that is watched. What is asked of it besides requests is asked of the application.

    Attributes:
        app: the application inside.
    """

    def __init__(self, app: App) -> None:
        self.app = app

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if not _state.on or not is_request(environ):
            return self.app(environ, start_response)
        return serve(self.app, environ, start_response)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)


class _State:
    on = True


_state = _State()


def instrument(app: App | None = None) -> Any:
    """Wrap an application: a span, the standard metrics and an access log record for each request.

    Args:
        app: the application; None turns those on again that :func:`undo` turned off.

    Returns:
        The wrapper to be served in its place.
    """
    _state.on = True
    return Watched(app) if app is not None else None


def undo() -> None:
    """Have all wrappers only pass requests on."""
    _state.on = False
