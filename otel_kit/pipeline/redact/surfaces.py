"""Every surface of the three signals, field by field."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import DEFAULT_TRACE_STATE, Link, SpanContext, Status, TraceState

from otel_kit import _guard
from otel_kit.pipeline.redact.counts import count
from otel_kit.pipeline.redact.engine import DROPPED, SHORTEST, Redactor
from otel_kit.pipeline.redact.finding import marker
from otel_kit.pipeline.redact.sql import PARAMETER, bindings

if TYPE_CHECKING:
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk.metrics.export import MetricsData

Item = TypeVar("Item")
# No integer below this has the digits of a card.
SHORTEST_CARD = 10**12
MOST_SHORT = 1_024
MOST_SCOPES = 1_000
_PASSING = frozenset((bool, float))
_TRACE_STATE = SpanContext(0, 0, is_remote=False).index(DEFAULT_TRACE_STATE)
_STATEMENTS = ("db.query.text", "db.statement")


def redact_attributes(redactor: Redactor, attributes: Any, surface: str) -> Any:
    """Attributes without secrets; the same object if there was nothing to do.

    Args:
        redactor: the redactor.
        attributes: a mapping, or None.
        surface: where they stand, for the counts.
    """
    held: Mapping[str, Any] = attributes._dict if type(attributes) is BoundedAttributes else attributes
    if not held:
        return attributes
    changed: dict[str, Any] | None = None
    statement = False
    open_keys, clean, plain = redactor.open_keys, redactor.clean, redactor.plain
    for key, value in held.items():
        # Nearly every attribute ends here: a key that says nothing, with a number or a text that was seen before.
        if key in open_keys:
            kind = type(value)
            if kind is str:
                if value in clean or len(value) < SHORTEST:
                    continue
                if plain(value) and not value.isdigit():
                    # The names that come with each item are among the first; ids may fill only a part.
                    if len(clean) < MOST_SHORT:
                        clean.add(value)
                    continue
                shown = redactor.text(value, surface, cards=open_keys[key])
                if shown is not value:
                    changed = {} if changed is None else changed
                    changed[key] = shown
                continue
            if (kind is int and value < SHORTEST_CARD) or kind in _PASSING:
                continue
        statement = statement or key in _STATEMENTS
        shown_key, shown = redactor.key(key, surface), redactor.value(key, value, surface)
        if shown_key is not key or shown is not value:
            changed = {} if changed is None else changed
            changed[key] = shown if shown_key is key else _Renamed(shown_key, shown)
    if statement:
        bound = _bound_parameters(redactor, held, surface)
        changed = {**(changed or {}), **bound} if bound else changed
    return attributes if changed is None else _merged(attributes, changed)


class _Renamed:
    """A key that itself held a secret, and what its value became."""

    __slots__ = ("key", "value")

    def __init__(self, key: str, value: Any) -> None:
        self.key, self.value = key, value


def _merged(attributes: Mapping[str, Any], changed: Mapping[str, Any]) -> Any:
    merged: dict[str, Any] = {}
    for key, value in tuple(attributes.items()):
        shown = changed.get(key, value)
        if isinstance(shown, _Renamed):
            key, shown = shown.key, shown.value
        if shown is not DROPPED:
            merged[key] = shown
    if isinstance(attributes, BoundedAttributes):
        bounded = BoundedAttributes(attributes=merged, immutable=False, extended_attributes=True)
        bounded.dropped = attributes.dropped
        return bounded
    return merged


def _bound_parameters(redactor: Redactor, attributes: Mapping[str, Any], surface: str) -> dict[str, Any]:
    """Parameters that are judged by the columns of the statement beside them."""
    statement = next((attributes[name] for name in _STATEMENTS if name in attributes), None)
    if not isinstance(statement, str):
        return {}
    parameters = [key for key in attributes if key.startswith(PARAMETER)]
    columns = bindings(statement) if parameters else {}
    found = {key: redactor.bound(columns, key, attributes[key], surface) for key in parameters}
    return {key: shown for key, shown in found.items() if shown is not attributes[key]}


def redact_log(redactor: Redactor, record: LogRecord) -> None:
    """Take the secrets out of a log record, in place: body, attributes, event name, severity text, exception.

    For the caller's thread, before anything is queued.
    """
    if redactor.off:
        return
    if redactor.charged:
        redactor.begin()
    body = record.body
    if type(body) is str:
        if body not in redactor.clean:
            record.body = redactor.text(body, "log.body")
    elif body is not None:
        record.body = redactor.value("", body, "log.body")
    if record.attributes:
        record.attributes = redact_attributes(redactor, record.attributes, "log.attributes")
    if record.event_name and record.event_name not in redactor.clean:
        record.event_name = redactor.text(record.event_name, "log.event_name")
    if record.severity_text and record.severity_text not in redactor.clean:
        record.severity_text = redactor.text(record.severity_text, "log.severity_text")


def redact_span(redactor: Redactor, span: ReadableSpan) -> ReadableSpan:
    """A span without secrets: name, attributes, events, links, status description, trace state, scope.

    Returns:
        The same object if there was nothing to do. The resource is redacted where it is built.
    """
    if redactor.off:
        return span
    if redactor.charged:
        redactor.begin()
    # The fields themselves: the properties copy what they give.
    name, attributes, status = span._name, span._attributes, span._status
    context, scope = span._context, span._instrumentation_scope
    new_attributes = redact_attributes(redactor, attributes, "span.attributes")
    known = scope is redactor.last_scope or scope is None or _known(redactor, scope)
    # The property of a tuple that most contexts are costs as much as an attribute's redaction.
    state: Any = None
    if type(context) is SpanContext:
        state = context[_TRACE_STATE]
    elif context is not None:
        state = context.trace_state
    if (
        known
        and new_attributes is attributes
        and name in redactor.clean
        and not span._events
        and not span._links
        and (status is None or not status._description)
        and (state is None or state is DEFAULT_TRACE_STATE or not state)
    ):
        return span
    new_name = name if name in redactor.clean else redactor.text(name, "span.name")
    new_events = _each(span._events, lambda event: _event(redactor, event)) if span._events else span._events
    new_links = _each(span._links, lambda link: _link(redactor, link)) if span._links else span._links
    new_status = _status(redactor, status) if status is not None and status._description else status
    new_context = _context(redactor, context) if context is not None and context.trace_state else context
    new_scope = scope if known else redact_scope(redactor, scope)
    if (
        new_name is name
        and new_attributes is attributes
        and new_events is span._events
        and new_links is span._links
        and new_status is status
        and new_context is context
        and new_scope is scope
    ):
        return span
    return RedactedSpan(
        span, new_name, new_context, new_attributes, new_events, new_links, new_status, new_scope
    )


def _known(redactor: Redactor, scope: Any) -> bool:
    """Whether a scope held no secrets; it is the next span's as well, mostly."""
    if scope is not redactor.known_scopes.get(id(scope)):
        return False
    redactor.last_scope = scope
    return True


