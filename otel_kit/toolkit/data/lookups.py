"""What is counted of one cache: hits, misses, writes, removals, time, and its size when metrics are collected."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from typing import Any

from opentelemetry.metrics import CallbackOptions, Observation

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.toolkit.data.figures import SECONDS, data, figures

HIT, MISS = "hit", "miss"
GET, SET, DELETE = "get", "set", "delete"
INVALIDATION, EVICTION = "invalidation", "eviction"
MOST_SIZES = 1000

# The cache in whose method this thread or task is: what its methods call of one another counts once.
inside: ContextVar[Lookups | None] = ContextVar("otel_kit_cache", default=None)
_sizes: dict[str, tuple[Any, Callable[[Any], int]]] = {}


class Lookups:
    """The figures of one cache.

    Args:
        name: its name, an attribute of all its metrics.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.classes: dict[type, type] = {}  # classes of objects that belong to it, with their watched ones
        named = {semconv.CACHE_NAME: name}
        self._results = {result: {**named, semconv.CACHE_RESULT: result} for result in (HIT, MISS)}
        self._reasons = {why: {**named, semconv.CACHE_REASON: why} for why in (INVALIDATION, EVICTION)}
        self._times = {kind: {**named, semconv.CACHE_OPERATION: kind} for kind in (GET, SET, DELETE)}
        self._named = named

    def looked(self, hits: int, misses: int) -> None:
        """Values were looked for."""
        counter = figures.counter(
            semconv.METRIC_CACHE_LOOKUPS, "{lookup}", "Values that were looked for in a cache."
        )
        if hits:
            counter.add(hits, self._results[HIT])
        if misses:
            counter.add(misses, self._results[MISS])

    def wrote(self, count: int) -> None:
        """Values were put in."""
        if count > 0:
            figures.counter(semconv.METRIC_CACHE_WRITES, "{entry}", "Values that were put into a cache.").add(
                count, self._named
            )

    def removed(self, count: int, why: str = INVALIDATION) -> None:
        """Values went."""
        if count > 0:
            figures.counter(
                semconv.METRIC_CACHE_REMOVALS,
                "{entry}",
                "Values that went from a cache, on request or for room.",
            ).add(count, self._reasons[why])

    def took(self, operation: str, seconds: float) -> None:
        """An operation is over."""
        figures.histogram(
            semconv.METRIC_CACHE_OPERATION_DURATION, "Duration of operations on a cache.", SECONDS
        ).record(seconds, self._times[operation])

    def measure(self, cache: object, size: Callable[[Any], int]) -> None:
        """Tell the cache's size with each collection of the metrics, as long as it lives."""
        try:
            reference: Any = weakref.ref(cache)
        except TypeError:
            return
        if self.name in _sizes or len(_sizes) < MOST_SIZES:
            _sizes[self.name] = reference, size


def observe_sizes() -> None:
    """Have the sizes collected."""
    figures.observe(semconv.METRIC_CACHE_SIZE, "{entry}", "Values that a cache holds.", _observations)


def _observations(_: CallbackOptions) -> Iterator[Observation]:
    for name, (reference, size) in list(_sizes.items()) if data.on else ():
        cache = reference()
        if cache is None:
            _sizes.pop(name, None)
            continue
        try:
            yield Observation(size(cache), {semconv.CACHE_NAME: name})
        except Exception as error:
            _guard.contained("data.cache.size", error)


def count_work(hits: int, misses: int, seconds: float, inner: tally.Tally | None) -> None:
    """Count for the work that is going on, unless the library below has counted the same lookup already."""
    if inner is not None and tally.CACHE_CALL in inner.counts:
        return
    tally.count(tally.CACHE_CALL, seconds)
    if hits:
        tally.count(tally.CACHE_HIT, times=hits)
    if misses:
        tally.count(tally.CACHE_MISS, times=misses)
