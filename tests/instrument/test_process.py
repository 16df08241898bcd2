"""The metrics of the process and of Python itself."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import psutil
import pytest
from opentelemetry import metrics
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource

from otel_kit import _guard
from otel_kit.instrument import start_process_metrics, stop_process_metrics
from otel_kit.pipeline.series import MeterProvider

PROCESS = {
    "process.cpu.time": ("s", "counter", [{"cpu.mode": "user"}, {"cpu.mode": "system"}]),
    "process.cpu.utilization": ("1", "gauge", [{"cpu.mode": "user"}, {"cpu.mode": "system"}]),
    "process.memory.usage": ("By", "updown", [{}]),
    "process.memory.virtual": ("By", "updown", [{}]),
    "process.disk.io": ("By", "counter", [{"disk.io.direction": "read"}, {"disk.io.direction": "write"}]),
    "process.thread.count": ("{thread}", "updown", [{}]),
    "process.unix.file_descriptor.count": ("{file_descriptor}", "updown", [{}]),
    "process.context_switches": (
        "{context_switch}",
        "counter",
        [{"process.context_switch.type": "voluntary"}, {"process.context_switch.type": "involuntary"}],
    ),
    "process.paging.faults": (
        "{fault}",
        "counter",
        [{"system.paging.fault.type": "minor"}, {"system.paging.fault.type": "major"}],
    ),
    "process.uptime": ("s", "gauge", [{}]),
}
GENERATIONS = [{"cpython.gc.generation": generation} for generation in range(3)]
RUNTIME = {
    "cpython.gc.collections": ("{collection}", "counter", GENERATIONS),
    "cpython.gc.collected_objects": ("{object}", "counter", GENERATIONS),
    "cpython.gc.uncollectable_objects": ("{object}", "counter", GENERATIONS),
}


@pytest.fixture
def reader(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemoryMetricReader]:
    """A reader of what is emitted on the global provider, which is one of this test's own."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], Resource({}))
    monkeypatch.setattr(metrics, "get_meter_provider", lambda: provider)
    start_process_metrics()
    yield reader
    stop_process_metrics()


def collected(reader: InMemoryMetricReader) -> dict[str, Any]:
    data = reader.get_metrics_data()
    if data is None:
        return {}
    every = [m for scope in data.resource_metrics[0].scope_metrics for m in scope.metrics]
    assert len(every) == len({m.name for m in every})
    return {m.name: m for m in every}


def kind(metric: Any) -> str:
    if type(metric.data).__name__ == "Gauge":
        return "gauge"
    return "counter" if metric.data.is_monotonic else "updown"


def value(found: dict[str, Any], name: str, **attributes: str) -> float:
    wanted = {key.replace("_", "."): text for key, text in attributes.items()}
    return next(float(p.value) for p in found[name].data.data_points if p.attributes == wanted)


def test_each_metric_has_its_conventional_name_unit_kind_and_attributes(reader: InMemoryMetricReader) -> None:
    """A metric of the process or of the runtime is missing, or differs from the semantic conventions."""
    found = {
        name: (m.unit, kind(m), [p.attributes for p in m.data.data_points])
        for name, m in collected(reader).items()
    }
    assert found == PROCESS | RUNTIME


def test_the_figures_are_true(reader: InMemoryMetricReader) -> None:
    """A figure is not that of this process."""
    found, process = collected(reader), psutil.Process()
    assert value(found, "process.memory.usage") == pytest.approx(process.memory_info().rss, rel=0.2)
    assert value(found, "process.thread.count") == process.num_threads()
    assert value(found, "process.unix.file_descriptor.count") == process.num_fds()
    assert value(found, "process.uptime") == pytest.approx(time.time() - process.create_time(), abs=2)
    assert 0 < value(found, "process.cpu.time", cpu_mode="user") <= process.cpu_times().user
    assert 0 < value(found, "process.cpu.utilization", cpu_mode="user") <= 1.01


def test_utilization_is_that_since_the_last_collection(reader: InMemoryMetricReader) -> None:
    """The utilization of a busy interval is not that of the interval."""
    collected(reader)
    start, cpu = time.monotonic(), time.process_time()
    while time.monotonic() - start < 0.5:
        pass
    used = time.process_time() - cpu
    found = collected(reader)
    both = sum(p.value for p in found["process.cpu.utilization"].data.data_points)
    assert both == pytest.approx(used / 0.5 / len(os.sched_getaffinity(0)), abs=0.15)


def test_one_collection_looks_at_the_process_once(
    reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each metric looks at the process again, or a second collection repeats the figures of the first."""
    looks = []
    oneshot = psutil.Process.oneshot
    monkeypatch.setattr(psutil.Process, "oneshot", lambda self: looks.append(1) or oneshot(self))
    for collections in (1, 2, 3):
        collected(reader)
        assert len(looks) == collections


def test_starting_twice_doubles_nothing_and_stopping_stops(reader: InMemoryMetricReader) -> None:
    """A second start emits twice, or something is emitted after the stop."""
    start_process_metrics()
    assert collected(reader).keys() == (PROCESS | RUNTIME).keys()
    stop_process_metrics()
    assert collected(reader) == {}
    start_process_metrics()
    assert len(collected(reader)["process.memory.usage"].data.data_points) == 1


def test_a_process_that_may_not_be_looked_at_leaves_the_rest(
    reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A figure that is denied costs others, or raises."""

    def denied(_: object) -> None:
        raise psutil.AccessDenied

    monkeypatch.setattr(psutil.Process, "io_counters", denied)
    monkeypatch.setattr(psutil.Process, "num_fds", denied)
    missing = {"process.disk.io", "process.unix.file_descriptor.count"}
    assert (PROCESS | RUNTIME).keys() - collected(reader).keys() == missing


def test_without_psutil_the_runtime_is_still_measured(
    reader: InMemoryMetricReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """psutil that fails altogether raises into the collection."""
    _guard.reset()

    def denied(*_: object) -> None:
        raise psutil.NoSuchProcess(0)

    monkeypatch.setattr(psutil, "Process", denied)
    monkeypatch.setattr("otel_kit.instrument.process._look._process", None)
    assert collected(reader).keys() == RUNTIME.keys()
    assert _guard.contained_counts() == {"instrument.process": 1}


def test_a_forked_child_measures_itself(reader: InMemoryMetricReader) -> None:
    """A child reports its parent's figures."""
    before, then = value(collected(reader), "process.uptime"), time.monotonic()
    time.sleep(0.3)
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            found = collected(reader)
            parent = before + time.monotonic() - then
            young = value(found, "process.uptime") < parent - 0.2
            # Not 1: gRPC starts its threads anew in a child.
            threads = psutil.Process(os.getpid()).num_threads()
            status = 0 if young and value(found, "process.thread.count") == threads else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_psutil_is_imported_by_the_first_collection(run_program: Any) -> None:
    """Starting the metrics costs the import of psutil."""
    done = run_program(
        """
        import sys
        from otel_kit.instrument import start_process_metrics
        start_process_metrics()
        print("psutil" in sys.modules)
        """
    )
    assert done.stdout == "False\n", done.stderr
