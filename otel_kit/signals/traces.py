"""Traces: an OpenTelemetry Tracer, and ``span`` as a shorthand for a block or a function."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, TypeVar, overload

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import ProxyTracer, Span, Tracer

from otel_kit.context.wrapped import Around, name_of, wrap
from otel_kit.signals.logs.values import is_a, text

Function = TypeVar("Function", bound=Callable[..., Any])

MOST_TRACERS = 1000

_tracers: dict[str, Tracer] = {}


def get_tracer(name: str | None = None) -> Tracer:
    """A Tracer of the global provider. One that was got before ``init_telemetry`` follows it.

    Args:
        name: the instrumentation scope; the calling module's name by default.
    """
    scope = ("" if name is None else text(name)) or _module_of_caller()
    tracer = trace.get_tracer(scope)
    return LateTracer(scope, tracer) if isinstance(tracer, ProxyTracer) else tracer


@overload
def span(name: str, /, **attributes: Any) -> SpanBlock: ...


@overload
def span(function: Function, /, **attributes: Any) -> Function: ...


def span(name: Any, /, **attributes: Any) -> Any:
    """A span for a ``with`` block, or for each call of a function.

    Functions may be sync, async, generators or async generators; the span of a generator lasts from its
    first step to its end, and is current while the generator runs, not while its caller does. An exception
    that leaves is recorded.

    Args:
        name: the span's name; or, as in a bare ``@span``, the function, whose qualified name it becomes.
        attributes: its attributes, under the names as they are written here.

    Returns:
        A context manager that gives the OpenTelemetry span, and a decorator; of a function, what each call
        of it runs in a span.

    Raises:
        ArgumentError: what is decorated is a class, or cannot be called.
    """
    tracer = _tracer_of(_module_of_caller())
    if callable(name) or is_a(name, classmethod):
        return SpanBlock(tracer, name_of(name), attributes)(name)
    return SpanBlock(tracer, name, attributes)


class LateTracer(Tracer):
    """A tracer that was got before there was a provider.

    The API's own proxy puts a generator around each block for good; this one steps aside once the provider
    is there.
    """

    def __init__(self, scope: str, tracer: Tracer) -> None:
        self._scope, self._tracer = scope, tracer

    def start_span(self, *args: Any, **kwargs: Any) -> Span:
        """Start a span without making it current; see the OpenTelemetry API."""
        return self._found().start_span(*args, **kwargs)

    def start_as_current_span(self, *args: Any, **kwargs: Any) -> Any:
        """Start a span and make it current, for a block or for each call of a function; see the
        OpenTelemetry API.
        """
        tracer = self._found()
        if isinstance(tracer, ProxyTracer):
            # A function may be decorated now, and called when there is a provider.
            return Block(lambda: self._found().start_as_current_span(*args, **kwargs))
        return tracer.start_as_current_span(*args, **kwargs)

    def _found(self) -> Tracer:
        if isinstance(self._tracer, ProxyTracer):
            self._tracer = trace.get_tracer(self._scope)
        return self._tracer


class Block:
    """A context manager that opens another one, and a decorator that opens one for each call."""

    __slots__ = ("_inside", "_open")

    def __init__(self, open_: Callable[[], AbstractContextManager[Span]]) -> None:
        self._open = open_

    def __enter__(self) -> Span:
        self._inside = self._open()
        return self._inside.__enter__()

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._inside.__exit__(exc_type, exc, tb)

    def __call__(self, function: Function) -> Function:
        """Run each call of the function in a block of its own."""
        return self._around(function)  # type: ignore[no-any-return]

    def _around(self, function: Any) -> Any:
        return wrap(function, self._begin, self._around, by="span(function)")

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Around:
        return Around(self._open())


class SpanBlock(Block):
    """What :func:`span` returns."""

    __slots__ = ("_attributes", "_name", "_tracer")

    def __init__(self, tracer: Tracer, name: str, attributes: Mapping[str, Any]) -> None:
        super().__init__(lambda: tracer.start_as_current_span(name, attributes=attributes))
        self._tracer, self._name, self._attributes = tracer, name, attributes

    def __reduce__(self) -> tuple[Any, ...]:
        scope = next((scope for scope, tracer in _tracers.items() if tracer is self._tracer), "otel_kit")
        return _block_of, (scope, self._name, dict(self._attributes))

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Around:
        if not steps:
            return Around(self._open())
        return _InSteps(self._tracer.start_span(self._name, attributes=self._attributes))


class _InSteps(Around):
    """The span of a generator is around it, and current in its steps, each of which begins and ends in one context."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        super().__init__(span)
        self._span = span

    def __enter__(self) -> None:
        self._token = otel_context.attach(trace.set_span_in_context(self._span))

    def __exit__(self, *exc: object) -> None:
        otel_context.detach(self._token)


def _block_of(scope: str, name: str, attributes: Mapping[str, Any]) -> SpanBlock:
    return SpanBlock(_tracer_of(scope), name, attributes)


def _tracer_of(scope: str) -> Tracer:
    tracer = _tracers.get(scope)
    if tracer is None:
        if len(_tracers) >= MOST_TRACERS:
            _tracers.clear()
        tracer = _tracers[scope] = LateTracer(scope, trace.get_tracer(scope))
    return tracer


def _module_of_caller() -> str:
    name = sys._getframe(2).f_globals.get("__name__")
    return name if isinstance(name, str) and name else "otel_kit"
