"""Series are bounded, nothing is lost, and nothing that a program hands in is raised back at it."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics._internal import _disable_meter_configurator
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

from otel_kit import _guard, bind
from otel_kit._facts import Facts
from otel_kit.pipeline.series import OVERFLOW_METER, MeterProvider

DELTA = dict.fromkeys(
    (sdk.Counter, sdk.Histogram, sdk.ObservableCounter, sdk.UpDownCounter), AggregationTemporality.DELTA
)
OVERFLOW = {"otel.metric.overflow": True}


class Bench:
    """A provider with a reader, and what a collection brings."""

    def __init__(self, temporality: Any = None, **settings: Any) -> None:
        self.reader = InMemoryMetricReader(temporality)
        self.provider = MeterProvider([self.reader], Resource({}), **settings)
        self.meter = self.provider.get_meter("tests")

    def points(self, name: str = "m") -> list[Any]:
        data = self.reader.get_metrics_data()
        found = [
            metric.data.data_points
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
        ]
        return list(found[0]) if found else []

    def values(self, name: str = "m") -> dict[Any, float]:
        return {frozenset(point.attributes.items()): point.value for point in self.points(name)}


@pytest.fixture
def swallowed() -> None:
    """Errors are contained as in a program, and not raised as in the rest of this suite."""
    _guard.reset()


def test_the_limit_counts_the_overflow_series_and_loses_nothing() -> None:
    """More series than the limit, or a measurement that is counted twice or not at all."""
    bench = Bench(series_limit=10)
    counter = bench.meter.create_counter("m")
    for _ in range(2):
        for user in range(25):
            counter.add(1, {"user": user})
    values = bench.values()
    assert len(values) == 10
    assert values.pop(frozenset(OVERFLOW.items())) == 2 * (25 - 9)
    assert set(values.values()) == {2}
    assert (
        type(next(p for p in bench.points() if p.attributes == OVERFLOW).attributes["otel.metric.overflow"])
        is bool
    )


def test_the_default_limit_is_the_specification_s() -> None:
    """An instrument has more or fewer than 2,000 series."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    for user in range(3000):
        counter.add(1, {"user": user})
    assert len(bench.points()) == 2000
    assert sum(point.value for point in bench.points()) == 3000


def test_series_from_before_the_overflow_go_on_and_each_instrument_has_its_own_limit() -> None:
    """A known series stops after the overflow, or one instrument's overflow reaches another's."""
    bench = Bench(series_limit=3)
    first, second = bench.meter.create_counter("m"), bench.meter.create_counter("other")
    for user in ("a", "b", "c", "d", "a"):
        first.add(1, {"user": user})
    second.add(1, {"user": "z"})
    assert bench.values() == {
        frozenset({"user": "a"}.items()): 2,
        frozenset({"user": "b"}.items()): 1,
        frozenset(OVERFLOW.items()): 2,
    }
    assert bench.values("other") == {frozenset({"user": "z"}.items()): 1}


def test_with_deltas_the_limit_holds_for_each_interval() -> None:
    """Delta series that are over still take the place of new ones, or a delta is counted in two intervals."""
    bench = Bench(DELTA, series_limit=3)
    counter = bench.meter.create_counter("m")
    for interval in range(3):
        for user in range(4):
            counter.add(1, {"user": f"{interval}-{user}"})
        points = bench.points()
        assert [point.value for point in points] == [1, 1, 2]
        assert points[0].start_time_unix_nano < points[0].time_unix_nano
    assert bench.points() == []


def test_deltas_collected_while_threads_count_add_up() -> None:
    """A measurement that is made during a collection is lost or counted twice."""
    bench = Bench(DELTA, series_limit=5)
    counter = bench.meter.create_counter("m")

    def work() -> None:
        for i in range(3000):
            counter.add(1, {"i": i % 8})

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    total = 0
    while any(thread.is_alive() for thread in threads):
        total += sum(point.value for point in bench.points())
        time.sleep(0.001)
    assert total + sum(point.value for point in bench.points()) == 12_000


