"""Every item becomes one that OTLP can carry, at a bounded size: one bad item costs one item.

The encoder refuses a whole batch for one lone surrogate, one integer beyond 64 bits, one cyclic list or one
negative time. So each item is looked at before it is encoded. What is fine is passed on as the object that
it is.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, TraceFlags
from opentelemetry.trace.status import Status, StatusCode

from otel_kit.pipeline.values import LONGEST_NAME, clean_attributes, clean_text, clean_value, is_a

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData, ResourceMetrics, ScopeMetrics

Item = TypeVar("Item")

__all__ = [
    "LogLimiter",
    "clean_attributes",
    "clean_metrics",
    "clean_resource",
    "clean_scope",
    "clean_span",
    "clean_text",
    "clean_value",
]

MOST_SCOPES = 1000  # that are remembered

_INT64 = 2**63
_UINT32, _UINT64, _UINT128 = 2**32, 2**64, 2**128
_NO_FLAGS = TraceFlags(0)


def _id(value: Any, beyond: int) -> int:
    if type(value) is int:
        return value if 0 < value < beyond else 0
    return value if is_a(value, int) and 0 < int.__index__(value) < beyond else 0


def _time(value: Any, otherwise: int) -> int:
    return value if type(value) is int and 0 <= value < _UINT64 else otherwise


def _optional_time(value: Any) -> int | None:
    return None if value is None else _time(value, 0)


class LogLimiter(LogRecordProcessor):
    """Cleans log records in the program's thread: their values may change after the call."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Clean all fields in place."""
        record = log_record.log_record
        record.body = clean_value(record.body)
        cleaned = clean_attributes(record.attributes)
        if cleaned is not record.attributes or not getattr(log_record, "owns_attributes", False):
            record.attributes = _apart(record.attributes, cleaned)
        if record.severity_text is not None:
            record.severity_text = clean_text(record.severity_text, LONGEST_NAME)
        if record.event_name is not None:
            record.event_name = clean_text(record.event_name, LONGEST_NAME)
        observed = record.observed_timestamp
        if type(observed) is not int or not 0 <= observed < _UINT64:
            observed = record.observed_timestamp = 0
        if record.timestamp is not None and record.timestamp is not observed:
            record.timestamp = _time(record.timestamp, observed)
        trace_id, span_id = record.trace_id, record.span_id
        if trace_id != 0 or span_id != 0:
            record.trace_id, record.span_id = _id(trace_id, _UINT128), _id(span_id, _UINT64)
        if type(record.trace_flags) is not TraceFlags and not _id(record.trace_flags, _UINT32):
            record.trace_flags = _NO_FLAGS
        log_record.instrumentation_scope = clean_scope(log_record.instrumentation_scope)
        if log_record.resource is not _known_resource[1]:
            log_record.resource = clean_resource(log_record.resource)

    def shutdown(self) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """There is nothing to flush."""
        return True


def _apart(attributes: Any, cleaned: Mapping[str, Any]) -> Any:
    """Clean attributes that are nobody else's; a container that counts what was dropped is kept."""
    if type(attributes) is not BoundedAttributes:
        return dict(cleaned)  # it may be the caller's own, which may change later
    return attributes if cleaned is attributes else _counting(cleaned, attributes.dropped)


def _counting(attributes: Mapping[str, Any], dropped: int) -> BoundedAttributes:
    bounded = BoundedAttributes(immutable=False)
    # Not through its methods: they would clean everything once more, with a warning for each oddity.
    bounded._dict = dict(attributes)
    bounded.dropped = dropped
    return bounded


