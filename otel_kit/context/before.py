"""The context as it was before something made a span current, for what may end in another thread than it began in.

There the span cannot be taken back; it is, when the thread that it began in lets go of what it belongs to.
"""

from __future__ import annotations

from threading import get_ident

from opentelemetry import context as otel_context
from opentelemetry import trace


class Before:
    """The context of this moment."""

    __slots__ = ("_context", "_thread")

    def __init__(self) -> None:
        self._context, self._thread = otel_context.get_current(), get_ident()

    def go_back(self) -> None:
        """Make it current again where a span is current that is over."""
        if get_ident() == self._thread and getattr(trace.get_current_span(), "end_time", None) is not None:
            otel_context.attach(self._context)
