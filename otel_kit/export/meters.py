"""The meter provider: one for the life of the process, and no SDK behind it before something is counted.

The SDK's metrics cost a start-up 29 ms. They are imported when the program makes its first synchronous instrument, or by the
collecting thread; observable instruments made before that are remembered, because nobody reads them earlier.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from opentelemetry import metrics as api
from opentelemetry.metrics import Meter as APIMeter
from opentelemetry.metrics import MeterProvider as APIMeterProvider

from otel_kit import _guard

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData

Made = TypeVar("Made")

# Past this many, a meter is made anew for each call.
MOST_METERS = 1000
# https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/: instruments that are delta by preference.
_DELTA = {
    "cumulative": (),
    "delta": ("Counter", "Histogram", "ObservableCounter"),
    "lowmemory": ("Counter", "Histogram"),
}


class Backing(NamedTuple):
    """How the SDK's side is made and kept up to date.

    Attributes:
        make: gives a provider of the SDK; called at most once in the life of the process.
        update: called with it right after, and whenever the settings change.
        shape: temporality and histogram aggregation, as the settings name them; None: nothing is kept or collected.
    """

    make: Callable[[], Any]
    update: Callable[[Any], None]
    shape: tuple[str, str] | None


class MeterProvider(APIMeterProvider):
    """Hands out meters, which follow :meth:`reconfigure`."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._meters: dict[tuple[str, str | None, str | None], Meter] = {}
        self._backing: Backing | None = None
        self._real: Any = None
        self._storage: Any = None
        self._kept: tuple[str, str] | None = None
        self._observed: list[Callable[[], object]] = []

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Any = None
    ) -> APIMeter:
        """The meter of a scope."""
        key = (name, version, schema_url)
        if attributes is None and key in self._meters:
            return self._meters[key]
        meter = Meter(self, name, version, schema_url, attributes)
        if attributes is None and len(self._meters) < MOST_METERS:
            return self._meters.setdefault(key, meter)
        return meter

    def reconfigure(self, backing: Backing) -> None:
        """Replace what is inside, for the instruments handed out before too.

        Sums go on where the shape stays the same, and begin anew where it changes.
        """
        with self._lock:
            self._backing = backing
            if self._real is not None:
                self._update()

    def _update(self) -> None:
        assert self._backing is not None
        self._backing.update(self._real)
        if self._backing.shape == self._kept:
            return
        if self._storage is not None:
            self._real.remove_metric_reader(self._storage)
        self._kept = self._backing.shape
        self._storage = None if self._kept is None else _storage_key(*self._kept)
        if self._storage is not None:
            self._real.add_metric_reader(self._storage)

    def real(self) -> Any:
        """The SDK's provider, made when first needed."""
        if self._real is None:
            with self._lock:
                if self._real is None:
                    self._make_real()
        return self._real

    def _make_real(self) -> None:
        assert self._backing is not None
        self._real = self._backing.make()
        self._update()
        for make in self._observed:
            make()
        self._observed.clear()

    def observe(self, make: Callable[[], object]) -> None:
        """Make an observable instrument now, or as soon as the SDK is there."""
        with self._lock:
            if self._real is None:
                self._observed.append(make)
                return
        make()

    def collect(self, timeout: float) -> MetricsData | None:
        """What the instruments hold now.

        Args:
            timeout: longest time for the callbacks of observable instruments, in seconds.
        """
        consumer, storage = self.real()._measurement_consumer, self._storage
        if storage is None:
            return None
        try:
            data: MetricsData | None = consumer.collect(storage, timeout * 1000)
        except Exception:
            if storage is self._storage:
                raise
            return None  # switched off meanwhile: nobody wants it any more
        return data

    def renew(self, first_measurement: Callable[[], object]) -> None:
        """In a forked child: a fresh lock; ``first_measurement`` is called at the child's first one.

        The SDK's side starts over by itself: the parent's counts are its own to report.
        """
        self._lock = threading.RLock()
        if self._real is None:
            return
        consumer = self._real._measurement_consumer

        def consume(measurement: Any) -> None:
            vars(consumer).pop("consume_measurement", None)
            try:
                first_measurement()
            except Exception as error:
                _guard.contained("metrics.fork", error)
            consumer.consume_measurement(measurement)

        consumer.consume_measurement = consume


def _storage_key(temporality: str, aggregation: str) -> Any:
    """The SDK keeps sums by reader, and reads its temporality and aggregation off it."""
    from opentelemetry.sdk import metrics as sdk
    from opentelemetry.sdk.metrics import view
    from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader

    delta = {getattr(sdk, name): AggregationTemporality.DELTA for name in _DELTA[temporality]}
    exponential = aggregation == "base2_exponential_bucket_histogram"
    histograms = {sdk.Histogram: view.ExponentialBucketHistogramAggregation()} if exponential else {}
    return InMemoryMetricReader(delta, histograms)  # type: ignore[arg-type]


class Meter(APIMeter):
    """One scope's meter; see the API for the methods."""

    def __init__(
        self,
        provider: MeterProvider,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> None:
        super().__init__(name, version, schema_url)
        self._provider, self._scope = provider, (name, version, schema_url, attributes)

    def _made(self, kind: str, *args: Any, **options: Any) -> Any:
        return getattr(self._provider.real().get_meter(*self._scope), kind)(*args, **options)

    def _later(self, stand_in: type[Made], kind: str, *args: Any) -> Made:
        self._provider.observe(lambda: self._made(kind, *args))
        return stand_in(*args)

    def create_counter(self, name: str, unit: str = "", description: str = "") -> api.Counter:
        return self._made("create_counter", name, unit, description)  # type: ignore[no-any-return]

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> api.UpDownCounter:
        return self._made("create_up_down_counter", name, unit, description)  # type: ignore[no-any-return]

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        return self._made("create_gauge", name, unit, description)

    def create_histogram(
        self, name: str, unit: str = "", description: str = "", **options: Any
    ) -> api.Histogram:
        return self._made("create_histogram", name, unit, description, **options)  # type: ignore[no-any-return]

    def create_observable_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> api.ObservableCounter:
        return self._later(
            _ObservableCounter, "create_observable_counter", name, callbacks, unit, description
        )

    def create_observable_up_down_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> api.ObservableUpDownCounter:
        return self._later(
            _ObservableUpDownCounter, "create_observable_up_down_counter", name, callbacks, unit, description
        )

    def create_observable_gauge(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> api.ObservableGauge:
        return self._later(_ObservableGauge, "create_observable_gauge", name, callbacks, unit, description)


# What the program holds of an observable instrument: it has no methods.
class _ObservableCounter(api.NoOpObservableCounter):
    """An observable counter that may be made later."""


class _ObservableUpDownCounter(api.NoOpObservableUpDownCounter):
    """An observable up-down counter that may be made later."""


class _ObservableGauge(api.NoOpObservableGauge):
    """An observable gauge that may be made later."""
