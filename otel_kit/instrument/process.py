"""Metrics of this process, named as the semantic conventions name them, measured by psutil.

All of a collection's figures come from one look at the process. psutil is imported at the first look, so by the thread
that collects. What a platform or a sandbox does not tell is left out; nothing is raised.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from otel_kit import _guard, semconv

if TYPE_CHECKING:
    import psutil

_COUNTER, _UP_DOWN, _GAUGE = (
    "create_observable_counter",
    "create_observable_up_down_counter",
    "create_observable_gauge",
)
_SHORTEST_SECONDS = 0.1  # CPU time is counted in hundredths of a second: a share of less than this is noise
Figures = list[tuple[float, dict[str, str]]]


class _Metric(NamedTuple):
    name: str
    kind: str
    unit: str
    description: str


_METRICS = (
    _Metric(semconv.METRIC_PROCESS_CPU_TIME, _COUNTER, "s", "CPU seconds by mode."),
    _Metric(
        semconv.METRIC_PROCESS_CPU_UTILIZATION,
        _GAUGE,
        "1",
        "CPU time since the last look, of all the time there was.",
    ),
    _Metric(semconv.METRIC_PROCESS_MEMORY_USAGE, _UP_DOWN, "By", "Physical memory in use."),
    _Metric(semconv.METRIC_PROCESS_MEMORY_VIRTUAL, _UP_DOWN, "By", "Committed virtual memory."),
    _Metric(semconv.METRIC_PROCESS_DISK_IO, _COUNTER, "By", "Bytes moved from and to disks."),
    _Metric(semconv.METRIC_PROCESS_THREAD_COUNT, _UP_DOWN, "{thread}", "Threads."),
    _Metric(
        semconv.METRIC_PROCESS_UNIX_FILE_DESCRIPTOR_COUNT,
        _UP_DOWN,
        "{file_descriptor}",
        "Open file descriptors.",
    ),
    _Metric(
        semconv.METRIC_PROCESS_CONTEXT_SWITCHES, _COUNTER, "{context_switch}", "Context switches by type."
    ),
    _Metric(semconv.METRIC_PROCESS_PAGING_FAULTS, _COUNTER, "{fault}", "Page faults."),
    _Metric(semconv.METRIC_PROCESS_UPTIME, _GAUGE, "s", "Time since the process started."),
)

_running = False
_provider: metrics.MeterProvider | None = None


def start() -> None:
    """Emit from now on, on the global meter provider; a second call does nothing."""
    global _running, _provider
    if not _running:
        _look.forget()
    _running = True
    provider = metrics.get_meter_provider()
    if provider is _provider:
        return
    _provider = provider
    meter = provider.get_meter(__name__)
    for name, kind, unit, description in _METRICS:
        getattr(meter, kind)(name, [_observed(name)], unit, description)


def stop() -> None:
    """Emit no longer. Instruments cannot be taken back, so they stay and observe nothing."""
    global _running
    _running = False


def _observed(name: str) -> Callable[[CallbackOptions], Iterator[Observation]]:
    def observe(_: CallbackOptions) -> Iterator[Observation]:
        for value, attributes in _look.figures(name) if _running else ():
            yield Observation(value, attributes)

    return observe


class _Look:
    """One look at the process, kept until a metric asks for the second time: then a new collection has begun."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Begin anew; also right after a fork, where the lock may have been held by a thread that is gone."""
        self._lock = threading.Lock()
        self._figures: dict[str, Figures] = {}
        self._process: psutil.Process | None = None
        self._last_cpu: tuple[float, float, float] | None = None

    def figures(self, name: str) -> Figures:
        with self._lock:
            if name not in self._figures:
                self._figures = self._take()
            return self._figures.pop(name, [])

    def _take(self) -> dict[str, Figures]:
        try:
            process = self._current_process()
        except Exception as error:
            _guard.contained("instrument.process", error)
            return {name: [] for name, *_ in _METRICS}
        with process.oneshot():
            return {name: self._measure(process, name) for name, *_ in _METRICS}

    def _current_process(self) -> psutil.Process:
        import psutil

        if self._process is None:
            self._process = psutil.Process()
        return self._process

    def _measure(self, process: psutil.Process, name: str) -> Figures:
        try:
            if name == semconv.METRIC_PROCESS_CPU_UTILIZATION:
                return self._utilization(process)
            return _MEASURES[name](process)
        except Exception:
            return []  # not told on this platform, or not allowed

    def _utilization(self, process: psutil.Process) -> Figures:
        cpu, now = process.cpu_times(), time.monotonic()
        # The first look compares with the start of the process.
        last = self._last_cpu or (now - _uptime(process), 0.0, 0.0)
        if now - last[0] < _SHORTEST_SECONDS:
            return []
        self._last_cpu = (now, cpu.user, cpu.system)
        available = (now - last[0]) * _cpus(process)
        used = {"user": cpu.user - last[1], "system": cpu.system - last[2]}
        return [(max(0.0, seconds / available), {semconv.CPU_MODE: mode}) for mode, seconds in used.items()]


_look = _Look()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_look.forget)


def _cpus(process: psutil.Process) -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(process.pid)) or 1
    return os.cpu_count() or 1


def _uptime(process: Any) -> float:
    started: float = process.create_time()
    return max(0.0, time.time() - started)


def _by(attribute: str, **values: float) -> Figures:
    return [(value, {attribute: key}) for key, value in values.items()]


def _cpu_time(process: Any) -> Figures:
    cpu = process.cpu_times()
    return _by(semconv.CPU_MODE, user=cpu.user, system=cpu.system)


def _disk_io(process: Any) -> Figures:
    moved = process.io_counters()
    return _by(semconv.DISK_IO_DIRECTION, read=moved.read_bytes, write=moved.write_bytes)


def _context_switches(process: Any) -> Figures:
    switches = process.num_ctx_switches()
    return _by(
        semconv.PROCESS_CONTEXT_SWITCH_TYPE, voluntary=switches.voluntary, involuntary=switches.involuntary
    )


def _page_faults(process: Any) -> Figures:
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF)
    return _by(semconv.SYSTEM_PAGING_FAULT_TYPE, minor=usage.ru_minflt, major=usage.ru_majflt)


_MEASURES: dict[str, Callable[[Any], Figures]] = {
    semconv.METRIC_PROCESS_CPU_TIME: _cpu_time,
    semconv.METRIC_PROCESS_MEMORY_USAGE: lambda process: [(process.memory_info().rss, {})],
    semconv.METRIC_PROCESS_MEMORY_VIRTUAL: lambda process: [(process.memory_info().vms, {})],
    semconv.METRIC_PROCESS_DISK_IO: _disk_io,
    semconv.METRIC_PROCESS_THREAD_COUNT: lambda process: [(process.num_threads(), {})],
    semconv.METRIC_PROCESS_UNIX_FILE_DESCRIPTOR_COUNT: lambda process: [(process.num_fds(), {})],
    semconv.METRIC_PROCESS_CONTEXT_SWITCHES: _context_switches,
    semconv.METRIC_PROCESS_PAGING_FAULTS: _page_faults,
    semconv.METRIC_PROCESS_UPTIME: lambda process: [(_uptime(process), {})],
}