class CleanSpan(ReadableSpan):
    """A span some of whose fields had to be cleaned; it keeps the counts of what was dropped before."""

    def __init__(self, span: ReadableSpan, **fields: Any) -> None:
        super().__init__(
            context=span.context, parent=fields.pop("parent"), instrumentation_info=None, **fields
        )
        counts = [_field(span, f"dropped_{items}") for items in ("attributes", "events", "links")]
        self._counts = [count or 0 for count in counts]

    @property
    def dropped_attributes(self) -> int:
        """How many attributes the span had dropped."""
        return self._counts[0]

    @property
    def dropped_events(self) -> int:
        """How many events the span had dropped."""
        return self._counts[1]

    @property
    def dropped_links(self) -> int:
        """How many links the span had dropped."""
        return self._counts[2]


def clean_span(span: ReadableSpan) -> ReadableSpan:
    """Make a span one that OTLP can carry; the same object if there was nothing to do.

    A start that is no time becomes 0, an end before the start becomes the start, a kind or status that is
    none becomes the default; links to what cannot be referred to are left out.
    """
    try:
        given = _fields_of(span)
    except Exception:  # a property that works on what it cannot work on
        given = tuple(_field(span, name) for name in _SPAN_FIELDS)
    name, kind, parent, status, began, ended, attributes, events, links, resource, scope = given
    start = _time(began, 0)
    cleaned = (
        clean_text(name, LONGEST_NAME),
        kind if type(kind) is SpanKind else SpanKind.INTERNAL,
        parent if parent is None or _is_encodable(parent) else None,
        _clean_status(status),
        start,
        max(start, _time(ended, start)),
        clean_attributes(attributes),
        _each(events, _clean_event),
        _each(links, _clean_link),
        clean_resource(resource),
        clean_scope(scope),
    )
    if all(map(operator.is_, cleaned, given)):
        return span
    return CleanSpan(span, **dict(zip(_SPAN_FIELDS, cleaned, strict=True)))


_SPAN_FIELDS = (
    "name",
    "kind",
    "parent",
    "status",
    "start_time",
    "end_time",
    "attributes",
    "events",
    "links",
    "resource",
    "instrumentation_scope",
)
_fields_of = operator.attrgetter(*_SPAN_FIELDS)


def _field(span: ReadableSpan, name: str) -> Any:
    try:
        return getattr(span, name)
    except Exception:
        return None


def clean_resource(resource: Any) -> Any:
    """A resource with clean attributes. The last answer is kept, because a process has one resource."""
    global _known_resource
    if _known_resource[0] is resource:
        return _known_resource[1]
    attributes, url = clean_attributes(resource.attributes), clean_text(resource.schema_url, LONGEST_NAME)
    same = attributes is resource.attributes and url is resource.schema_url
    cleaned = resource if same else Resource(dict(attributes), url)
    _known_resource = (resource, cleaned)
    return cleaned


_known_resource: tuple[Any, Any] = (None, None)


def clean_scope(scope: Any) -> Any:
    """An instrumentation scope with a clean name, version, schema URL and attributes. Answers are kept."""
    known = _known_scopes.get(id(scope))
    if known is not None and known[0] is scope:
        return known[1]
    cleaned = None if scope is None else _cleaned_scope(scope)
    if len(_known_scopes) >= MOST_SCOPES:
        _known_scopes.clear()
    # The scope is held too, so that no other object gets its id.
    _known_scopes[id(scope)] = (scope, cleaned)
    return cleaned


_known_scopes: dict[int, tuple[Any, Any]] = {}


def _cleaned_scope(scope: Any) -> Any:
    name, url = clean_text(scope.name, LONGEST_NAME), clean_text(scope.schema_url, LONGEST_NAME)
    version = None if scope.version is None else clean_text(scope.version, LONGEST_NAME)
    attributes = clean_attributes(scope.attributes) if scope.attributes else scope.attributes
    same = name is scope.name and url is scope.schema_url and version is scope.version
    if same and attributes is scope.attributes:
        return scope
    return InstrumentationScope(name, version, url, dict(attributes or {}))


def clean_metrics(data: MetricsData) -> MetricsData:
    """Make collected metrics something that OTLP can carry; the same object if there was nothing to do.

    A point or an exemplar whose value is no number is left out.
    """
    return _replaced(data, resource_metrics=_each(data.resource_metrics, _clean_resource_metrics))


