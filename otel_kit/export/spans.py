"""Spans that cost little, never raise into the program, and never last a negative time.

They are the SDK's types, so whatever works with those works with these. What differs: attributes lie in a
plain dict; ``start_as_current_span`` returns an object instead of two nested generators; times come from
the monotonic clock, anchored at the wall clock once per local root; an exception is recorded once on its
way up.
"""

from __future__ import annotations

import functools
import inspect
import os
import random
import threading
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from time import monotonic_ns, time_ns
from types import EllipsisType, TracebackType
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace as trace_api
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_kit import _guard
from otel_kit.export import plain
from otel_kit.export.guest import Guest, HostOf, guest_of
from otel_kit.export.plain import is_a, items_of, nanoseconds, plain_value, text_of
from otel_kit.export.span import Clean, Describe, Live, OnException, Span

Function = TypeVar("Function", bound=Callable[..., Any])

LONGEST_NAME = plain.LONGEST_NAME
MOST_TRACERS = 1000
MOST_LINKS = 1000  # that are looked at when a span starts

_runtime = otel_context._RUNTIME_CONTEXT
_FLAGS = [TraceFlags(bits) for bits in range(4)]  # sampled is bit 0, a random trace id bit 1


class RandomIds(IdGenerator):
    """Random ids from a generator of their own, so that a program's ``random.seed`` and ours do not meet."""

    def __init__(self) -> None:
        self._random = random.Random()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._random.seed)

    def generate_span_id(self) -> int:
        """A 64-bit id, never zero."""
        return self._random.getrandbits(64) or 1

    def generate_trace_id(self) -> int:
        """A 128-bit id, never zero."""
        return self._random.getrandbits(128) or 1

    def is_trace_id_random(self) -> bool:
        """All bits are random, so the W3C's flag for that is set."""
        return True


class Processors(sdk.SynchronousMultiSpanProcessor):
    """The provider's processors. Each sees each span, whatever the others do; their errors are contained."""

    def __init__(self, processors: Sequence[sdk.SpanProcessor] = ()) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.replace(processors)

    def replace(self, processors: Iterable[sdk.SpanProcessor]) -> None:
        """Serve these from now on, for spans that have begun before, too."""
        self._span_processors = tuple(processors)
        self.starters = [p.on_start for p in self._span_processors if _overrides(p, "on_start")]
        self.enders = [p._on_ending for p in self._span_processors if _overrides(p, "_on_ending")]
        self.enders += [p.on_end for p in self._span_processors if _overrides(p, "on_end")]

    def add_span_processor(self, span_processor: sdk.SpanProcessor) -> None:
        """Add one at the end."""
        with self._lock:
            self.replace((*self._span_processors, span_processor))

    def on_start(self, span: sdk.Span, parent_context: Context | None = None) -> None:
        """Tell all of them that a span has begun."""
        for tell in self.starters:
            try:
                tell(span, parent_context=parent_context)
            except Exception as error:
                _guard.contained("traces.on_start", error)

    def on_end(self, span: sdk.ReadableSpan) -> None:
        """Tell all of them that a span has ended."""
        for tell in self.enders:
            try:
                tell(span)  # type: ignore[arg-type]
            except Exception as error:
                _guard.contained("traces.on_end", error)

    def shutdown(self) -> None:
        """Shut all of them down."""
        for processor in self._span_processors:
            try:
                processor.shutdown()
            except Exception as error:
                _guard.contained("traces.shutdown", error)


