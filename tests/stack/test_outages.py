"""The stack's programs stop in mid-run, and nothing that the demo emitted is lost."""

from __future__ import annotations

import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy.stack.processes import Stack
from deploy.stack.services import address, free_ports
from tests.stack.apis import Collector, Jaeger, Logs, Prometheus, Window, wait_for
from tests.stack.demo import SERVICES, Demo, assert_all_arrived, only_of, spans_of
from tests.stack.otlp import post, spans

pytestmark = [pytest.mark.stack, pytest.mark.timeout(300, func_only=True)]

BACK_ENDS = ("jaeger", "prometheus", "victoria-logs")
OUTAGE_SECONDS = 10
StartDemo = Callable[[int], Demo]


@pytest.fixture(autouse=True)
def whole_again(stack: Stack) -> None:
    """Whatever a test before left stopped is started again."""
    for name in stack.services:
        if not stack.runs(name):
            stack.start_one(name)


def wait_until_it_flows(demo: Demo, jaeger: Jaeger) -> None:
    """The demo is past its start: Jaeger has spans of both services."""

    def flows() -> bool:
        assert demo.process.poll() is None, f"the demo ended: {demo.log.read_text()[-2000:]}"
        now = Window(demo.started, time.time())
        return all(jaeger.spans(service, now) for service in SERVICES)

    wait_for(flows, "first spans of both services")


def queues_fill(collector: Collector) -> bool:
    """Something waits for each of the three back ends."""
    queued = collector.queued()
    return len(queued) == len(BACK_ENDS) and all(queued.values())


def stop_back_ends(stack: Stack) -> None:
    for name in BACK_ENDS:
        stack.stop_one(name)


def start_back_ends(stack: Stack) -> None:
    for name in reversed(BACK_ENDS):
        stack.start_one(name)


def wait_for_samples(prometheus: Prometheus, ours: str, window: Window) -> None:
    """Prometheus has samples that were taken in the window, when it could not be reached."""
    metrics = f'{{__name__=~"shop_orders_total|traces_span_metrics_calls_total",{ours}}}'
    seconds = max(1, round(window.end - window.start))
    query = f"max(count_over_time({metrics}[{seconds}s] @ {window.end:.3f}))"
    wait_for(lambda: prometheus.value(query), f"samples of the outage: {query}")


def test_nothing_is_lost_while_the_back_ends_are_down(
    stack: Stack,
    start_demo: StartDemo,
    jaeger: Jaeger,
    prometheus: Prometheus,
    logs: Logs,
    collector: Collector,
) -> None:
    """Jaeger, Prometheus and the log store are away for 10 s in mid-run; afterwards they hold everything."""
    demo = start_demo(25)
    wait_until_it_flows(demo, jaeger)
    stop_back_ends(stack)
    outage = Window(time.time(), time.time() + OUTAGE_SECONDS)
    time.sleep(OUTAGE_SECONDS)  # the outage itself
    assert queues_fill(collector)
    start_back_ends(stack)

    run = demo.finish()
    assert_all_arrived(run, jaeger, logs)
    since = round(time.time() - run.window.start) + 60
    ours = only_of(run, jaeger)
    calls = f"sum(max_over_time(traces_span_metrics_calls_total{{{ours}}}[{since}s]))"
    stored = [span for service in SERVICES for span in spans_of(service, run, jaeger)]
    wait_for(lambda: prometheus.value(calls) == len(stored), f"{calls} to count all {len(stored)} spans")
    served = len([span for span in stored if span.kind == "server"])
    requests = f"sum(max_over_time(http_server_request_duration_seconds_count{{{ours}}}[{since}s]))"
    wait_for(lambda: prometheus.value(requests) == served, f"{requests} to count all {served} requests")
    wait_for_samples(prometheus, ours, outage)


@pytest.mark.parametrize("end", ["stop_one", "kill_one"])
def test_nothing_is_lost_when_the_collector_restarts_with_full_queues(
    end: str,
    stack: Stack,
    start_demo: StartDemo,
    jaeger: Jaeger,
    prometheus: Prometheus,
    logs: Logs,
    collector: Collector,
) -> None:
    """What waits in the collector's queues survives its stop, and its kill, and arrives after its next start."""
    demo = start_demo(15)
    wait_until_it_flows(demo, jaeger)
    stop_back_ends(stack)
    closed = time.time()
    wait_for(lambda: queues_fill(collector), "data in the three queues")
    getattr(stack, end)("otelcol")
    before_the_restart = Window(closed, time.time())
    stack.start_one("otelcol")
    wait_for(lambda: queues_fill(collector), "data in the three queues after the restart")
    start_back_ends(stack)

    run = demo.finish()
    assert_all_arrived(run, jaeger, logs)
    wait_for_samples(prometheus, only_of(run, jaeger), before_the_restart)


def test_a_full_queue_refuses_instead_of_dropping(
    programs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the queue's limit the collector answers 503, and all that it had accepted arrives in the end."""
    monkeypatch.setenv("OTEL_KIT_QUEUE_ITEMS", "4000")
    ports = free_ports()
    jaeger, collector = Jaeger(address(ports, "JAEGER_UI")), address(ports, "OTLP_HTTP")
    with Stack(programs, tmp_path, ports) as small:
        small.stop_one("jaeger")
        start = time.time()
        statuses = [post_status(collector) for _ in range(10)]
        assert statuses == [200] * 8 + [503] * 2
        small.start_one("jaeger")
        sent = Window(start, time.time() + 60)
        wait_for(lambda: len(jaeger.spans("full", sent)) == 4000, "the 4000 accepted spans in Jaeger")


def post_status(collector: str) -> int:
    """The collector's answer to 500 spans."""
    try:
        post(collector, "traces", spans("full", 500))
    except urllib.error.HTTPError as error:
        return error.code
    return 200
