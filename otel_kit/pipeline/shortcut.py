"""The short way of a measurement whose attributes were seen before: straight to the series that they are.

The first measurement of an attribute set goes the SDK's way, which cleans the attributes and finds or makes the series. What
came of it is kept by the attributes as the program gave them, so that the next one costs a look into a dictionary. Only
plain attributes are kept, only for series that exist, and only until readers come or go, as they also do in a forked child.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import time_ns
from typing import Any

from opentelemetry import context as otel_context

from otel_kit import _guard
from otel_kit._facts import Facts
from otel_kit.pipeline.exemplars import is_wanted

_runtime = otel_context._RUNTIME_CONTEXT
MOST_AMOUNT = sys.float_info.max
_NUMBERS = frozenset((int, float, bool))
_PLAIN = frozenset((str, int, float, bool, bytes, type(None)))

Take = Callable[["Taken", bool], None]


class Taken:
    """A measurement, with what an aggregation reads of the SDK's. Filled in where it is made, which saves a call."""

    __slots__ = ("attributes", "context", "time_unix_nano", "value")

    value: float
    time_unix_nano: int
    attributes: dict[str, Any]
    context: Any


class Way:
    """From one attribute set to its series, one of each reader and view."""

    __slots__ = ("_attributes", "_config", "_takers")

    def __init__(self, attributes: dict[str, Any], config: Any, takers: tuple[Take, ...]) -> None:
        self._attributes, self._config, self._takers = attributes, config, takers

    def take(self, amount: float, context: Any) -> None:
        """Count a measurement in each."""
        taken = object.__new__(Taken)
        taken.value, taken.time_unix_nano, taken.attributes = amount, time_ns(), self._attributes
        taken.context = context or _runtime.get_current()
        wanted = is_wanted(self._config.exemplar_filter, taken)
        for take in self._takers:
            take(taken, wanted)


class Shortcuts:
    """The ways of one instrument.

    Args:
        instrument: a synchronous one of our own meter.
        measure: its method.
        least: the smallest amount that it takes.
    """

    __slots__ = ("_consumer", "_instrument", "_known", "_least", "_limits", "_measure")

    def __init__(self, instrument: Any, measure: Callable[..., None], least: float) -> None:
        self._instrument, self._measure, self._least = instrument, measure, least
        self._consumer = instrument._measurement_consumer
        self._limits = self._consumer.limits
        # The readers' storages, and the ways into them: as one value, so that no thread puts an old way to new storages.
        self._known: tuple[Any, dict[Any, Way]] = (None, {})

    def measure(self, amount: float, attributes: Any = None, context: Any = None) -> None:
        """The method that the program calls. Nothing is raised."""
        try:
            if type(amount) not in _NUMBERS:
                # A Decimal would be kept, and then no float could be added to the series any more.
                amount = float(amount)
            way = self._way_of(attributes)
            # What the SDK would refuse, with a warning, goes to the SDK.
            if way is not None and self._least <= amount <= MOST_AMOUNT:
                way.take(amount, context)
            else:
                self._measure(amount, attributes, context)
                if way is None:
                    self._learn({} if attributes is None else attributes)
        except Exception as error:
            _guard.contained("metrics.record", error)

    def _way_of(self, attributes: Any) -> Way | None:
        storages, ways = self._known
        if storages is not self._consumer._reader_storages or self._limits.ids:
            return None
        if type(attributes) is not dict:
            if type(attributes) is Facts:
                return ways.get(attributes.key)
            return ways.get(()) if attributes is None else None
        try:
            values = attributes.values()
            return ways.get((*attributes, *values, *map(type, values)))
        except Exception:  # a value without a hash, or one whose hash fails
            return None

    def _learn(self, attributes: Any) -> None:
        """Keep the way that a measurement with these attributes has just gone."""
        consumer = self._consumer
        if self._limits.ids or not _is_plain(attributes) or not self._instrument._is_enabled():
            return
        kept, now = dict(attributes), consumer._reader_storages
        storages, ways = self._known
        if storages is not now:
            storages, ways = self._known = now, {}
        takers = [taker for storage in now.values() for taker in storage.takers(self._instrument, kept)]
        if None not in takers:
            if len(ways) >= self._limits.series:
                ways.clear()
            ways[attributes.key if type(attributes) is Facts else _key(kept)] = Way(
                kept, consumer._sdk_config, tuple(takers)
            )


def _key(attributes: dict[Any, Any]) -> tuple[Any, ...]:
    # The types too, because ``1 == 1.0 == True`` in Python. The order counts: each has its own key, and the same series.
    # Made in line where a measurement is taken, which saves a call.
    values = attributes.values()
    return (*attributes, *values, *map(type, values))


def _is_plain(attributes: Any) -> bool:
    """Whether the SDK would take them as they are."""
    if type(attributes) not in (dict, Facts) or not _PLAIN.issuperset(map(type, attributes.values())):
        return False
    return all(type(name) is str and name for name in attributes)
