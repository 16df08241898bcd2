"""Which measurements lead to their trace, and which of them are kept until the next collection.

These do what the SDK's do, at a fraction of the price: theirs look for the span twice, go through a histogram's bounds one by
one, and lock. Here a measurement that meets a collection may be left out as an exemplar; it is counted all the same.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from random import random
from typing import Any

from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics._internal.aggregation import (
    _ExplicitBucketHistogramAggregation,
    _LastValueAggregation,
    _SumAggregation,
)
from opentelemetry.sdk.metrics._internal.view import _default_reservoir_factory
from opentelemetry.trace.propagation import _SPAN_KEY

# Value, time, attributes, span id and trace id.
_Kept = tuple[float, int, Any, int | None, int | None]


def is_wanted(chosen: sdk.ExemplarFilter, taken: Any) -> bool:
    """Whether a measurement may become an exemplar; the usual filter's answer is known without asking it."""
    if type(chosen) is not sdk.TraceBasedExemplarFilter:
        return chosen.should_sample(taken.value, taken.time_unix_nano, taken.attributes, taken.context)
    span: Any = taken.context.get(_SPAN_KEY)
    # A span's context is a tuple; its properties are calls.
    return span is not None and span.get_span_context()[3] & 1 == 1


class Reservoir(sdk.ExemplarReservoir):
    """One exemplar for each bucket of a histogram, one in all for sums and gauges; each measurement is as likely as the others.

    Args:
        boundaries: the histogram's; none for the others.
    """

    __slots__ = ("_boundaries", "_kept", "_seen")

    def __init__(self, boundaries: Sequence[float] = ()) -> None:
        self._boundaries = boundaries
        self._empty()

    def _empty(self) -> None:
        places = len(self._boundaries) + 1
        self._seen, self._kept = [0] * places, list[_Kept | None]([None] * places)

    def offer(self, value: float, time_unix_nano: int, attributes: Any, context: Any) -> None:
        """Keep a measurement, or not."""
        place = bisect_left(self._boundaries, value) if self._boundaries else 0
        seen = self._seen[place] = self._seen[place] + 1
        if random() * seen >= 1:
            return
        span: Any = context.get(_SPAN_KEY)
        if span is None:
            self._kept[place] = value, time_unix_nano, attributes, None, None
        else:
            # The ids alone: the span would be kept with all that it holds.
            trace_id, span_id, *_ = span.get_span_context()
            self._kept[place] = value, time_unix_nano, attributes, span_id or None, trace_id or None

    def collect(self, point_attributes: Any) -> list[sdk.Exemplar]:
        """What was kept, without the attributes that the point has anyhow; and begin anew."""
        kept = self._kept
        self._empty()
        return [_exemplar(one, point_attributes or {}) for one in kept if one is not None]


def _exemplar(kept: _Kept, known: Any) -> sdk.Exemplar:
    value, time, attributes, span_id, trace_id = kept
    others = {name: fact for name, fact in attributes.items() if name not in known} if attributes else None
    return sdk.Exemplar(others, value, time, span_id, trace_id)


def reservoirs(chosen: Callable[..., Any]) -> Callable[..., Any]:
    """A view's choice of reservoirs, with ours in place of the SDK's own."""
    return _ours if chosen is _default_reservoir_factory else chosen


def _ours(aggregation: Any) -> Any:
    if issubclass(aggregation, _ExplicitBucketHistogramAggregation | _SumAggregation | _LastValueAggregation):
        return Reservoir
    return _default_reservoir_factory(aggregation)