class RedactedSpan(ReadableSpan):
    """A span some of whose fields held secrets; it keeps the counts of what was dropped before."""

    def __init__(
        self,
        span: ReadableSpan,
        name: str,
        context: Any,
        attributes: Any,
        events: Any,
        links: Any,
        status: Status,
        scope: Any,
    ) -> None:
        super().__init__(
            name,
            context,
            span.parent,
            span.resource,
            attributes,
            events,
            links,
            span.kind,
            None,
            status,
            span.start_time,
            span.end_time,
            scope,
        )
        self._counts = span.dropped_attributes, span.dropped_events, span.dropped_links

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


def _event(redactor: Redactor, event: Any) -> Any:
    name, attributes = (
        redactor.text(event.name, "event.name"),
        redact_attributes(redactor, event.attributes, "event.attributes"),
    )
    if name is event.name and attributes is event.attributes:
        return event
    return Event(name, attributes, event.timestamp)


def _link(redactor: Redactor, link: Any) -> Any:
    attributes, context = (
        redact_attributes(redactor, link.attributes, "link.attributes"),
        _context(redactor, link.context),
    )
    return link if attributes is link.attributes and context is link.context else Link(context, attributes)


def _status(redactor: Redactor, status: Status) -> Status:
    shown = redactor.text(status.description or "", "span.status")
    return status if shown is status.description else Status(status.status_code, shown)


def _context(redactor: Redactor, context: Any) -> Any:
    """A span context whose trace state came over the wire; usually it is empty."""
    if context is None or not context.trace_state:
        return context
    state = context.trace_state
    items = [(key, redactor.value(key, value, "trace_state")) for key, value in state.items()]
    if all(value is state.get(key) for key, value in items):
        return context
    # A marker has characters that a trace state must not have: the entry goes.
    kept = TraceState([(key, value) for key, value in items if value is state.get(key)])
    return SpanContext(context.trace_id, context.span_id, context.is_remote, context.trace_flags, kept)


def redact_scope(redactor: Redactor, scope: Any) -> Any:
    """An instrumentation scope without secrets in its name, version and attributes."""
    if scope is None:
        return scope
    name, version = (
        redactor.text(scope.name, "scope"),
        scope.version and redactor.text(scope.version, "scope"),
    )
    attributes = redact_attributes(redactor, scope.attributes, "scope")
    schema_url = scope.schema_url and redactor.text(scope.schema_url, "scope")
    if (
        name is scope.name
        and version is scope.version
        and attributes is scope.attributes
        and schema_url is scope.schema_url
    ):
        if len(redactor.known_scopes) >= MOST_SCOPES:
            redactor.known_scopes.clear()
        redactor.known_scopes[id(scope)] = scope
        return scope
    return InstrumentationScope(name, version, schema_url, attributes)