@pytest.mark.parametrize("temporality", [None, DELTA])
def test_counts_are_exact_while_threads_count_and_readers_come_and_go(temporality: Any) -> None:
    """A measurement by the short way is lost or counted twice, or goes on into the storage of a reader that has gone."""
    bench = Bench(temporality)
    counter, histogram = bench.meter.create_counter("m"), bench.meter.create_histogram("h")
    kinds = [{"kind": "a"}, {"kind": "b", "n": 1}, {"n": 1, "kind": "b"}, None]

    def work() -> None:
        for i in range(2000):
            counter.add(2, kinds[i % 4])
            histogram.record(i % 4, kinds[i % 4])

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        other = InMemoryMetricReader()
        bench.provider.add_metric_reader(other)
        other.get_metrics_data()
        bench.provider.remove_metric_reader(other)
        time.sleep(0.005)
    assert bench.values() == {
        frozenset({"kind": "a"}.items()): 4000,
        frozenset({"kind": "b", "n": 1}.items()): 8000,
        frozenset(): 4000,
    }
    if temporality is None:  # with deltas that collection has taken them, too
        assert [(point.count, point.sum, sum(point.bucket_counts)) for point in bench.points("h")] == [
            (2000, 0, 2000),
            (4000, 6000, 4000),
            (2000, 6000, 2000),
        ]


def test_what_comes_again_is_told_apart_as_before() -> None:
    """From the second time on ``1``, ``1.0`` and ``True`` are one series, or a changed dict still counts as what it was."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    for _ in range(3):
        for value in (1, 1.0, True, "1"):
            counter.add(1, {"a": value})
    assert [point.value for point in bench.points()] == [3, 3, 3, 3]
    changing = {"a": "x"}
    for value in ("x", "x", "y", "y"):
        changing["a"] = value
        counter.add(1, changing)
    assert [point.value for point in bench.points()] == [3, 3, 3, 3, 2, 2]
    assert [point.attributes["a"] for point in bench.points()][4:] == ["x", "y"]


def test_facts_count_for_the_series_of_the_same_attributes() -> None:
    """Facts are a series of their own, or one that is not theirs."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    facts, same, other = Facts({"a": "x", "n": 1}), Facts({"a": "x", "n": 1}), Facts({"a": "x", "n": True})
    for _ in range(3):
        for attributes in (facts, {"a": "x", "n": 1}, same, other):
            counter.add(1, attributes)
    assert [point.value for point in bench.points()] == [9, 3]
    hostile = Facts({"a": [1]})
    for _ in range(2):
        counter.add(1, hostile)
    assert [point.value for point in bench.points()] == [9, 3, 2]


@pytest.mark.usefixtures("swallowed")
def test_amounts_that_are_refused_the_first_time_are_refused_again(caplog: pytest.LogCaptureFixture) -> None:
    """An amount that the SDK refuses is counted once the attributes are known."""
    bench = Bench()
    counter, gauge = bench.meter.create_counter("m"), bench.meter.create_up_down_counter("g")
    for amount in (1, -1, float("nan"), float("inf"), 10**400, 1):
        counter.add(amount, {"a": 1})
        gauge.add(amount, {"a": 1})
    assert [point.value for point in bench.points()] == [2]
    assert [point.value for point in bench.points("g")] == [1]


def test_a_view_that_takes_attributes_away_still_adds_up_and_shows_them_in_exemplars() -> None:
    """Attribute sets that a view makes equal become two series, or their exemplars lose what tells them apart."""
    view = View(instrument_name="m", attribute_keys={"method"})
    bench = Bench(views=[view], exemplar_filter=sdk.AlwaysOnExemplarFilter())
    histogram = bench.meter.create_histogram("m", explicit_bucket_boundaries_advisory=[1, 2])
    for user in ("a", "b", "a", "b"):
        histogram.record(1 if user == "a" else 5, {"method": "card", "user": user})
    [point] = bench.points()
    assert (point.attributes, point.count, point.bucket_counts) == ({"method": "card"}, 4, (2, 0, 2))
    assert [(found.value, found.filtered_attributes) for found in point.exemplars] == [
        (1, {"user": "a"}),
        (5, {"user": "b"}),
    ]
    assert bench.points()[0].exemplars == []


