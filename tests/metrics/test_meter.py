"""Meters and exemplars, as a program uses them."""

from __future__ import annotations

import json
import time
from typing import Any

from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

from otel_kit import _guard
from otel_kit.export.metrics import Collector
from otel_kit.pipeline.series import MeterProvider


def exemplars(sampler: Any) -> tuple[Any, dict[str, list[Any]]]:
    """A counter and a histogram recorded within one span, and outside: the span's context, and their exemplars."""
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], Resource({})).get_meter("tests")
    counter, histogram = meter.create_counter("orders"), meter.create_histogram("duration", unit="s")
    tracer = TracerProvider(sampler, Resource({}), shutdown_on_exit=False).get_tracer("tests")
    with tracer.start_as_current_span("charge") as span:
        counter.add(1, {"method": "card"})
        histogram.record(0.25)
    counter.add(1, {"method": "cash"})
    data = reader.get_metrics_data()
    assert data is not None
    found = {
        metric.name: [exemplar for point in metric.data.data_points for exemplar in point.exemplars]
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    return span.get_span_context(), found


def test_exemplars_carry_the_trace_and_the_span() -> None:
    """A measurement inside a sampled span has no exemplar that leads to its trace."""
    context, found = exemplars(ALWAYS_ON)
    for name, value in (("orders", 1), ("duration", 0.25)):
        [exemplar] = found[name]
        assert (exemplar.trace_id, exemplar.span_id) == (context.trace_id, context.span_id)
        assert exemplar.value == value
        assert exemplar.time_unix_nano


def test_a_span_that_is_not_sampled_leaves_no_exemplar() -> None:
    """An exemplar leads to a trace that was not kept."""
    assert exemplars(ALWAYS_OFF)[1] == {"orders": [], "duration": []}


def test_a_meter_is_named_by_its_module_and_works_before_the_provider_exists(run_program: Any) -> None:
    """Instruments made before the provider count nothing, or a meter without a name does not say whose it is."""
    done = run_program(
        """
        import json
        import otel_kit
        meter = otel_kit.get_meter()
        counter = meter.create_counter("orders", unit="{order}", description="Orders.")
        meter.create_observable_gauge("stock", [lambda options: [otel_kit_api.Observation(7, {"item": "tea"})]])
        counter.add(100)

        import opentelemetry.metrics as otel_kit_api
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.resources import Resource
        from otel_kit.pipeline.series import MeterProvider
        reader = InMemoryMetricReader()
        otel_kit_api.set_meter_provider(MeterProvider([reader], Resource({})))
        counter.add(3, {"method": "card"})
        otel_kit.get_meter("shop").create_counter("sales").add(1)
        print(json.dumps([
            [scope.scope.name, metric.name, metric.unit, metric.data.data_points[0].value]
            for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
            for metric in scope.metrics
        ]))
        """,
        options=("-W", "error"),
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["__main__", "orders", "{order}", 3],
        ["__main__", "stock", "", 7],
        ["shop", "sales", "", 1],
    ]


def test_nothing_of_the_sdk_is_imported_for_a_meter(run_program: Any) -> None:
    """get_meter costs the import of the SDK."""
    done = run_program(
        """
        import sys, otel_kit
        otel_kit.get_meter("shop").create_counter("sales").add(1)
        print([name for name in sys.modules if name.startswith("opentelemetry.sdk")])
        """
    )
    assert done.stdout == "[]\n", done.stderr


def test_a_callback_that_hangs_holds_up_neither_shutdown_nor_exit(run_program: Any) -> None:
    """A gauge whose callback hangs keeps shutdown for longer than its timeout, and the process from ending."""
    began = time.monotonic()
    done = run_program(
        """
        import time, otel_kit
        telemetry = otel_kit.init_telemetry(
            "shop", endpoint="http://127.0.0.1:9", console="off", instrument=(), process_metrics=False
        )
        telemetry.meter.create_observable_gauge("stock", [lambda options: time.sleep(20) or ()])
        began = time.monotonic()
        print(telemetry.shutdown(1), time.monotonic() - began < 2.5)
        """
    )
    assert done.stdout == "False True\n", done.stderr
    assert time.monotonic() - began < 10


def test_a_collection_that_fails_makes_the_flush_fail() -> None:
    """A flush says True though the metrics could not be collected."""
    _guard.reset()
    broken = [True]

    def collect(_: float) -> None:
        if broken[0]:
            raise OSError("no file descriptors")

    collector = Collector((), collect, interval=60, timeout=1, clean=lambda data: data)
    assert not collector.wait(collector.ask(), time.monotonic() + 5)
    broken.clear()
    broken.append(False)
    assert collector.wait(collector.ask(), time.monotonic() + 5)
    collector.stop()
