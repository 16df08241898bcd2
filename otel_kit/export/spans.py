"""Spans that cost little, never raise into the program, and never last a negative time.

They are the SDK's types, so whatever works with those works with these. What differs: attributes lie in a
plain dict; ``start_as_current_span`` returns an object instead of two nested generators; times come from
the monotonic clock, anchored at the wall clock once per local root; an exception is recorded once on its
way up.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import os
import random
import reprlib
import sys
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from time import monotonic_ns, time_ns
from types import EllipsisType, TracebackType
from typing import Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace as trace_api
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import INVALID_SPAN, NonRecordingSpan, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.propagation import _SPAN_KEY
from opentelemetry.trace.status import Status, StatusCode

from otel_kit import _guard, semconv

Clean = Callable[[Any], Any]
OnException = Callable[[BaseException, SpanContext, str], None]
Function = TypeVar("Function", bound=Callable[..., Any])

LONGEST_NAME = 1024
LONGEST_TEXT = 65536
MOST_TRACERS = 1000
MOST_LINKS = 1000  # that are looked at when a span starts

_logger = logging.getLogger(__name__)
_runtime = otel_context._RUNTIME_CONTEXT
_NUMBERS = frozenset({int, bool, float})
_UNLIMITED = sys.maxsize
_MARK = "__otel_kit_recorded__"
_UNSET = Status(StatusCode.UNSET)
_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_abbreviated = reprlib.Repr()
_abbreviated.maxlevel = 3
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


class Live:
    """What a provider is configured to at the moment. Replaced as a whole, so that a span sees one state of
    it.
    """

    __slots__ = (
        "always_local",
        "always_root",
        "clean",
        "ids",
        "limits",
        "longest",
        "most",
        "on_exception",
        "resource",
        "sampler",
    )

    def __init__(
        self,
        resource: Resource,
        sampler: sampling.Sampler,
        limits: sdk.SpanLimits,
        ids: IdGenerator,
        clean: Clean,
        on_exception: OnException | None,
    ) -> None:
        self.resource, self.sampler, self.limits, self.ids = resource, sampler, limits, ids
        self.clean, self.on_exception = clean, on_exception
        self.most = _or_unlimited(limits.max_span_attributes)
        self.longest = min(LONGEST_TEXT, _or_unlimited(limits.max_span_attribute_length))
        # The two usual answers of the usual sampler are known without asking it.
        parent_based = type(sampler) is sampling.ParentBased
        self.always_root = sampler is sampling.ALWAYS_ON or (
            parent_based and getattr(sampler, "_root", None) is sampling.ALWAYS_ON
        )
        self.always_local = sampler is sampling.ALWAYS_ON or (
            parent_based and getattr(sampler, "_local_parent_sampled", None) is sampling.ALWAYS_ON
        )


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


class Span(sdk.Span):
    """A span in the making. Made by :class:`Tracer` only.

    No method raises. A value that OpenTelemetry has no type for is cleaned and kept; strings are cut at
    65,536 characters or at the configured length; over the configured number of attributes new ones are
    dropped and counted.
    """

    # Defaults on the class: what few spans need costs the others nothing.
    _end_time: int | None = None
    _status = _UNSET
    _events: Any = ()
    _links: Any = ()
    _instrumentation_info = None
    _trace_config = None
    _dropped_attributes = 0
    _dropped_events = 0
    _dropped_links = 0
    _entered = False
    _left: Context | None = None  # where the current span should have gone back to, but could not

    def _prepare(
        self,
        name: str,
        context: SpanContext,
        parent: SpanContext | None,
        kind: SpanKind,
        tracer: Tracer,
        live: Live,
        clock: int,
        start_time: int,
        flags: tuple[bool, bool],
    ) -> None:
        self._name = name
        self._context: SpanContext = context
        self._parent = parent
        self._kind = kind
        self._tracer = tracer
        self._live = live
        self._clock = clock  # nanoseconds from the monotonic to the wall clock, shared by a local trace
        self._start_time: int = start_time
        self._flags = flags  # whether an exception that leaves the block is recorded, and sets the status
        self._attributes: dict[str, Any] = {}
        self._once = threading.Lock()  # taken by end(), never given back

    # What the SDK keeps in each span lies behind ours.
    _resource = property(lambda self: self._live.resource)
    _limits = property(lambda self: self._live.limits)
    _sampler = property(lambda self: self._live.sampler)
    _instrumentation_scope = property(lambda self: self._tracer._instrumentation_scope)
    _span_processor = property(lambda self: self._tracer.span_processor)
    _record_exception = property(lambda self: self._flags[0])
    _set_status_on_exception = property(lambda self: self._flags[1])

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were over the limit."""
        return self._dropped_attributes

    @property
    def dropped_events(self) -> int:
        """How many events were over the limit; the oldest ones."""
        return self._dropped_events

    @property
    def dropped_links(self) -> int:
        """How many links were over the limit; the oldest ones."""
        return self._dropped_links

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute."""
        # The dict is fetched before the end is looked for: end() replaces it, so a late writer writes into
        # the old one.
        attributes = self._attributes
        if self._end_time is not None:
            self._too_late("set_attribute")
            return
        if type(value) is str:
            if len(value) > self._live.longest:
                value = value[: self._live.longest]
        elif type(value) not in _NUMBERS:
            value = self._clean(value, self._live.longest)
        if type(key) is not str:
            key = _text(key, LONGEST_NAME)
        if (len(attributes) >= self._live.most and key not in attributes) or not key:
            self._dropped_attributes += 1
        else:
            attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        for key, value in _items(attributes):
            self.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event, at the given nanoseconds since the epoch or now."""
        if self._end_time is not None:
            self._too_late("add_event")
            return
        limits = self._live.limits
        bounded = self._bounded(attributes, limits.max_event_attributes)
        at = self._now() if timestamp is None else _nanoseconds(timestamp, self._now)
        self._add_event(sdk.Event(_text(name, LONGEST_NAME), bounded, at))

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add a link to another span; one with neither a valid context nor attributes is ignored."""
        if self._end_time is not None:
            self._too_late("add_link")
            return
        if _is_a(context, SpanContext) and (context.is_valid or attributes or context.trace_state):
            bounded = self._bounded(attributes, self._live.limits.max_link_attributes)
            self._add_link(trace_api.Link(context, bounded))

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        if self._end_time is not None:
            self._too_late("update_name")
        else:
            self._name = _text(name, LONGEST_NAME)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status. UNSET is ignored, and so is everything after OK."""
        if self._end_time is not None:
            self._too_late("set_status")
            return
        code: Any = status
        if _is_a(status, Status):
            code, description = code.status_code, code.description
        known = code is StatusCode.OK or code is StatusCode.ERROR
        if not known or self._status.status_code is StatusCode.OK:
            return
        if description is not None:
            description = _text(description, self._live.longest) if code is StatusCode.ERROR else None
        self._status = Status(code, description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Any = None,
        timestamp: int | None = None,
        escaped: bool = False,
    ) -> None:
        """Record an exception as a span event, and as a log record unless it was logged already."""
        if self._end_time is not None:
            self._too_late("record_exception")
        elif _called_by_use_span():
            self._raised(exception, record=True, status=False)
        else:
            self._record(exception, attributes, timestamp)

    def is_recording(self) -> bool:
        """Whether the span has not ended."""
        return self._end_time is None

    def start(self, start_time: int | None = None, parent_context: Context | None = None) -> None:
        """Spans of this type are started when they are made."""
        self._too_late("start")

    def end(self, end_time: int | None = None) -> None:
        """End the span, at the given nanoseconds since the epoch or now, but never before its start."""
        if not self._once.acquire(False):
            self._too_late("end")
            return
        at = monotonic_ns() + self._clock if end_time is None else _nanoseconds(end_time, self._now)
        self._end_time = at if at > self._start_time else self._start_time
        self._attributes = self._attributes.copy()
        self._tracer.span_processor.on_end(self)

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if exc is not None:
            self._raised(exc, *self._flags)
        self.end()

    def _raised(self, error: BaseException, record: bool, status: bool) -> None:
        """Note what left the block of this span.

        GeneratorExit, SystemExit and KeyboardInterrupt are no errors of the span, and neither is the
        cancellation of a task; but that is shown.
        """
        if self._end_time is not None:
            return
        if not isinstance(error, Exception):
            if _is_cancellation(error):
                self.set_attribute(semconv.EVENT_CANCELLED, True)
                self.add_event(semconv.EVENT_CANCELLED)
            return
        if (record or status) and semconv.ERROR_TYPE not in self._attributes:
            self.set_attribute(semconv.ERROR_TYPE, _type_name(error))
        if record and not self._is_recorded(error):
            self._record(error)
        if status:
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {_text(error, LONGEST_TEXT)}")

    def _record(self, error: BaseException, attributes: Any = None, timestamp: int | None = None) -> None:
        with contextlib.suppress(Exception):  # one that refuses the mark may be recorded twice
            error.__dict__[_MARK] = self._context.trace_id
        described = {
            semconv.EXCEPTION_TYPE: _type_name(error),
            semconv.EXCEPTION_MESSAGE: _text(error, self._live.longest),
            semconv.EXCEPTION_STACKTRACE: _stacktrace(error, self._live.longest),
        }
        self.add_event(semconv.EVENT_EXCEPTION, {**described, **dict(_items(attributes))}, timestamp)
        if self._live.on_exception is not None:
            try:
                self._live.on_exception(error, self._context, self._tracer._instrumentation_scope.name)
            except Exception as failure:
                _guard.contained("traces.on_exception", failure)

    def _is_recorded(self, error: BaseException) -> bool:
        # Per trace, because some programs raise one exception object in many requests.
        try:
            return bool(error.__dict__.get(_MARK) == self._context.trace_id)
        except Exception:
            return False

    def _add_event(self, event: sdk.EventBase) -> None:
        if type(self._events) is tuple:
            self._events = deque(maxlen=self._live.limits.max_events)
        self._dropped_events += len(self._events) == self._events.maxlen
        self._events.append(event)

    def _add_link(self, link: trace_api.Link) -> None:
        if type(self._links) is tuple:
            self._links = deque(maxlen=self._live.limits.max_links)
        self._dropped_links += len(self._links) == self._links.maxlen
        self._links.append(link)

    def _now(self) -> int:
        return monotonic_ns() + self._clock

    def _clean(self, value: Any, longest: int) -> Any:
        if value is None or type(value) in _NUMBERS:
            return value
        if type(value) is str:
            return value[:longest]
        try:
            return _shortened(self._live.clean(value), longest)
        except Exception as error:
            _guard.contained("traces.clean", error)
            return f"<{type(value).__name__} cannot be shown>"

    def _bounded(self, attributes: Any, most: int | None) -> BoundedAttributes:
        longest = min(LONGEST_TEXT, _or_unlimited(self._live.limits.max_attribute_length))
        pairs = [(_text(key, LONGEST_NAME), self._clean(value, longest)) for key, value in _items(attributes)]
        named = {key: value for key, value in pairs if key}
        kept = dict(list(named.items())[:most])
        bounded = BoundedAttributes()
        # Not through its methods: they would clean everything once more, with a warning for each oddity.
        bounded._dict = kept
        bounded.dropped = len(pairs) - len(kept)
        return bounded

    def _too_late(self, method: str) -> None:
        _logger.warning("%s was called on a span that has ended: %r", method, self._name[:100])


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
                span._left = self._outer
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
            context = context if _is_a(context, dict) else None
            parent = _step_over((_runtime.get_current() if context is None else context).get(_SPAN_KEY))
            if not self.span_processor._span_processors:
                return _passed_on(parent)
            flags = (record_exception, set_status_on_exception)
            return self._begin(_name(name), context, parent, kind, attributes, links, start_time, flags)
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
        clock, parent_context = _lineage(parent, now)
        if parent_context is None:
            trace_id, random_bit = live.ids.generate_trace_id(), live.ids.is_trace_id_random()
            known, state = live.always_root, None
        else:
            trace_id, random_bit = parent_context.trace_id, parent_context.trace_flags & 2 != 0
            known, state = live.always_local and _sampled_here(parent_context), parent_context.trace_state
        sampled = recording = True
        if not known:
            result = self._sample(live, context, trace_id, name, kind, attributes, links)
            sampled = result.decision is sampling.Decision.RECORD_AND_SAMPLE
            recording = result.decision is not sampling.Decision.DROP
            attributes, state = result.attributes, result.trace_state
        bits = (1 if sampled else 0) | (2 if random_bit else 0)
        span_context = SpanContext(trace_id, live.ids.generate_span_id(), False, _FLAGS[bits], state)
        if not recording:
            return NonRecordingSpan(span_context)
        begun = now + clock if start_time is None else _nanoseconds(start_time, time_ns)
        kind = kind if _is_a(kind, SpanKind) else SpanKind.INTERNAL
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
            attributes = dict(_items(attributes))
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
        id_generator: IdGenerator | None = None,
    ) -> None:
        self.processors = Processors(processors)
        # Nothing is left to the SDK's defaults: it would read the environment, and raise where that is wrong.
        super().__init__(
            sampler=sampler or sampling.DEFAULT_ON,
            resource=resource or Resource({}),
            shutdown_on_exit=False,
            active_span_processor=self.processors,
            id_generator=id_generator or RandomIds(),
            span_limits=span_limits or default_limits(),
        )
        self._clean, self._on_exception = clean or _plain, on_exception
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
    ) -> None:
        """Replace what is given, for new spans of all tracers; the processors for spans under way, too.

        Processors that are replaced are not shut down. ``processors=[]`` switches off, ``on_exception=None``
        takes the hook away.
        """
        self._resource = resource or self._resource
        self.sampler = sampler or self.sampler
        self._span_limits = span_limits or self._span_limits
        self._clean = clean or self._clean
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
        name, version, url = (_text(part, LONGEST_NAME) for part in named)
        if attributes:
            pairs = {_text(key, LONGEST_NAME): self.live.clean(value) for key, value in _items(attributes)}
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
    """The clock that a new span uses, and its parent's context if that is one that can be referred to."""
    if type(parent) is Span:
        return parent._clock, parent._context
    clock = time_ns() - now
    if not isinstance(parent, trace_api.Span):
        return clock, None
    context = parent.get_span_context()
    return clock, context if isinstance(context, SpanContext) and context.is_valid else None