def test_a_meter_that_is_switched_off_counts_nothing_more() -> None:
    """Attribute sets that were seen before go on being counted by a meter that is off."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    for _ in range(3):
        counter.add(1)
    bench.provider._set_meter_configurator(meter_configurator=_disable_meter_configurator)
    counter.add(1)
    assert [point.value for point in bench.points()] == [3]


@pytest.mark.parametrize("temporality", [None, DELTA])
def test_observables_prefer_what_they_observe_first(temporality: Any) -> None:
    """An observable exceeds the limit, changes its series between collections, or counts something twice."""
    bench = Bench(temporality, series_limit=4)
    total = 0

    def observe(_: CallbackOptions) -> Iterator[Observation]:
        nonlocal total
        total += 10
        for user in range(6):
            yield Observation(total, {"user": user})

    bench.meter.create_observable_counter("m", [observe])
    first = bench.values()
    assert first == {
        **{frozenset({"user": user}.items()): 10 for user in range(3)},
        frozenset(OVERFLOW.items()): 30,
    }
    second = bench.values()
    assert second == (first if temporality else {key: value * 2 for key, value in first.items()})


def test_histograms_and_gauges_overflow_too() -> None:
    """A histogram's or gauge's further attribute sets get lost or exceed the limit."""
    bench = Bench(series_limit=2)
    histogram, gauge = bench.meter.create_histogram("m"), bench.meter.create_gauge("g")
    for user in range(4):
        histogram.record(user, {"user": user})
        gauge.set(user, {"user": user})
    assert [(point.attributes, point.count) for point in bench.points()] == [({"user": 0}, 1), (OVERFLOW, 3)]
    assert [(point.attributes, point.value) for point in bench.points("g")] == [
        ({"user": 0}, 0),
        (OVERFLOW, 3),
    ]


def test_attribute_order_makes_no_series_and_types_do() -> None:
    """The same attributes in another order are another series, or ``1``, ``1.0`` and ``True`` are one."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    for attributes in (
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        {"a": 1.0, "b": 2},
        {"a": True, "b": 2},
        {"a": [1], "b": 2},
    ):
        counter.add(1, attributes)
    assert [point.value for point in bench.points()] == [2, 1, 1, 1]


@pytest.mark.parametrize("sets", [20_000, pytest.param(200_000, marks=pytest.mark.slow)])
def test_memory_is_flat_whatever_the_number_of_attribute_sets(sets: int) -> None:
    """Memory grows with the number of attribute sets."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    for user in range(2500):
        counter.add(1, {"user": user})
    blocks = sys.getallocatedblocks()
    for user in range(2500, sets):
        counter.add(1, {"user": user})
    gc.collect()
    assert sys.getallocatedblocks() - blocks < 2000
    assert sum(point.value for point in bench.points()) == sets


@pytest.mark.parametrize("meters", [10_000, pytest.param(100_000, marks=pytest.mark.slow)])
def test_memory_is_bounded_whatever_the_number_of_meter_names(
    meters: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """Each of many meter names costs memory, or what they count gets lost, or nobody says so."""
    bench = Bench()
    for i in range(meters):
        bench.provider.get_meter(f"meter {i}")
    assert len(bench.provider._meters) <= 1001
    for i in (5000, 6000):
        bench.provider.get_meter(f"meter {i}").create_counter("m").add(1)
    assert bench.provider.get_meter("meter 7000") is bench.provider.get_meter(OVERFLOW_METER)
    assert [point.value for point in bench.points()] == [2]
    assert capfd.readouterr().err.count("the number of meters has reached its limit") == 1


def test_the_overflow_is_said_once(capfd: pytest.CaptureFixture[str]) -> None:
    """Nobody is told that series overflow, or with each measurement."""
    bench = Bench(series_limit=2)
    for user in range(9):
        bench.meter.create_counter("m").add(1, {"user": user})
    assert capfd.readouterr().err.count("the metric m has reached its limit") == 1


def test_only_chosen_ids_reach_metrics_and_only_while_they_are_bound() -> None:
    """Metrics carry an id that nobody chose, miss one that was chosen, or override what the caller said."""
    bench = Bench(metric_ids=("user_id", "tenant"))
    counter = bench.meter.create_counter("m")
    with bind(user_id="u-1", request_id="r-1"):
        counter.add(1, {"method": "card"})
        counter.add(1, {"user.id": "explicit"})
    counter.add(1)
    assert [point.attributes for point in bench.points()] == [
        {"user.id": "u-1", "method": "card"},
        {"user.id": "explicit"},
        {},
    ]
    bench.provider.reconfigure(metric_ids=())
    with bind(user_id="u-1"):
        counter.add(5)
    assert [point.value for point in bench.points() if point.attributes == {}] == [6]


class Evil:
    def __str__(self) -> str:
        raise RuntimeError("no text")

    def __hash__(self) -> int:
        raise RuntimeError("no hash")


def cyclic() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


@pytest.mark.usefixtures("swallowed")
@pytest.mark.parametrize(
    "value",
    [Evil(), cyclic(), object(), {"deep": Evil()}, {1: {2}}],
    ids=["text", "cycle", "object", "nested", "keys"],
)
def test_a_hostile_attribute_raises_nothing_and_costs_its_own_measurement(value: Any) -> None:
    """A hostile attribute raises into the program or damages other measurements."""
    bench = Bench()
    counter, histogram = bench.meter.create_counter("m"), bench.meter.create_histogram("h")
    for attributes in ({"a": value}, {"ok": 1}):
        counter.add(1, attributes)
        histogram.record(1, attributes)
    assert {"ok": 1} in [point.attributes for point in bench.points()]
    assert {"ok": 1} in [point.attributes for point in bench.points("h")]


@pytest.mark.usefixtures("swallowed")
def test_hostile_amounts_and_names_raise_nothing() -> None:
    """A hostile amount, attribute mapping, instrument or meter name raises into the program."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    for amount in ("x", None, float("nan"), float("inf"), -1, 10**400, Evil(), Decimal("0.5"), 1.5, True):
        counter.add(amount)
    for attributes in ("text", 7, [("a", 1)], Evil()):
        counter.add(1, attributes)
    for name in ("", None, 7, "ü" * 300, Evil()):
        bench.meter.create_counter(name).add(1)
        bench.meter.create_histogram(name, unit=name).record(1)
        bench.meter.create_observable_gauge(name, [lambda _: 1 / 0])
        bench.provider.get_meter(name).create_counter("n").add(1)
    assert sum(point.value for point in bench.points()) >= 3.0
    assert _guard.contained_counts()["metrics.record"] >= 4


