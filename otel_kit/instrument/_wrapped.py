"""Applications that a program wraps by hand and gives to its server: what is the same for ASGI and WSGI."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


class Wrapped:
    """An application that is watched. What is asked of it besides requests is asked of the application.

    Attributes:
        app: the application inside.
    """

    def __init__(self, app: Any) -> None:
        self.app = app

    def __getattr__(self, name: str) -> Any:
        return getattr(self.app, name)


class Wrappers:
    """All of one kind; they are on or off together.

    Args:
        make: makes one of an application.

    Attributes:
        on: whether they watch, or only pass requests on.
    """

    def __init__(self, make: Callable[[Any], Wrapped]) -> None:
        self.on, self._make = True, make

    def wrap(self, app: Any) -> Any:
        """Turn them on, and wrap an application, where one is given."""
        self.on = True
        return None if app is None else self._make(app)