def _sampled_here(parent: SpanContext) -> bool:
    return not parent.is_remote and parent.trace_flags & 1 == 1


def _passed_on(parent: object) -> trace_api.Span:
    """What stands for a span while nothing is recorded: the caller's identity, so that propagation goes on."""
    if isinstance(parent, NonRecordingSpan):
        return parent
    return NonRecordingSpan(parent.get_span_context()) if isinstance(parent, trace_api.Span) else INVALID_SPAN


def _step_over(span: object) -> object:
    """The span that ought to be current: one whose block ended elsewhere could not give its place back."""
    if type(span) is not Span or span._left is None:
        return span
    while type(span) is Span and span._left is not None:
        context = span._left
        span = context.get(_SPAN_KEY)
    _runtime.attach(context)
    return span


def _taken_back(token: Any) -> bool:
    try:
        _runtime.detach(token)
    except (ValueError, RuntimeError):  # attached in another contextvars context
        return False
    return True


def _add_links(span: Span, links: Any) -> None:
    try:
        for link in islice(links, MOST_LINKS):
            if _is_a(link, trace_api.Link):
                span.add_link(link.context, link.attributes)
    except Exception as error:
        _guard.contained("traces.links", error)


def _is_a(value: object, kind: Any) -> bool:
    # isinstance() would ask the value itself what it is.
    return issubclass(type(value), kind)


