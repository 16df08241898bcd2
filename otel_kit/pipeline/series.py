"""Metrics with a bound: a limit on series per instrument, chosen context ids on measurements, errors contained.

A series is one attribute set of one instrument. What exceeds the limit is added up in one more series that carries the
attribute ``otel.metric.overflow=true`` and nothing else, as the specification wants it: totals stay right, nothing is
counted twice, and memory stays flat. The SDK has a limit of its own only since 1.45.2; this one is the same in all.

The classes replace the SDK's, step by step on a measurement's way: ``MeterProvider`` makes a ``Meter``, which makes
instruments that contain errors; ``Consumer`` adds the ids; ``Storage`` keeps a ``Stream`` for each instrument and reader.
An attribute set that was seen before goes straight to its series: see ``shortcut``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from threading import Lock, RLock, current_thread, main_thread
from time import time_ns
from typing import Any

from opentelemetry.metrics import Asynchronous, NoOpMeter
from opentelemetry.metrics import Meter as APIMeter
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics._internal._view_instrument_match import _hash_attributes, _ViewInstrumentMatch
from opentelemetry.sdk.metrics._internal.instrument import _Instrument
from opentelemetry.sdk.metrics._internal.measurement import Measurement
from opentelemetry.sdk.metrics._internal.measurement_consumer import SynchronousMeasurementConsumer
from opentelemetry.sdk.metrics._internal.metric_reader_storage import _DEFAULT_VIEW, MetricReaderStorage
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricReader
from opentelemetry.sdk.metrics.view import DefaultAggregation, View
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from otel_kit import _guard, semconv
from otel_kit.context import ids
from otel_kit.pipeline.exemplars import reservoirs
from otel_kit.pipeline.shortcut import MOST_AMOUNT, Shortcuts, Take

SERIES_LIMIT = 2000
MOST_METERS = 1000
OVERFLOW_METER = "otel_kit.overflow"
"""The scope of instruments whose meter is one too many."""

_OVERFLOW = {semconv.METRIC_OVERFLOW: True}
_PLAIN = frozenset((str, int, float, bool, bytes, type(None)))


class Limits:
    """What the parts below share, so that it can be changed at any time.

    Args:
        series: most series of one instrument, the overflow series among them.
        names: context ids that are put on measurements, by the user's names.
    """

    def __init__(self, series: int, names: Iterable[str]) -> None:
        self.series = series
        self.ids = tuple(ids.WIRE_NAMES.get(name, name) for name in names)
        self._told: set[str] = set()

    def tell(self, name: str, where: str) -> None:
        """Say once that something reached its limit, and where the rest is counted."""
        if name not in self._told:
            self._told.add(name)
            _guard.say(f"{name} has reached its limit; what exceeds it is counted under {where}")


class MeterProvider(sdk.MeterProvider):
    """The SDK's, bounded; settings can be changed at any time, also for instruments that exist.

    At most ``MOST_METERS`` meters are kept apart; instruments of further ones share the meter ``otel_kit.overflow``.
    In a forked child all series start again from nothing, as the parent goes on to count what was counted before.

    Args:
        metric_readers, resource, exemplar_filter, views: as for the SDK's provider. ``shutdown_on_exit`` is off.
        series_limit: most series of one instrument, the overflow series among them.
        metric_ids: the user's names of context ids that every synchronous measurement carries, such as ``("user_id",)``.
            Each multiplies the number of series.
    """

    _measurement_consumer: Consumer
    _meters: dict[InstrumentationScope, Any]

    def __init__(
        self,
        metric_readers: Sequence[MetricReader] = (),
        resource: Resource | None = None,
        exemplar_filter: sdk.ExemplarFilter | None = None,
        views: Sequence[View] = (),
        *,
        series_limit: int = SERIES_LIMIT,
        metric_ids: Iterable[str] = (),
    ) -> None:
        super().__init__((), resource, exemplar_filter, False, views)
        self._limits = Limits(series_limit, metric_ids)
        self._measurement_consumer = Consumer(self._sdk_config, self._limits)
        self._metric_readers = metric_readers
        for reader in metric_readers:
            self.add_metric_reader(reader)

    def reconfigure(
        self,
        *,
        resource: Resource | None = None,
        exemplar_filter: sdk.ExemplarFilter | None = None,
        series_limit: int | None = None,
        metric_ids: Iterable[str] | None = None,
    ) -> None:
        """Change what is given. Series that exist stay, also where the new limit is lower."""
        if resource is not None:
            self._sdk_config.resource = resource
        if exemplar_filter is not None:
            self._sdk_config.exemplar_filter = exemplar_filter
        if series_limit is not None:
            self._limits.series = series_limit
        if metric_ids is not None:
            self._limits.ids = Limits(0, metric_ids).ids

    def get_meter(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> APIMeter:
        try:
            scope = InstrumentationScope(name, version, schema_url, attributes)
            with self._meter_lock:
                return self._meters.get(scope) or self._new_meter(scope)
        except Exception as error:
            _guard.contained("metrics.get_meter", error)
            return NoOpMeter("invalid")

    def _new_meter(self, scope: InstrumentationScope) -> APIMeter:
        if len(self._meters) >= MOST_METERS:
            self._limits.tell("the number of meters", OVERFLOW_METER)
            scope = InstrumentationScope(OVERFLOW_METER)
        meter: APIMeter = self._meters.setdefault(scope, Meter(scope, self._measurement_consumer))
        return meter

    def _set_meter_configurator(self, **configurator: Any) -> None:
        super()._set_meter_configurator(**configurator)
        self._measurement_consumer.forget_ways()

    def _handle_fork(self) -> None:
        # Not the SDK's, which runs resource detectors in threads, in the middle of the fork.
        self._lock, self._meter_lock, self._all_metric_readers_lock = Lock(), Lock(), Lock()
        self._measurement_consumer.start_over()
        for meter in self._meters.values():
            meter.renew()


class Meter(sdk.Meter):
    """Makes the SDK's instruments, with errors contained: an instrument that cannot be made is one that does nothing."""

    def create_counter(self, name: str, unit: str = "", description: str = "") -> Any:
        return _guarded(_made(super().create_counter, name, unit, description), "add")

    def create_up_down_counter(self, name: str, unit: str = "", description: str = "") -> Any:
        return _guarded(_made(super().create_up_down_counter, name, unit, description), "add")

    def create_histogram(self, name: str, unit: str = "", description: str = "", **advice: Any) -> Any:
        return _guarded(_made(super().create_histogram, name, unit, description, **advice), "record")

    def create_gauge(self, name: str, unit: str = "", description: str = "") -> Any:
        return _guarded(_made(super().create_gauge, name, unit, description), "set")

    def create_observable_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> Any:
        return _observing(_made(super().create_observable_counter, name, callbacks, unit, description))

    def create_observable_up_down_counter(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> Any:
        return _observing(
            _made(super().create_observable_up_down_counter, name, callbacks, unit, description)
        )

    def create_observable_gauge(
        self, name: str, callbacks: Any = None, unit: str = "", description: str = ""
    ) -> Any:
        return _observing(_made(super().create_observable_gauge, name, callbacks, unit, description))

    def renew(self) -> None:
        """After a fork: the locks may have been held by threads that are gone."""
        self._instrument_registration_lock, self._instrument_ids_lock = Lock(), Lock()


def _made(create: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    try:
        return create(*args, **kwargs)
    except Exception as error:
        _guard.contained("metrics.create", error)
        return getattr(NoOpMeter("invalid"), create.__name__)("invalid")


def _guarded(instrument: Any, method: str) -> Any:
    """Put a method that contains errors before the class's: on the instance, so that a call costs no look-up more."""
    if isinstance(instrument, _Instrument) and method not in vars(instrument):
        measure = getattr(instrument, method)
        least = 0 if isinstance(instrument, sdk.Counter | sdk.Histogram) else -MOST_AMOUNT
        setattr(instrument, method, Shortcuts(instrument, measure, least).measure)
    return instrument


def _observing(instrument: Any) -> Any:
    """Contain each callback: the SDK lets through what is no Exception, and the whole collection with it."""
    if isinstance(instrument, _Instrument) and "_otel_kit_contained" not in vars(instrument):
        vars(instrument)["_otel_kit_contained"] = True
        callbacks: list[Any] = instrument._callbacks  # type: ignore[attr-defined]
        callbacks[:] = map(_observed, callbacks)
    return instrument


def _observed(callback: Callable[[Any], Iterable[Any]]) -> Callable[[Any], Iterable[Any]]:
    def observed(options: Any) -> Iterable[Any]:
        found: list[Any] = []
        try:
            found.extend(callback(options))
        except BaseException as error:
            if _is_for_the_program(error):
                raise
            _guard.contained("metrics.callback", error)
        return found

    return observed


def _is_for_the_program(error: BaseException) -> bool:
    """Whether it ends the program, as Ctrl-C does while the main thread collects."""
    return isinstance(error, (KeyboardInterrupt, SystemExit)) and current_thread() is main_thread()


class Consumer(SynchronousMeasurementConsumer):
    """Takes every measurement to the storages of all readers, with the ids that hold here."""

    def __init__(self, config: Any, limits: Limits) -> None:
        super().__init__(config, ())
        self.limits = limits

    def consume_measurement(self, measurement: Measurement) -> None:
        if self.limits.ids:
            _add_ids(measurement, self.limits.ids)
        super().consume_measurement(measurement)

    def register_asynchronous_instrument(self, instrument: Any) -> None:
        # Without the lock, which is held while callbacks run: one that hangs must not hang who makes instruments.
        self._async_instruments.append(instrument)

    # Without that lock too, or switching off would wait for the callback; the provider lets one change in at a time.

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        self._reader_storages = {**self._reader_storages, metric_reader: self._storage(metric_reader)}

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        self._reader_storages = {
            reader: storage
            for reader, storage in self._reader_storages.items()
            if reader is not metric_reader
        }

    def forget_ways(self) -> None:
        """Let the next measurements go the SDK's way, which asks whether their meter is wanted."""
        self._reader_storages = dict(self._reader_storages)

    def start_over(self) -> None:
        """After a fork: fresh locks and no series."""
        self._lock = Lock()
        self._reader_storages = {reader: self._storage(reader) for reader in self._reader_storages}

    def _storage(self, reader: Any) -> Storage:
        return Storage(
            self._sdk_config,
            reader._instrument_class_temporality,
            reader._instrument_class_aggregation,
            self.limits,
        )


def _add_ids(measurement: Measurement, names: tuple[str, ...]) -> None:
    held = ids.attributes(measurement.context)
    chosen = {name: held[name] for name in names if name in held}
    if chosen:
        object.__setattr__(measurement, "attributes", {**chosen, **(measurement.attributes or {})})


class Storage(MetricReaderStorage):
    """The streams of one reader."""

    def __init__(self, config: Any, temporality: Any, aggregation: Any, limits: Limits) -> None:
        super().__init__(config, temporality, aggregation)
        self._limits = limits

    def _get_or_init_view_instrument_match(self, instrument: Any) -> list[_ViewInstrumentMatch]:
        known = self._instrument_view_instrument_matches.get(instrument)
        if known is None:
            with self._lock:
                made = self._streams(instrument)
                known = self._instrument_view_instrument_matches.setdefault(instrument, made)
        return known

    def takers(self, instrument: Any, attributes: dict[str, Any]) -> list[Take | None]:
        """What counts a measurement with these clean attributes: see :meth:`Stream.taker`."""
        streams: Any = self._get_or_init_view_instrument_match(instrument)
        return [stream.taker(attributes) for stream in streams]

    def _streams(self, instrument: Any) -> list[_ViewInstrumentMatch]:
        views = [
            view
            for view in self._sdk_config.views
            if view._match(instrument) and self._check_view_instrument_compatibility(view, instrument)
        ]
        delta = self._instrument_class_temporality[type(instrument)] is AggregationTemporality.DELTA
        forgets = delta and not isinstance(instrument, Asynchronous)
        return [
            Stream(view, instrument, self._instrument_class_aggregation, self._limits, forgets)
            for view in views or [_DEFAULT_VIEW]
        ]


class Stream(_ViewInstrumentMatch):
    """The series of one instrument.

    Args:
        view, instrument, aggregations: as for the SDK's class.
        limits: how many series there may be.
        forgets: whether a collection empties it, so that the limit holds for each interval: synchronous deltas.
            Everything else needs its series to the end: a sum that started again would be wrong.

    Its lock and those of its series may be taken again by the thread that holds them: a signal's handler or a ``__del__``
    that measures interrupts that thread anywhere.
    """

    def __init__(self, view: View, instrument: Any, aggregations: Any, limits: Limits, forgets: bool) -> None:
        super().__init__(view, instrument, aggregations)
        chosen = view._aggregation
        self._kind = aggregations[type(instrument)] if isinstance(chosen, DefaultAggregation) else chosen
        self._reservoirs = reservoirs(view._exemplar_reservoir_factory)
        self._limits, self._forgets = limits, forgets
        self._lock: Any = RLock()
        self._since: int | None = None

    def consume_measurement(self, measurement: Measurement, should_sample_exemplar: bool = True) -> None:
        found = self._seen(measurement.attributes or {})
        key = _key(found)
        if self._forgets:
            self._take(key, found, measurement, should_sample_exemplar)
            return
        series = self._attributes_aggregation.get(key)
        if series is None:
            with self._lock:
                series = self._series(key, found)
        series.aggregate(measurement, should_sample_exemplar)

    def taker(self, attributes: Mapping[str, Any]) -> Take | None:
        """What counts a measurement with these clean attributes; None where that is a matter of the overflow series."""
        found = self._seen(attributes)
        key = _key(found)
        if self._forgets:
            return partial(self._take, key, found)
        series = self._attributes_aggregation.get(key)
        return None if series is None else series.aggregate  # type: ignore[return-value]

    def _take(self, key: Any, attributes: Mapping[str, Any], measurement: Any, wanted: bool) -> None:
        with self._lock:  # a collection takes the series away
            self._series(key, attributes).aggregate(measurement, wanted)

    def _seen(self, attributes: Mapping[str, Any]) -> Mapping[str, Any]:
        """Those attributes that the view lets through."""
        chosen = self._view._attribute_keys
        return (
            attributes
            if chosen is None
            else {name: attributes[name] for name in attributes if name in chosen}
        )

    def collect(
        self, collection_aggregation_temporality: AggregationTemporality, collection_start_nanos: int
    ) -> list[Any] | None:
        with self._lock:
            every = self._attributes_aggregation
            if self._forgets:
                self._attributes_aggregation, self._since = {}, collection_start_nanos
            series = list(every.values())
        points = (one.collect(collection_aggregation_temporality, collection_start_nanos) for one in series)
        return [point for point in points if point is not None] or None

    def _series(self, key: Any, attributes: Mapping[str, Any]) -> Any:
        """The series of these attributes, or the overflow series; called with the lock held."""
        every = self._attributes_aggregation
        if key not in every and len(every) >= self._limits.series - 1:
            self._limits.tell(f"the metric {self._name}", semconv.METRIC_OVERFLOW)
            key, attributes = _OVERFLOW_KEY, _OVERFLOW
        if key not in every:
            made = self._kind._create_aggregation(
                self._instrument, attributes, self._reservoirs, self._since or time_ns()
            )
            made._lock = RLock()
            every.setdefault(key, made)
        return every[key]


def _key(attributes: Mapping[str, Any]) -> Any:
    """Equal for equal attributes in any order; the types count too, because ``1 == 1.0 == True`` in Python."""
    kinds = tuple(map(type, attributes.values()))
    if _PLAIN.issuperset(kinds):
        return frozenset(zip(attributes, attributes.values(), kinds, strict=True))
    return _hash_attributes(attributes)


_OVERFLOW_KEY = _key(_OVERFLOW)