def redact_resource(redactor: Redactor, resource: Resource) -> Resource:
    """A resource without secrets: once, where it is built."""
    attributes = redact_attributes(redactor, resource.attributes, "resource")
    schema_url = redactor.text(resource.schema_url or "", "resource")
    if attributes is resource.attributes and schema_url == (resource.schema_url or ""):
        return resource
    return Resource(dict(attributes), schema_url)


def redact_mapping(redactor: Redactor, values: Mapping[str, Any], surface: str) -> Mapping[str, Any]:
    """Any other mapping, such as baggage that would go out."""
    shown: Mapping[str, Any] = redact_attributes(redactor, values, surface)
    return shown


def redact_metrics(redactor: Redactor, data: MetricsData) -> MetricsData:
    """Collected metrics without secrets in attributes and exemplars.

    A replaced attribute value gets eight digits of a keyed hash, ``[redacted:token#1f3a9c02]``, so that two series stay two.
    """
    if redactor.off:
        return data
    redactor.begin()
    return _replaced(
        data, resource_metrics=_each(data.resource_metrics, lambda part: _resource_metrics(redactor, part))
    )


def _resource_metrics(redactor: Redactor, part: Any) -> Any:
    scopes = _each(part.scope_metrics, lambda scope: _scope_metrics(redactor, scope))
    return _replaced(part, scope_metrics=scopes, schema_url=_url(redactor, part.schema_url))


def _scope_metrics(redactor: Redactor, part: Any) -> Any:
    metrics = _each(part.metrics, lambda metric: _metric(redactor, metric))
    scope, schema_url = redact_scope(redactor, part.scope), _url(redactor, part.schema_url)
    return _replaced(part, scope=scope, metrics=metrics, schema_url=schema_url)


def _url(redactor: Redactor, schema_url: str | None) -> str | None:
    return schema_url and redactor.text(schema_url, "scope")


def _metric(redactor: Redactor, metric: Any) -> Any:
    points = _each(metric.data.data_points, lambda point: _point(redactor, point))
    texts = {
        name: redactor.text(getattr(metric, name), "metric")
        for name in ("name", "description", "unit")
        if getattr(metric, name)
    }
    return _replaced(metric, data=_replaced(metric.data, data_points=points), **texts)


def _point(redactor: Redactor, point: Any) -> Any:
    attributes = _series_attributes(redactor, point.attributes)
    exemplars = (
        _each(point.exemplars, lambda exemplar: _exemplar(redactor, exemplar))
        if point.exemplars
        else point.exemplars
    )
    return _replaced(point, attributes=attributes, exemplars=exemplars)


def _exemplar(redactor: Redactor, exemplar: Any) -> Any:
    return _replaced(
        exemplar, filtered_attributes=redact_attributes(redactor, exemplar.filtered_attributes, "exemplar")
    )


def _series_attributes(redactor: Redactor, attributes: Any) -> Any:
    """Attributes of a series: whatever is replaced stays different from what another series had."""
    shown = redact_attributes(redactor, attributes, "metric.attributes")
    if shown is attributes:
        return attributes
    keyed = dict(shown)
    for key, value in keyed.items():
        if (
            key in attributes
            and value is not attributes[key]
            and isinstance(value, str)
            and not value.startswith("[hash:")
        ):
            keyed[key] = _distinct(value, redactor.digest(attributes[key]))
    dropped = [key for key in attributes if key not in keyed]
    if dropped and len(keyed) < len(attributes):
        keyed[f"{marker('dropped')}"] = redactor.digest([attributes[key] for key in dropped])
    return keyed


def _distinct(value: str, digest: str) -> str:
    """``[redacted:token#1f3a9c02]``; a value that was replaced in part gets the digits at its end."""
    if value.startswith("[redacted:") and value.endswith("]") and value.count("[") == 1:
        return f"{value[:-1]}#{digest}]"
    return f"{value} #{digest}"


def _replaced(item: Item, **fields: Any) -> Item:
    """The item with other fields; the same object if they are the same objects."""
    if all(value is getattr(item, name) for name, value in fields.items()):
        return item
    return dataclasses.replace(item, **fields)  # type: ignore[type-var]


def _each(items: Sequence[Any], redact: Callable[[Any], Any]) -> Any:
    """The items, redacted; the same sequence if all are the same objects. An item that fails is left out."""
    shown, same = [], True
    for item in items:
        try:
            result = redact(item)
        except Exception as error:
            _guard.contained("redact.item", error)
            count("error", "item")
            same = False
            continue
        same = same and result is item
        shown.append(result)
    return items if same else shown
