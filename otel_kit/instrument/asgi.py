"""Any ASGI application: wrap it, and hand the wrapper to the server."""

from __future__ import annotations

from typing import Any

from otel_kit.instrument._asgi import App, AsgiScope, Receive, Send, is_request, serve
from otel_kit.instrument._wrapped import Wrapped, Wrappers


class Watched(Wrapped):
    """An ASGI application that is watched."""

    async def __call__(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        if _wrappers.on and is_request(scope):
            await serve(self.app, scope, receive, send)
        else:
            await self.app(scope, receive, send)


_wrappers = Wrappers(Watched)


def instrument(app: App | None = None) -> Any:
    """Wrap an application: a span, the standard metrics and an access log record for each request and websocket.

    Args:
        app: the application; None turns those on again that :func:`undo` turned off.

    Returns:
        The wrapper to be served in its place.
    """
    return _wrappers.wrap(app)


def undo() -> None:
    """Have all wrappers only pass requests on."""
    _wrappers.on = False
