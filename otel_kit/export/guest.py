"""A span that is none: somebody tells of a model's call of which the span around it tells already.

A client with telemetry of its own, an instrumentation around that client and the program around both would make three
spans of one call, and every sum over them would be too high. Here the outermost is the span, and the others add what they know.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from opentelemetry.trace import Span, SpanContext, Status, StatusCode

from otel_kit import semconv
from otel_kit.export.plain import items_of


class Call(Protocol):
    """The program's own word about a call, which others may join."""

    def join(self, scope: str) -> dict[str, Any]:
        """Somebody begins to tell; what he has said so far, to be added to."""

    def leave(self, scope: str) -> None:
        """He has told everything."""


Host = tuple[Span, Call | None]
HostOf = Callable[[object, Mapping[str, Any]], Host | None]


class Guest(Span):
    """Adds to its host what the host does not say itself. Its end is not the host's, nor is its failure.

    Args:
        host: the span that stands for the call.
        scope: who tells.
        attributes: said so far.
        call: the program's own call, where there is one.
    """

    def __init__(self, host: Span, scope: str, attributes: Mapping[str, Any], call: Call | None) -> None:
        self.host = host
        self._scope, self._call = scope, call
        self._facts = call.join(scope) if call is not None else {}
        self._said: set[str] = set()
        self._ended = False
        self.set_attributes(attributes)

    def get_span_context(self) -> SpanContext:
        """The host's: what happens inside belongs to the host."""
        return self.host.get_span_context()

    def is_recording(self) -> bool:
        """Whether it has not ended."""
        return not self._ended

    def set_attribute(self, key: str, value: Any) -> None:
        """Say one thing, unless the host says it already."""
        if self._ended or type(key) is not str or key == semconv.ERROR_TYPE:
            return
        self._facts[key] = value
        if not self.host.is_recording():
            return
        if key in self._said or key not in getattr(self.host, "_attributes", ()):
            self._said.add(key)
            self.host.set_attribute(key, value)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Say several things."""
        for key, value in items_of(attributes):
            self.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event to the host."""
        if not self._ended and self.host.is_recording():
            self.host.add_event(name, attributes, timestamp)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add a link to the host."""
        if not self._ended and self.host.is_recording():
            self.host.add_link(context, attributes)

    def update_name(self, name: str) -> None:
        """The host keeps its name."""

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """The host knows itself whether it failed: the program may have tried again."""

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """The host records what leaves it."""

    def end(self, end_time: int | None = None) -> None:
        """Say nothing more."""
        if self._call is not None and not self._ended:
            self._call.leave(self._scope)
        self._ended = True


def guest_of(host: Host | None, scope: str, attributes: Mapping[str, Any]) -> Guest | None:
    """What stands for a span that is about to start, where another one tells of the same already."""
    return None if host is None else Guest(host[0], scope, attributes, host[1])