def test_a_child_of_a_fork_starts_its_series_from_nothing() -> None:
    """A forked child repeats what the parent counts already, or hangs on a lock that was held."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    counter.add(5)
    stream = bench.provider._measurement_consumer._reader_storages[
        bench.reader
    ]._instrument_view_instrument_matches
    with (
        next(iter(stream.values()))[0]._lock,
        bench.provider._meter_lock,
        bench.provider._measurement_consumer._lock,
    ):
        counter.add(1)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                counter.add(1)
                bench.provider.get_meter("tests").create_counter("new").add(1)
                status = 0 if [p.value for p in bench.points()] == [1] else 2
            finally:
                os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert [point.value for point in bench.points()] == [6]


def test_settings_reach_instruments_that_exist() -> None:
    """A limit or resource that is changed later does not hold for instruments made before."""
    bench = Bench()
    counter = bench.meter.create_counter("m")
    bench.provider.reconfigure(series_limit=2, resource=Resource({"service.name": "later"}))
    for user in range(5):
        counter.add(1, {"user": user})
    data = bench.reader.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].resource.attributes["service.name"] == "later"
    assert len(bench.points()) == 2


def test_a_reader_that_comes_later_sees_what_is_counted_from_then_on() -> None:
    """A reader that is added later gets nothing, or has no limit."""
    bench = Bench(series_limit=2)
    counter = bench.meter.create_counter("m")
    counter.add(1)
    later = Bench.__new__(Bench)
    later.reader = InMemoryMetricReader()
    bench.provider.add_metric_reader(later.reader)
    for user in range(5):
        counter.add(1, {"user": user})
    assert [point.value for point in later.points()] == [1, 4]
    bench.provider.remove_metric_reader(later.reader)


def test_a_callback_that_hangs_does_not_hang_who_makes_instruments() -> None:
    """Making an observable waits for another observable's callback."""
    bench = Bench()
    started, release = threading.Event(), threading.Event()

    def hang(_: CallbackOptions) -> list[Observation]:
        started.set()
        release.wait(20)
        return []

    bench.meter.create_observable_gauge("hanging", [hang])
    collecting = threading.Thread(target=bench.points)
    collecting.start()
    try:
        assert started.wait(10)
        making = threading.Thread(target=bench.meter.create_observable_gauge, args=("another",))
        making.start()
        making.join(5)
        assert not making.is_alive()
    finally:
        release.set()
        collecting.join()


def test_a_callback_that_raises_anything_costs_itself_alone() -> None:
    """A callback that is cancelled takes the whole collection along."""
    _guard.reset()
    bench = Bench()

    def cancelled(_: CallbackOptions) -> list[Observation]:
        raise asyncio.CancelledError

    bench.meter.create_observable_gauge("m", [cancelled, lambda _: [Observation(7)]])
    bench.meter.create_counter("n").add(1)
    assert [point.value for point in bench.points("m")] == [7]
    assert [point.value for point in bench.points("n")] == [1]
    assert _guard.contained_counts() == {"metrics.callback": 2}


def test_a_measurement_costs_no_more_than_the_sdk_s() -> None:
    """counter.add is slower than with the stock SDK."""
    stock = sdk.MeterProvider([InMemoryMetricReader()], Resource({})).get_meter("tests").create_counter("m")
    counters = {"stock": stock, "ours": Bench().meter.create_counter("m")}
    best = dict.fromkeys(counters, 1e9)
    for _ in range(12):
        for name, counter in counters.items():
            best[name] = min(best[name], seconds(counter))
    assert best["ours"] < best["stock"] * 1.15


def seconds(counter: Any) -> float:
    attributes = {"method": "card", "country": "de"}
    start = time.process_time()
    for _ in range(2000):
        counter.add(1, attributes)
    return time.process_time() - start
