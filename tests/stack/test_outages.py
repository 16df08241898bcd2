"""The stack's programs stop in mid-run, and nothing that the demo emitted is lost."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from deploy.stack.processes import Stack
from tests.stack.apis import Collector, Jaeger, Logs, Prometheus, Window, wait_for
from tests.stack.demo import SERVICES, Demo, assert_all_arrived, spans_of

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
    calls = f"sum(max_over_time(traces_span_metrics_calls_total[{since}s]))"
    spans = sum(len(spans_of(service, run, jaeger)) for service in SERVICES)
    wait_for(lambda: prometheus.value(calls) >= spans, f"{calls} to count all {spans} spans")
    in_the_outage = f"max(count_over_time(shop_orders_total[{OUTAGE_SECONDS}s] @ {outage.end:.3f}))"
    wait_for(lambda: prometheus.value(in_the_outage), "samples that were taken during the outage")


@pytest.mark.parametrize("end", ["stop_one", "kill_one"])
def test_nothing_is_lost_when_the_collector_restarts_with_full_queues(
    end: str,
    stack: Stack,
    start_demo: StartDemo,
    jaeger: Jaeger,
    logs: Logs,
    collector: Collector,
) -> None:
    """What waits in the collector's queues survives its stop, and its kill, and arrives after its next start."""
    demo = start_demo(15)
    wait_until_it_flows(demo, jaeger)
    stop_back_ends(stack)
    wait_for(lambda: queues_fill(collector), "data in the three queues")
    getattr(stack, end)("otelcol")
    stack.start_one("otelcol")
    wait_for(lambda: queues_fill(collector), "data in the three queues after the restart")
    start_back_ends(stack)

    assert_all_arrived(demo.finish(), jaeger, logs)
