"""How long one callback may hold the event loop up before it is told; chosen by the settings before asyncio is there."""

from __future__ import annotations

import threading
from contextvars import Context, copy_context
from time import monotonic
from typing import Any

SECONDS = 0.1


class Served(threading.local):
    """The request that was answered last in this thread, if that took longer than the threshold.

    A step of a server's task that ends with its request has left the request's context, and all of its coroutines, when it is
    told.

    Attributes:
        at: when, on the monotonic clock.
        context: the request's.
        endpoint: the function that served it, where it may be what took so long.
    """

    at = 0.0
    context: Context | None = None
    endpoint: Any = None


last = Served()


def served(endpoint: Any) -> None:
    """The request in whose context this is called is answered, or ends; see :class:`Served`."""
    last.at, last.context, last.endpoint = monotonic(), copy_context(), endpoint


class Threshold:
    """The one that holds now, in seconds; infinite for never."""

    seconds = SECONDS


def use(seconds: float) -> None:
    """Let another one hold from now on; 0 for never."""
    Threshold.seconds = seconds or float("inf")
