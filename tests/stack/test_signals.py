"""One run of the demo, seen in Jaeger, Prometheus and the log store."""

from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path

import pytest

from deploy.stack.processes import Stack
from deploy.stack.services import STANDARD_PORTS, address
from tests.stack.apis import Jaeger, Logs, Prometheus, Span, get, wait_for
from tests.stack.demo import SERVICES, Run, assert_all_arrived, only_of

PAGE = Path(__file__).resolve().parents[2] / "docs" / "stack.md"

pytestmark = [pytest.mark.stack, pytest.mark.timeout(150, func_only=True)]


def test_a_request_is_one_trace_across_both_services_with_its_sql(run: Run, jaeger: Jaeger) -> None:
    """The inventory's spans hang below the storefront's HTTP call, and the SQL spans below the inventory's."""

    def whole() -> dict[str, Span]:
        spans = {span.span_id: span for span in jaeger.trace(run.trace_id)}
        parents_known = all(span.parent_id is None or span.parent_id in spans for span in spans.values())
        both = {span.service for span in spans.values()} == set(SERVICES)
        return spans if both and parents_known else {}

    spans = wait_for(whole, "one trace with spans of both services")
    (root,) = [span for span in spans.values() if span.parent_id is None]
    assert root.service == "storefront"
    for served in spans.values():
        if served.service == "inventory" and served.kind == "server":
            caller = spans[str(served.parent_id)]
            assert (caller.service, caller.kind) == ("storefront", "client")
    queries = [span for span in spans.values() if "db.system.name" in span.attributes]
    assert "inventory" in {query.service for query in queries}
    for query in queries:
        assert spans[str(query.parent_id)].service == query.service


def test_everything_emitted_has_arrived(run: Run, jaeger: Jaeger, logs: Logs) -> None:
    """Jaeger and the log store hold exactly the spans and log records that the services counted."""
    assert_all_arrived(run, jaeger, logs)


@pytest.mark.parametrize("curve", ["calls", "errors", "latencies"])
def test_monitor_tab_has_its_curves(run: Run, jaeger: Jaeger, curve: str) -> None:
    """Jaeger's Monitor shows the storefront's call rate, error rate and latency above zero."""
    quantile = 0.95 if curve == "latencies" else None
    wait_for(
        lambda: [v for v in jaeger.monitor(curve, "storefront", quantile=quantile) if v > 0],
        f"{curve} of the storefront above zero",
    )


@pytest.mark.parametrize("service", SERVICES)
def test_span_metrics_count_every_span(
    run: Run, jaeger: Jaeger, prometheus: Prometheus, service: str
) -> None:
    """The calls that the Monitor reads are exactly the spans that the service emitted."""
    calls = f'traces_span_metrics_calls_total{{service_name="{service}",{only_of(run, jaeger)}}}'
    spans = run.emitted(service, "spans")
    wait_for(lambda: prometheus.value(f"sum({calls})") == spans, f"{spans} calls of {service}")


@pytest.mark.parametrize("counter", ["traces_span_metrics_calls_total", "shop_orders_total"])
def test_counters_begin_at_zero(run: Run, jaeger: Jaeger, prometheus: Prometheus, counter: str) -> None:
    """The first sample of each series is 0, or the rate of a short run would miss all that came before it."""
    seconds = round(time.time() - run.window.start) + 10
    since_the_start = f"{counter}{{{only_of(run, jaeger)}}}[{seconds}s]"
    wait_for(lambda: prometheus.series(f"min_over_time({since_the_start})"), counter)
    assert prometheus.series(f"min_over_time({since_the_start}) > 0") == []


def test_metrics_name_their_process(run: Run, jaeger: Jaeger, prometheus: Prometheus) -> None:
    """The shop's counter is in Prometheus under the instance id of its process, the same that its spans have."""
    orders = f"shop_orders_total{{{only_of(run, jaeger)}}}"
    for series in wait_for(lambda: prometheus.series(orders), orders):
        assert float(series["value"][1]) > 0
        assert series["metric"]["service_name"] == "storefront"