class CurrentSpan:
    """What ``start_as_current_span`` returns: a context manager, and a decorator of sync and async
    functions.
    """

    __slots__ = ("_arguments", "_end", "_outer", "_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, arguments: tuple[Any, ...], end: bool) -> None:
        self._tracer, self._arguments, self._end = tracer, arguments, end

    def __enter__(self) -> trace_api.Span:
        span = self._span = self._tracer.start_span(*self._arguments)
        outer = self._outer = _runtime.get_current()
        if type(span) is Span:
            span._entered = True
        self._token = _runtime.attach(Context({**outer, _SPAN_KEY: span}))
        return span

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        span = self._span
        self._detach()
        if exc is not None and type(span) is Span:
            span._raised(exc, *span._flags)
        if self._end:
            span.end()

    def __call__(self, function: Function) -> Function:
        """Run each call of the function in a new span."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def traced_async(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return traced_async  # type: ignore[return-value]

        @functools.wraps(function)
        def traced(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return traced  # type: ignore[return-value]

    def _again(self) -> CurrentSpan:
        return CurrentSpan(self._tracer, self._arguments, self._end)

    def _detach(self) -> None:
        span, current = self._span, _runtime.get_current().get(_SPAN_KEY)
        # A generator that holds this span was closed inside the block of another one, which must stay
        # current.
        overtaken = (
            type(current) is Span and current is not span and current._entered and current.is_recording()
        )
        if overtaken or not _taken_back(self._token):
            if type(span) is Span:
                span._left = _stepped_over(self._outer)
        else:
            _step_over(self._outer.get(_SPAN_KEY))


class Tracer(sdk.Tracer):
    """Makes spans for one instrumentation scope, as its provider is configured at that moment."""

    def __init__(self, provider: TracerProvider, scope: InstrumentationScope) -> None:
        self._provider = provider
        self._instrumentation_scope = scope
        self.span_processor: Processors = provider.processors

    # The SDK's names for what lies in the provider.
    sampler = property(lambda self: self._provider.live.sampler)
    resource = property(lambda self: self._provider.live.resource)
    id_generator = property(lambda self: self._provider.live.ids)
    _span_limits = property(lambda self: self._provider.live.limits)
    instrumentation_info = None  # type: ignore[assignment]

    def _is_enabled(self) -> bool:
        return bool(self.span_processor._span_processors)

    def start_as_current_span(  # type: ignore[override]
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Sequence[trace_api.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
        end_on_exit: bool = True,
    ) -> CurrentSpan:
        """Start a span and make it current, for a ``with`` block or for each call of a decorated function."""
        flags = (record_exception, set_status_on_exception)
        return CurrentSpan(self, (name, context, kind, attributes, links, start_time, *flags), end_on_exit)

    def start_span(
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Any = None,
        links: Sequence[trace_api.Link] | None = None,
        start_time: int | None = None,
        record_exception: bool = True,
        set_status_on_exception: bool = True,
    ) -> trace_api.Span:
        """Start a span without making it current. Never raises."""
        try:
            if context is not None and not is_a(context, dict):
                context = None
            parent: object = (_runtime.get_current() if context is None else context).get(_SPAN_KEY)
            if type(parent) is Span and parent._left is not None:
                parent = _step_over(parent)
            if type(parent) is Guest:
                parent = parent.host
            host_of = self._provider.host_of
            if kind is SpanKind.CLIENT and host_of is not None and type(attributes) is dict:
                guest = guest_of(host_of(parent, attributes), self._instrumentation_scope.name, attributes)
                if guest is not None:
                    return guest
            if not self.span_processor._span_processors:
                return _passed_on(parent)
            flags = (record_exception, set_status_on_exception)
            if type(name) is not str or len(name) > LONGEST_NAME:
                name = text_of(name, LONGEST_NAME)
            return self._begin(name, context, parent, kind, attributes, links, start_time, flags)
        except Exception as error:
            _guard.contained("traces.start_span", error)
            return INVALID_SPAN

    def _begin(
        self,
        name: str,
        context: Context | None,
        parent: object,
        kind: SpanKind,
        attributes: Any,
        links: Any,
        start_time: int | None,
        flags: tuple[bool, bool],
    ) -> trace_api.Span:
        live = self._provider.live
        now = monotonic_ns()
        clock, parent_context = (
            (parent._clock, parent._context) if type(parent) is Span else _lineage(parent, now)
        )
        if parent_context is None:
            trace_id, random_bit = live.ids.generate_trace_id(), 2 if live.ids.is_trace_id_random() else 0
            known, state = live.always_root, None
        else:
            # A context is a tuple; its properties are calls.
            trace_id, _, remote, parent_flags, state, _ = parent_context
            random_bit = parent_flags & 2
            known = live.always_local and not remote and parent_flags & 1 == 1
        sampled = recording = True
        if not known:
            result = self._sample(live, context, trace_id, name, kind, attributes, links)
            sampled = result.decision is sampling.Decision.RECORD_AND_SAMPLE
            recording = result.decision is not sampling.Decision.DROP
            attributes, state = result.attributes, result.trace_state
        bits = random_bit | 1 if sampled else random_bit
        span_context = SpanContext(trace_id, live.ids.generate_span_id(), False, _FLAGS[bits], state)
        if not recording:
            return NonRecordingSpan(span_context)
        begun = now + clock if start_time is None else nanoseconds(start_time, time_ns)
        if type(kind) is not SpanKind:
            kind = SpanKind.INTERNAL
        # Past the SDK's __new__, which costs a call and only forbids what is done here.
        span: Span = object.__new__(Span)
        span._prepare(name, span_context, parent_context, kind, self, live, clock, begun, flags)
        if attributes:
            span.set_attributes(attributes)
        if links:
            _add_links(span, links)
        for tell in self.span_processor.starters:
            try:
                tell(span, parent_context=context)
            except Exception as error:
                _guard.contained("traces.on_start", error)
        return span

    def _sample(
        self,
        live: Live,
        context: Context | None,
        trace_id: int,
        name: str,
        kind: SpanKind,
        attributes: Any,
        links: Any,
    ) -> sampling.SamplingResult:
        try:
            return live.sampler.should_sample(context, trace_id, name, kind, attributes, links or ())
        except Exception as error:
            _guard.contained("traces.sampler", error)
            attributes = dict(items_of(attributes))
            return sampling.SamplingResult(sampling.Decision.RECORD_AND_SAMPLE, attributes)


class TracerProvider(sdk.TracerProvider):
    """A provider that can be configured again: tracers that were handed out follow.

    Without processors it is off: spans are passed on from the caller, none is made.

    Args:
        resource: what emits; empty by default.
        sampler: by default everything is sampled that a remote parent does not exclude.
        span_limits: OpenTelemetry's limits; by default those of the specification, whatever the environment
            says.
        processors: called in this order.
        clean: makes any value one that can be sent; called in the program's thread for values that are not
            ``str``, ``bool``, ``int`` or ``float``.
        on_exception: called once for each exception that is recorded, with its span's context and scope name.
        describe: gives further attributes of an exception that leaves a span, which the span gets.
        id_generator: by default random ids.
    """

    def __init__(
        self,
        *,
        resource: Resource | None = None,
        sampler: sampling.Sampler | None = None,
        span_limits: sdk.SpanLimits | None = None,
        processors: Sequence[sdk.SpanProcessor] = (),
        clean: Clean | None = None,
        on_exception: OnException | None = None,
        describe: Describe | None = None,
        id_generator: IdGenerator | None = None,
    ) -> None:
        self.processors = Processors(processors)
        self.host_of: HostOf | None = None
        # Nothing is left to the SDK's defaults: it would read the environment, and raise where that is wrong.
        super().__init__(
            sampler=sampler or sampling.DEFAULT_ON,
            resource=resource or Resource({}),
            shutdown_on_exit=False,
            active_span_processor=self.processors,
            id_generator=id_generator or RandomIds(),
            span_limits=span_limits or default_limits(),
        )
        self._clean, self._on_exception, self._describe = clean or plain_value, on_exception, describe
        self._refresh()

    def reconfigure(
        self,
        *,
        resource: Resource | None = None,
        sampler: sampling.Sampler | None = None,
        span_limits: sdk.SpanLimits | None = None,
        processors: Sequence[sdk.SpanProcessor] | None = None,
        clean: Clean | None = None,
        on_exception: OnException | EllipsisType | None = ...,
        describe: Describe | None = None,
        host_of: HostOf | None = None,
    ) -> None:
        """Replace what is given, for new spans of all tracers; the processors for spans under way, too.

        Processors that are replaced are not shut down. ``processors=[]`` switches off, ``on_exception=None``
        takes the hook away. ``host_of`` says of a client span that is about to start which span tells of the
        same call already.
        """
        self._resource = resource or self._resource
        self.sampler = sampler or self.sampler
        self._span_limits = span_limits or self._span_limits
        self._clean = clean or self._clean
        self._describe = describe or self._describe
        self.host_of = host_of or self.host_of
        if not isinstance(on_exception, EllipsisType):
            self._on_exception = on_exception
        self._refresh()
        if processors is not None:
            self.processors.replace(processors)

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> trace_api.Tracer:
        """The tracer of a scope. The last thousand are kept; an older one is made anew when asked for."""
        named = (instrumenting_module_name, instrumenting_library_version or "", schema_url or "")
        name, version, url = (text_of(part, LONGEST_NAME) for part in named)
        if attributes:
            pairs = {
                text_of(key, LONGEST_NAME): self.live.clean(value) for key, value in items_of(attributes)
            }
            return Tracer(self, InstrumentationScope(name, version, url, pairs))
        scope = InstrumentationScope(name, version, url)
        with self._tracers_lock:
            tracer = self._tracers.get(scope)
            if tracer is None:
                if len(self._tracers) >= MOST_TRACERS:
                    del self._tracers[next(iter(self._tracers))]
                tracer = self._tracers[scope] = Tracer(self, scope)
        return tracer

    def _refresh(self) -> None:
        self.live = Live(
            self._resource,
            self.sampler,
            self._span_limits,
            self.id_generator,
            self._clean,
            self._on_exception,
            self._describe,
        )

    def _update_resource(self, resource: Resource) -> None:
        self.reconfigure(resource=self._resource.merge(resource))

    def _handle_fork(self) -> None:
        # The SDK would look for a new resource here; whoever set this provider up knows better what to do.
        self._tracers_lock = threading.Lock()


def default_limits() -> sdk.SpanLimits:
    """The specification's limits, without a look at the environment."""
    limit = sdk._DEFAULT_OTEL_ATTRIBUTE_COUNT_LIMIT
    return sdk.SpanLimits(
        max_attributes=limit,
        max_events=limit,
        max_links=limit,
        max_span_attributes=limit,
        max_event_attributes=limit,
        max_link_attributes=limit,
        max_attribute_length=sdk.SpanLimits.UNSET,
        max_span_attribute_length=sdk.SpanLimits.UNSET,
    )


def _lineage(parent: object, now: int) -> tuple[int, SpanContext | None]:
    """The clock that a new span uses under a parent that is none of ours, whose context may be no use to refer to."""
    clock = time_ns() - now
    if not isinstance(parent, trace_api.Span):
        return clock, None
    context = parent.get_span_context()
    return clock, context if isinstance(context, SpanContext) and context.is_valid else None


def _passed_on(parent: object) -> trace_api.Span:
    """What stands for a span while nothing is recorded: the caller's identity, so that propagation goes on."""
    if isinstance(parent, NonRecordingSpan):
        return parent
    return NonRecordingSpan(parent.get_span_context()) if isinstance(parent, trace_api.Span) else INVALID_SPAN


def _step_over(span: object) -> object:
    """The span that ought to be current: one whose block ended elsewhere could not give its place back."""
    if type(span) is not Span or span._left is None:
        return span
    context = _stepped_over(span._left)
    _runtime.attach(context)
    return context.get(_SPAN_KEY)


def _stepped_over(context: Context) -> Context:
    """That one, or what should be in its place; it refers to no other such one, or a long loop would hold all of its spans."""
    span = context.get(_SPAN_KEY)
    while type(span) is Span and span._left is not None:
        context = span._left
        span = context.get(_SPAN_KEY)
    return context


def _taken_back(token: Any) -> bool:
    try:
        _runtime.detach(token)
    except (ValueError, RuntimeError):  # attached in another contextvars context
        return False
    return True


def _add_links(span: Span, links: Any) -> None:
    try:
        for link in islice(links, MOST_LINKS):
            if is_a(link, trace_api.Link):
                span.add_link(link.context, link.attributes)
    except Exception as error:
        _guard.contained("traces.links", error)


def _overrides(processor: sdk.SpanProcessor, method: str) -> bool:
    return getattr(type(processor), method, None) is not getattr(sdk.SpanProcessor, method)
