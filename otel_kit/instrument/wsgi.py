"""Any WSGI application: wrap it, and hand the wrapper to the server."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from otel_kit.instrument._wrapped import Wrapped, Wrappers
from otel_kit.instrument._wsgi import App, Environ, is_request, serve


class Watched(Wrapped):
    """A WSGI application that is watched."""

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if _wrappers.on and is_request(environ):
            return serve(self.app, environ, start_response)
        parts: Iterable[bytes] = self.app(environ, start_response)
        return parts


_wrappers = Wrappers(Watched)


def instrument(app: App | None = None) -> Any:
    """Wrap an application: a span, the standard metrics and an access log record for each request.

    Args:
        app: the application; None turns those on again that :func:`undo` turned off.

    Returns:
        The wrapper to be served in its place.
    """
    return _wrappers.wrap(app)


def undo() -> None:
    """Have all wrappers only pass requests on."""
    _wrappers.on = False