def _clean_resource_metrics(metrics: ResourceMetrics) -> ResourceMetrics:
    return _replaced(
        metrics,
        resource=clean_resource(metrics.resource),
        scope_metrics=_each(metrics.scope_metrics, _clean_scope_metrics),
    )


def _clean_scope_metrics(metrics: ScopeMetrics) -> ScopeMetrics:
    return _replaced(metrics, scope=clean_scope(metrics.scope), metrics=_each(metrics.metrics, _clean_metric))


def _clean_metric(metric: Metric) -> Metric:
    points = _each(metric.data.data_points, _clean_point)
    return _replaced(
        metric,
        name=clean_text(metric.name, LONGEST_NAME),
        description=None if metric.description is None else clean_text(metric.description),
        unit=None if metric.unit is None else clean_text(metric.unit, LONGEST_NAME),
        data=_replaced(metric.data, data_points=points),
    )


def _clean_point(point: Any) -> Any:
    numbers = {name: _number(getattr(point, name, None)) for name in ("value", "sum", "min", "max")}
    numbers = {name: number for name, number in numbers.items() if hasattr(point, name)}
    if any(number is None for number in numbers.values()):
        return None
    return _replaced(
        point,
        attributes=_clean_optional(point.attributes),
        start_time_unix_nano=_optional_time(point.start_time_unix_nano),
        time_unix_nano=_time(point.time_unix_nano, 0),
        exemplars=_each(point.exemplars, _clean_exemplar),
        **numbers,
    )


def _clean_exemplar(exemplar: Any) -> Any:
    number = _number(exemplar.value)
    if number is None:
        return None
    return _replaced(
        exemplar,
        value=number,
        filtered_attributes=_clean_optional(exemplar.filtered_attributes),
        time_unix_nano=_time(exemplar.time_unix_nano, 0),
        trace_id=_id(exemplar.trace_id, _UINT128) or None,
        span_id=_id(exemplar.span_id, _UINT64) or None,
    )


def _clean_event(event: Any) -> Any:
    name, at = clean_text(event.name, LONGEST_NAME), _time(event.timestamp, 0)
    attributes = _clean_optional(event.attributes)
    if name is event.name and at is event.timestamp and attributes is event.attributes:
        return event
    return Event(name, _counting(attributes or {}, event.dropped_attributes), at)


def _clean_link(link: Any) -> Any:
    if not _is_encodable(link.context):
        return None
    attributes = _clean_optional(link.attributes)
    if attributes is link.attributes:
        return link
    return Link(link.context, _counting(attributes or {}, link.dropped_attributes))


def _clean_status(status: Any) -> Any:
    if not is_a(status, Status):
        return Status(StatusCode.UNSET)
    if status.description is None:
        return status
    text = clean_text(status.description)
    return status if text is status.description else Status(status.status_code, text)


def _clean_optional(attributes: Any) -> Any:
    return clean_attributes(attributes) if attributes else attributes


def _is_encodable(context: Any) -> bool:
    return is_a(context, SpanContext) and 0 <= context.trace_id < _UINT128 and 0 <= context.span_id < _UINT64


def _number(value: Any) -> int | float | None:
    if type(value) is float or (type(value) is int and -_INT64 <= value < _INT64):
        return value
    try:
        return float(value)
    except Exception:  # no number at all, or an integer that no float can hold
        return None


def _each(items: Any, clean: Callable[[Any], Any]) -> Any:
    """The cleaned items without those that became None; the same object if there was nothing to do."""
    if not items:
        return items
    cleaned = [clean(item) for item in items]
    if all(map(operator.is_, cleaned, items)):
        return items
    return [item for item in cleaned if item is not None]


def _replaced(item: Item, **fields: Any) -> Item:
    if all(getattr(item, name) is value for name, value in fields.items()):
        return item
    return dataclasses.replace(item, **fields)  # type: ignore[type-var]
