"""The metrics of HTTP servers, as the semantic conventions name them."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from opentelemetry import metrics, trace

from otel_kit import semconv

SCOPE = "otel_kit.http.server"
Scope = tuple[str, str | None, str | None]
OURS: Scope = (SCOPE, None, None)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
_BYTES = (0, 128, 512, 1024, 4096, 16384, 65536, 262144, 1048576, 4194304, 16777216, 67108864)


class Figures:
    """The instruments of one scope.

    How many requests are active is counted here and looked at when metrics are collected, which costs a request much less than
    two measurements. In a framework's own scope the instrument must be of the framework's kind.
    """

    __slots__ = ("_active", "_counter", "_lock", "duration", "request_size", "response_size")

    def __init__(self, provider: metrics.MeterProvider, scope: Scope) -> None:
        meter = provider.get_meter(scope[0], scope[1], scope[2])
        self.duration = meter.create_histogram(
            semconv.METRIC_HTTP_SERVER_REQUEST_DURATION,
            "s",
            "Duration of HTTP server requests.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        # A signal's handler or a ``__del__`` that ends a request interrupts its thread also where it holds the lock.
        self._lock, self._active = threading.RLock(), defaultdict[tuple[str, str], int](int)
        about = ("{request}", "Number of active HTTP server requests.")
        self._counter: metrics.UpDownCounter | None = None
        if scope == OURS:
            meter.create_observable_up_down_counter(
                semconv.METRIC_HTTP_SERVER_ACTIVE_REQUESTS, [self._observe], *about
            )
        else:
            self._counter = meter.create_up_down_counter(semconv.METRIC_HTTP_SERVER_ACTIVE_REQUESTS, *about)
        self.request_size = _size(meter, semconv.METRIC_HTTP_SERVER_REQUEST_BODY_SIZE, "request")
        self.response_size = _size(meter, semconv.METRIC_HTTP_SERVER_RESPONSE_BODY_SIZE, "response")

    def begin(self, method: str, scheme: str, change: int = 1) -> None:
        """One more request is active, or with -1 one less."""
        if self._counter is not None:
            self._counter.add(change, _names((method, scheme)))
            return
        with self._lock:
            self._active[method, scheme] += change

    def _observe(self, _: metrics.CallbackOptions) -> Iterator[metrics.Observation]:
        for key, count in list(self._active.items()):
            yield metrics.Observation(count, _names(key))


def _names(key: tuple[str, str]) -> dict[str, str]:
    return {semconv.HTTP_REQUEST_METHOD: key[0], semconv.URL_SCHEME: key[1]}


def _size(meter: metrics.Meter, name: str, what: str) -> metrics.Histogram:
    description = f"Size of HTTP server {what} bodies."
    return meter.create_histogram(name, "By", description, explicit_bucket_boundaries_advisory=_BYTES)


class _Known:
    """What was made for the global providers; made anew when a program sets others."""

    meters: Any = None
    tracers: Any = None
    tracer: trace.Tracer
    figures: dict[Scope, Figures]


def figures(scope: Scope = OURS) -> Figures:
    """The instruments of a scope, on the global meter provider."""
    provider = metrics.get_meter_provider()
    if provider is not _Known.meters:
        _Known.figures, _Known.meters = {}, provider
    found = _Known.figures.get(scope)
    if found is None:
        found = _Known.figures[scope] = Figures(provider, scope)
    return found


def tracer() -> trace.Tracer:
    """The tracer of server spans, of the global provider."""
    provider = trace.get_tracer_provider()
    if provider is not _Known.tracers:
        _Known.tracer, _Known.tracers = provider.get_tracer(SCOPE), provider
    return _Known.tracer