@pytest.mark.parametrize("metric", ["shop_orders_total", "traces_span_metrics_duration_milliseconds_bucket"])
def test_metrics_have_exemplars_whose_traces_exist(
    run: Run, prometheus: Prometheus, jaeger: Jaeger, metric: str
) -> None:
    """An exemplar, of the program's own metric or of a span metric, leads to a trace that Jaeger has."""
    found = wait_for(lambda: prometheus.exemplars(metric, run.window), f"exemplars of {metric}")
    trace_id = found[-1]["labels"]["trace_id"]
    wait_for(lambda: jaeger.trace(trace_id), f"the trace {trace_id} of an exemplar in Jaeger")


def test_logs_are_found_by_trace_id(run: Run, logs: Logs) -> None:
    """The trace's log records of both services are found by its id, with span id, severity and logger."""
    found = wait_for(lambda: logs.find(f'trace_id:="{run.trace_id}"'), f"log records of trace {run.trace_id}")
    assert {record["service.name"] for record in found} <= set(SERVICES)
    for record in found:
        assert record["_msg"]
        assert len(record["span_id"]) == 16
        assert record["severity"]
        assert record["otel.scope.name"]


def test_service_map_shows_who_calls_whom(run: Run, jaeger: Jaeger, prometheus: Prometheus) -> None:
    """The service map has the call from storefront to inventory, in Jaeger and in Prometheus, and the database."""
    wait_for(
        lambda: ("storefront", "inventory") in jaeger.dependencies(), "the call in Jaeger's dependencies"
    )
    edge = 'traces_service_graph_request_total{client="storefront",server="inventory"}'
    wait_for(lambda: prometheus.value(f"sum({edge})") > 0, edge)
    database = 'traces_service_graph_request_total{client="inventory",connection_type="database"}'
    wait_for(lambda: prometheus.value(f"sum({database})") > 0, database)


def test_no_card_number_reaches_a_store(run: Run, logs: Logs, jaeger: Jaeger) -> None:
    """The card number and the token that the demo logs on purpose are in neither store."""
    card = " ".join(["4111", "1111", "1111", "1111"])
    assert wait_for(lambda: logs.find('"card charged"', run.window), "the demo's careless log call")
    assert logs.find(f'"{card}"') == []
    assert logs.find('~"Bearer [A-Za-z0-9]"') == []
    for record in logs.find("access_token:*"):
        assert set(record["access_token"]) <= set("*") or "REDACTED" in record["access_token"].upper()
    spans = jaeger.spans("storefront", run.window).values()
    assert [span for span in spans if card in str(span.attributes)] == []


@pytest.mark.parametrize(
    "query",
    [
        'otelcol_exporter_queue_size{service_name="otelcol"}',
        'otelcol_receiver_accepted_spans_total{service_name="jaeger"}',
    ],
)
def test_stack_watches_itself(prometheus: Prometheus, query: str) -> None:
    """The collector's and Jaeger's own metrics are in Prometheus, so that a full queue can be seen."""
    wait_for(lambda: prometheus.series(query), query)


def on_these_ports(command: str, stack: Stack) -> str:
    """A command of docs/stack.md, which speaks of the standard ports, for the tests' own ones."""
    for name, port in STANDARD_PORTS.items():
        command = command.replace(f"localhost:{port}", f"localhost:{stack.ports[name]}")
    return command


@pytest.mark.parametrize("command", re.findall(r"^curl .*", PAGE.read_text(), re.MULTILINE))
def test_commands_of_the_page_show_something(run: Run, stack: Stack, command: str) -> None:
    """Each `curl` of docs/stack.md, as it stands there, answers with data."""

    def answer() -> str:
        done = subprocess.run(
            ["sh", "-c", on_these_ports(command, stack)], capture_output=True, text=True, check=True
        )
        assert '"error"' not in done.stdout
        return "" if re.search(r'"(data|result)": ?\[\]', done.stdout) else done.stdout

    wait_for(answer, command)


def test_page_has_the_monitor_and_the_link_to_the_logs(stack: Stack) -> None:
    """Jaeger serves its page with the shipped settings: the Monitor tab and the link from a trace to its logs."""
    page = get(address(stack.ports, "JAEGER_UI")).decode()
    assert '"monitor":{"menuEnabled":true}' in page.replace(" ", "")
    assert "select/vmui" in page