def _or_unlimited(limit: int | None) -> int:
    return _UNLIMITED if limit is None else limit


def _overrides(processor: sdk.SpanProcessor, method: str) -> bool:
    return getattr(type(processor), method, None) is not getattr(sdk.SpanProcessor, method)


def _items(attributes: Any) -> list[tuple[Any, Any]]:
    if not _is_a(attributes, Mapping):
        return []
    try:
        return list(attributes.items())
    except Exception as error:
        _guard.contained("traces.attributes", error)
        return []


def _name(name: Any) -> str:
    return name if type(name) is str and len(name) <= LONGEST_NAME else _text(name, LONGEST_NAME)


def _text(value: Any, longest: int) -> str:
    """The value as a plain ``str`` of bounded length, whatever it is."""
    if type(value) is str:
        return value if len(value) <= longest else value[:longest]
    try:
        if _is_a(value, str):
            return str.__str__(value)[:longest]
        # A container is abbreviated: its own text may be endless.
        text = _abbreviated.repr(value) if _is_a(value, _CONTAINERS) else str(value)
        return str.__str__(text)[:longest]
    except Exception:
        return f"<{type(value).__name__} cannot be shown>"


def _plain(value: Any) -> Any:
    """What a provider does that was given no cleaning: sequences of plain values stay, all else is text."""
    if _is_a(value, bytes):
        return value
    if _is_a(value, list | tuple):
        return tuple([item if type(item) in _NUMBERS else _text(item, LONGEST_TEXT) for item in value])
    return _text(value, LONGEST_TEXT)


