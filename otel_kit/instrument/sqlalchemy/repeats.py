"""N+1: the same statement from the same line again and again within one span becomes one log record when the span ends.

The counts lie in the span itself, so that they go when it goes. Where a statement comes from is looked for from its third time
on, which spares spans that do nothing of the kind; the first two count for the line of the third.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opentelemetry.trace import Span

from otel_kit import semconv
from otel_kit.instrument.sqlalchemy.database import Described
from otel_kit.instrument.sqlalchemy.note import note
from otel_kit.instrument.sqlalchemy.place import place
from otel_kit.instrument.sqlalchemy.slow import emit
from otel_kit.signals.logs.caller import code_attributes

KEY = "_otel_kit_statements"
MOST_STATEMENTS, MOST_PLACES = 500, 50  # of one span, of one statement
_UNSEEN = 2


class Repeat:
    """One statement within one span."""

    __slots__ = ("count", "places", "total")

    def __init__(self) -> None:
        self.count, self.total = 0, 0.0
        self.places: dict[tuple[str, int], Place] = {}


class Place:
    """One line that a statement comes from."""

    __slots__ = ("attributes", "count", "relationship", "total")

    def __init__(self, attributes: Mapping[str, Any], relationship: str, count: int, total: float) -> None:
        self.attributes, self.relationship, self.count, self.total = attributes, relationship, count, total


def count(span: Span, described: Described, duration: float, context: Any, most: int) -> None:
    """Count a statement for the span that it was made in."""
    if not span.is_recording():
        return
    seen: dict[str, Repeat] | None = getattr(span, KEY, None)
    if seen is None:
        seen = {}
        if not note(span, KEY, seen):
            return
    repeat = seen.get(described.text)
    if repeat is None:
        if len(seen) >= MOST_STATEMENTS:
            return
        repeat = seen[described.text] = Repeat()
    repeat.count += 1
    repeat.total += duration
    if repeat.count > _UNSEEN and most >= _UNSEEN:
        _count_place(span, described, repeat, duration, context, most)


def _count_place(
    span: Span, described: Described, repeat: Repeat, duration: float, context: Any, most: int
) -> None:
    frame = place()
    if frame is None:
        return
    key = (frame.f_code.co_filename, frame.f_lineno)
    found = repeat.places.get(key)
    if found is not None:
        found.count += 1
        found.total += duration
    elif len(repeat.places) < MOST_PLACES:
        before = (_UNSEEN + 1, repeat.total) if not repeat.places else (1, duration)
        found = repeat.places[key] = Place(code_attributes(frame), relationship(context), *before)
    if found is not None and found.count == most + 1:
        _when_it_ends(span, described, found)


def _when_it_ends(span: Any, described: Described, place: Place) -> None:
    """Tell when the span ends, for only then is the count known; the API has no such hook, so it is put on this one span."""
    end = span.end

    def telling(end_time: int | None = None) -> None:
        span.__dict__.pop("end", None)
        if end is not telling:
            _tell(span, described, place)
        end(end_time) if end_time is not None else end()

    span.end = telling


def _tell(span: Span, described: Described, place: Place) -> None:
    where = f"{place.attributes[semconv.CODE_FILE_PATH]}:{place.attributes[semconv.CODE_LINE_NUMBER]}"
    loads = f" to load {place.relationship}" if place.relationship else ""
    attributes: dict[str, Any] = {
        **described.attributes,
        **place.attributes,
        semconv.DB_REPEAT_COUNT: place.count,
        semconv.DB_REPEAT_DURATION: place.total,
    }
    if place.relationship:
        attributes[semconv.DB_RELATIONSHIP] = place.relationship
    body = f"N+1 queries: {described.name} ran {place.count} times{loads} from {where}, {place.total:.3f} s in all"
    emit(span, body, semconv.EVENT_DB_N_PLUS_ONE, attributes)


def relationship(context: Any) -> str:
    """The relationship whose lazy load a statement is, such as ``Order.items``; else empty."""
    try:
        options = context.execution_options.get("_sa_orm_load_options")
        if getattr(options, "_lazy_loaded_from", None) is None:
            return ""
        return str(context.invoked_statement._compile_options._current_path[-1])
    except Exception:  # SQLAlchemy's own business, and only a detail here
        return ""
