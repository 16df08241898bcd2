"""One span in the making."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections import deque
from collections.abc import Callable, Mapping
from time import monotonic_ns
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import trace as trace_api
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import Context
from opentelemetry.sdk import trace as sdk
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import sampling
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import SpanContext, SpanKind
from opentelemetry.trace.status import Status, StatusCode

from otel_kit import _guard, semconv
from otel_kit._facts import Facts
from otel_kit.export.plain import (
    LONGEST_NAME,
    LONGEST_TEXT,
    NUMBERS,
    is_a,
    items_of,
    nanoseconds,
    or_unlimited,
    shortened,
    stacktrace_of,
    text_of,
    type_name,
)

if TYPE_CHECKING:
    from otel_kit.export.spans import Tracer

Clean = Callable[[Any], Any]
OnException = Callable[[BaseException, SpanContext, str], None]
Describe = Callable[[BaseException, SpanContext], Mapping[str, Any]]

_logger = logging.getLogger(__name__)
_MARK = "__otel_kit_recorded__"
_UNSET = Status(StatusCode.UNSET)
_NO_ATTRIBUTES: Mapping[str, Any] = MappingProxyType({})


class Live:
    """What a provider is configured to at the moment. Replaced as a whole, so that a span sees one state of
    it.
    """

    __slots__ = (
        "always_local",
        "always_root",
        "clean",
        "describe",
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
        describe: Describe | None,
    ) -> None:
        self.resource, self.sampler, self.limits, self.ids = resource, sampler, limits, ids
        self.clean, self.on_exception, self.describe = clean, on_exception, describe
        self.most = or_unlimited(limits.max_span_attributes)
        self.longest = min(LONGEST_TEXT, or_unlimited(limits.max_span_attribute_length))
        # The two usual answers of the usual sampler are known without asking it.
        parent_based = type(sampler) is sampling.ParentBased
        self.always_root = sampler is sampling.ALWAYS_ON or (
            parent_based and getattr(sampler, "_root", None) is sampling.ALWAYS_ON
        )
        self.always_local = sampler is sampling.ALWAYS_ON or (
            parent_based and getattr(sampler, "_local_parent_sampled", None) is sampling.ALWAYS_ON
        )


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
        # Here, not behind properties as the rest of what the SDK keeps: each is read several times while a span is sent.
        self._instrumentation_scope, self._resource = tracer._instrumentation_scope, live.resource
        self._live = live
        self._clock = clock  # nanoseconds from the monotonic to the wall clock, shared by a local trace
        self._start_time: int = start_time
        self._flags = flags  # whether an exception that leaves the block is recorded, and sets the status
        self._attributes: dict[str, Any] = {}

    # What the SDK keeps in each span lies behind ours.
    _limits = property(lambda self: self._live.limits)
    _sampler = property(lambda self: self._live.sampler)
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
        elif type(value) not in NUMBERS:
            value = self._clean(value, self._live.longest)
        if type(key) is not str:
            key = text_of(key, LONGEST_NAME)
        if (len(attributes) >= self._live.most and key not in attributes) or not key:
            self._dropped_attributes += 1
        else:
            attributes[key] = value

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        kept, live = self._attributes, self._live
        room = live.most - len(kept) if self._end_time is None else 0
        longest = live.longest
        if type(attributes) is Facts and attributes.longest <= longest and len(attributes) <= room:
            kept.update(attributes)
            return
        pairs = list(attributes.items()) if type(attributes) is dict else items_of(attributes)
        if len(pairs) > room:
            for key, value in pairs:
                self.set_attribute(key, value)
            return
        for key, value in pairs:
            # Most are like this; the others are looked at one by one.
            kind = type(value)
            if type(key) is str and key and (kind in NUMBERS or (kind is str and len(value) <= longest)):
                kept[key] = value
            else:
                self.set_attribute(key, value)

    def add_event(self, name: str, attributes: Any = None, timestamp: int | None = None) -> None:
        """Add an event, at the given nanoseconds since the epoch or now."""
        if self._end_time is not None:
            self._too_late("add_event")
            return
        at = monotonic_ns() + self._clock if timestamp is None else nanoseconds(timestamp, self._now)
        if type(name) is not str or len(name) > LONGEST_NAME:
            name = text_of(name, LONGEST_NAME)
        event: sdk.Event = object.__new__(sdk.Event)
        event._name, event._timestamp, event._attributes = name, at, self._event_attributes(attributes)
        self._add_event(event)

    def add_link(self, context: SpanContext, attributes: Any = None) -> None:
        """Add a link to another span; one with neither a valid context nor attributes is ignored."""
        if self._end_time is not None:
            self._too_late("add_link")
            return
        if is_a(context, SpanContext) and (context.is_valid or attributes or context.trace_state):
            bounded = self._bounded(attributes, self._live.limits.max_link_attributes)
            self._add_link(trace_api.Link(context, bounded))

    def update_name(self, name: str) -> None:
        """Give the span another name."""
        if self._end_time is not None:
            self._too_late("update_name")
        else:
            self._name = text_of(name, LONGEST_NAME)

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status. UNSET is ignored, and so is everything after OK. An ERROR that says no more than
        that leaves the description of an earlier one.
        """
        if self._end_time is not None:
            self._too_late("set_status")
            return
        code: Any = status
        if is_a(status, Status):
            code, description = code.status_code, code.description
        known = code is StatusCode.OK or code is StatusCode.ERROR
        if not known or self._status.status_code is StatusCode.OK:
            return
        if code is StatusCode.OK:
            description = None
        elif description is None:
            description = self._status.description
        else:
            description = text_of(description, self._live.longest)
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
            self._record(exception, {**self._described(exception), **dict(items_of(attributes))}, timestamp)

    def note_exception(self, exception: BaseException) -> None:
        """Note that an exception ends what this span stands for, as when it leaves a block of it."""
        self._raised(exception, record=True, status=True)

    def is_recording(self) -> bool:
        """Whether the span has not ended."""
        return self._end_time is None

    def start(self, start_time: int | None = None, parent_context: Context | None = None) -> None:
        """Spans of this type are started when they are made."""
        self._too_late("start")

    def end(self, end_time: int | None = None) -> None:
        """End the span, at the given nanoseconds since the epoch or now, but never before its start."""
        at = monotonic_ns() + self._clock if end_time is None else nanoseconds(end_time, self._now)
        if at < self._start_time:
            at = self._start_time
        # Up to where it is set no call is made: after one another thread may come in, or a signal's handler.
        if self._end_time is not None:
            self._too_late("end")
            return
        self._end_time = at
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
            self.set_attribute(semconv.ERROR_TYPE, type_name(error))
        if record or status:
            self.set_attributes(self._described(error))
        if record and not self._is_recorded(error):
            self._record(error)
        if status:
            self.set_status(StatusCode.ERROR, f"{type(error).__name__}: {text_of(error, LONGEST_TEXT)}")

    def _record(self, error: BaseException, attributes: Any = None, timestamp: int | None = None) -> None:
        with contextlib.suppress(Exception):  # one that refuses the mark may be recorded twice
            error.__dict__[_MARK] = self._context.trace_id
        described = {
            semconv.EXCEPTION_TYPE: type_name(error),
            semconv.EXCEPTION_MESSAGE: text_of(error, self._live.longest),
            semconv.EXCEPTION_STACKTRACE: stacktrace_of(error, self._live.longest),
        }
        self.add_event(semconv.EVENT_EXCEPTION, {**described, **dict(items_of(attributes))}, timestamp)
        if self._live.on_exception is not None:
            try:
                self._live.on_exception(error, self._context, self._tracer._instrumentation_scope.name)
            except Exception as failure:
                _guard.contained("traces.on_exception", failure)

    def _described(self, error: BaseException) -> Mapping[str, Any]:
        describe = self._live.describe
        return {} if describe is None else describe(error, self._context)

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
        if value is None or type(value) in NUMBERS:
            return value
        if type(value) is str:
            return value[:longest]
        try:
            return shortened(self._live.clean(value), longest)
        except Exception as error:
            _guard.contained("traces.clean", error)
            return f"<{type(value).__name__} cannot be shown>"

    def _event_attributes(self, attributes: Any) -> Mapping[str, Any]:
        if type(attributes) in (dict, type(None)) and not attributes:
            return _NO_ATTRIBUTES
        most, longest = self._live.limits.max_event_attributes, self._live.limits.max_attribute_length
        if type(attributes) is dict and (most is None or len(attributes) <= most) and longest is None:
            own = attributes.copy()
            for key, value in own.items():
                kind = type(value)
                if type(key) is not str or not 0 < len(key) <= LONGEST_NAME:
                    break
                if kind not in NUMBERS and (kind is not str or len(value) > LONGEST_TEXT):
                    break
            else:
                return own
        return self._bounded(attributes, most)

    def _bounded(self, attributes: Any, most: int | None) -> BoundedAttributes:
        longest = min(LONGEST_TEXT, or_unlimited(self._live.limits.max_attribute_length))
        pairs = [
            (text_of(key, LONGEST_NAME), self._clean(value, longest)) for key, value in items_of(attributes)
        ]
        named = {key: value for key, value in pairs if key}
        kept = dict(list(named.items())[:most])
        bounded = BoundedAttributes()
        # Not through its methods: they would clean everything once more, with a warning for each oddity.
        bounded._dict = kept
        bounded.dropped = len(pairs) - len(kept)
        return bounded

    def _too_late(self, method: str) -> None:
        _logger.warning("%s was called on a span that has ended: %r", method, self._name[:100])


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
