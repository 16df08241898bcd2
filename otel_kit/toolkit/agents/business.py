"""What matters to the business: ``business_event("order paid", value=12.5)``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.toolkit.agents import event, figures

MOST_NAMES = 1000
LONGEST = 256
OTHERS = "(others)"
HEARD = "business_event"  # what a tally hears of it

_agents = part("agents")


class BusinessEvent:
    """Tells what matters to the business: ``business_event("order paid", value=12.5, product="tea")``.

    ``business_event.schema`` says which events there are; misspelt ones are refused then.
    """

    def __init__(self) -> None:
        self._schema: dict[str, frozenset[str] | None] = {}
        self._names: set[str] = set()

    def __call__(self, name: str, /, *, value: float | None = None, **facts: Any) -> None:
        """One event: a log record, the counter ``otel_kit.business.events``, and the sum of values
        ``otel_kit.business.value``.

        Args:
            name: in words; a metric attribute, so let there be few.
            value: what it is worth, in the business's own measure.
            facts: attributes of the record, under the names as they are written here.

        Raises:
            ArgumentError: the name is no text, the value no number, or the schema has no such event or fact.
        """
        if type(name) is not str or not name or len(name) > LONGEST:
            raise ArgumentError("business_event(name)", name, f"a text of up to {LONGEST} characters")
        if self._schema:
            self._check(name, facts)
        if value is not None and not _is_number(value):
            raise ArgumentError("business_event(value)", value, "a number")
        if _agents.on:
            self._emit(name, value, facts)

    def schema(self, events: Mapping[str, Iterable[str] | None]) -> None:
        """Say which events there are, and which facts each has. From then on others are refused, everywhere and also with
        telemetry off, so that tests find a slip. Called again it adds.

        Args:
            events: by their names, the names of their facts; None for any:
                ``{"order paid": ["product", "user"], "shop opened": None}``.

        Raises:
            ArgumentError: an event's facts are a bare text.
        """
        for name, facts in events.items():
            if isinstance(facts, str):
                raise ArgumentError(
                    f"business_event.schema: {name!r}", facts, "a list of names, or None for any"
                )
            self._schema[name] = None if facts is None else frozenset(facts)

    def _check(self, name: str, facts: Mapping[str, Any]) -> None:
        if name not in self._schema:
            raise ArgumentError("business_event(name)", name, ", ".join(sorted(self._schema)), self._schema)
        known = self._schema[name]
        for fact in facts:
            if known is not None and fact not in known:
                valid = ", ".join(sorted(known)) or "no facts at all"
                raise ArgumentError(f"a fact of {name!r}", fact, valid, known)

    def _emit(self, name: str, value: float | None, facts: Mapping[str, Any]) -> None:
        try:
            counted = {semconv.BUSINESS_EVENT: self._bounded(name)}
            figures.add(semconv.METRIC_BUSINESS_EVENTS, 1, counted)
            if value is not None:
                figures.add(semconv.METRIC_BUSINESS_VALUE, float(value), counted)
            tally.tell(HEARD, name=name, value=value)
            said = {semconv.BUSINESS_EVENT: name, semconv.BUSINESS_VALUE: value}
            event.tell(event_name(name), name, {**said, **facts})
        except Exception as error:
            _guard.contained("agents.business", error)

    def _bounded(self, name: str) -> str:
        if name not in self._names:
            if len(self._names) >= MOST_NAMES:
                return OTHERS
            self._names.add(name)
        return name


@lru_cache(maxsize=MOST_NAMES)
def event_name(name: str) -> str:
    """The record's event name: ``otel_kit.business.order_paid``."""
    return f"{semconv.EVENT_BUSINESS}.{re.sub(r'[^a-z0-9]+', '_', name.lower()).strip('_') or 'event'}"


def _is_number(value: object) -> bool:
    if isinstance(value, bool):
        return False
    try:
        return not isinstance(value, str | bytes) and float(value) == float(value)  # type: ignore[arg-type]
    except Exception:  # whatever a stranger's type does when asked
        return False


business_event: BusinessEvent = BusinessEvent()