def _shortened(value: Any, longest: int) -> Any:
    if longest >= LONGEST_TEXT:
        return value
    if isinstance(value, str | bytes):
        return value[:longest]
    if isinstance(value, list | tuple):
        return tuple(_shortened(item, longest) for item in value)
    if isinstance(value, dict):
        return {key: _shortened(item, longest) for key, item in value.items()}
    return value


def _nanoseconds(value: Any, otherwise: Callable[[], int]) -> int:
    return value if type(value) is int and 0 <= value < 2**63 else otherwise()


def _type_name(error: BaseException) -> str:
    module, name = type(error).__module__, type(error).__qualname__
    return name if not module or module == "builtins" else f"{module}.{name}"


def _stacktrace(error: BaseException, longest: int) -> str:
    try:
        text = "".join(traceback.format_exception(error))
    except Exception:
        return "<the traceback cannot be shown>"
    half = longest // 2
    return text if len(text) <= longest else f"{text[:half]}\n[...]\n{text[-half:]}"


def _is_cancellation(error: BaseException) -> bool:
    # Where asyncio was never imported nothing of it can be raised, and its import is dear.
    asyncio = sys.modules.get("asyncio.exceptions")
    return asyncio is not None and isinstance(error, asyncio.CancelledError)


def _called_by_use_span() -> bool:
    """Whether OpenTelemetry's ``use_span`` calls on behalf of a block that an exception leaves.

    The program's own calls are honoured as they are; in a block each exception is recorded by the innermost
    span only.
    """
    return sys._getframe(2).f_globals.get("__name__") == "opentelemetry.trace"
