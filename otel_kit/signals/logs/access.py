"""Requests of which a record tells already: the web server's own line about one is not made a second record.

Servers write that line while the response begins (uvicorn, werkzeug, Django) or after it (gunicorn, hypercorn), in the
task or the thread that served the request; there the mark lies.
"""

from __future__ import annotations

import logging
from contextvars import ContextVar

_LOGGERS = frozenset(
    {"uvicorn.access", "gunicorn.access", "hypercorn.access", "daphne.access", "django.server"}
)
# werkzeug says everything by one logger; its lines about requests begin as Apache's do.
_MIXED, _APACHE = "werkzeug", " - - ["


class _Mark:
    """The request that this task or thread serves, or served last."""

    __slots__ = ("shown",)

    def __init__(self) -> None:
        self.shown = False


_mark: ContextVar[_Mark | None] = ContextVar("otel_kit.access", default=None)


def begin() -> None:
    """A request begins here of which a record will tell."""
    _mark.set(_Mark())


def is_shown() -> bool:
    """Whether the server's line about the request was printed on the terminal."""
    mark = _mark.get()
    return mark is not None and mark.shown


def is_told(name: str, made: logging.LogRecord, shown: bool) -> bool:
    """Whether a stdlib record is the server's line about a request of which another record tells.

    Args:
        name: its logger.
        made: the record.
        shown: whether a handler of the program prints it on the terminal.
    """
    if name not in _LOGGERS and not (name == _MIXED and _APACHE in str(made.msg)):
        return False
    mark = _mark.get()
    if mark is None:
        return False
    mark.shown = mark.shown or shown
    return True
