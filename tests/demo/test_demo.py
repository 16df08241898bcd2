"""The demo as its users run it: a process of its own, with a receiver, and with nobody listening."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

from examples.shop.load import VISITS
from examples.shop.payment import CARD
from tests.receiver import Receiver, attributes, receiving

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("storefront", "inventory")
NAMES = {"traces": "spans", "logs": "log_records", "metrics": "metric_points"}


class Item(NamedTuple):
    """A span or a log record, and the service that sent it."""

    service: str
    scope: str
    data: Any


class Run(NamedTuple):
    """A demo that is over."""

    status: int
    out: str
    err: str
    report: dict[str, Any]


def start(endpoint: str, seconds: float, *options: str, **settings: str) -> subprocess.Popen[str]:
    unwanted = ("OTEL_", "FORCE_COLOR")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    return subprocess.Popen(
        [sys.executable, "-m", "examples.shop", *options],
        cwd=ROOT,
        env={
            **environment,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "DEMO_SECONDS": str(seconds),
            "PYTHONDONTWRITEBYTECODE": "1",
            # This machine may be slow, and says so in records of its own.
            "OTEL_KIT_SQL_SLOW_QUERY": "60000",
            "OTEL_KIT_SLOW_CALLBACK": "60000",
            **settings,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str], report: Path | None = None) -> Run:
    try:
        out, err = process.communicate(timeout=150)
    finally:
        process.kill()
    written = json.loads(report.read_text()) if report else {}
    return Run(process.returncode, out, err, written)


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with receiving() as it:
        yield it


@pytest.fixture(scope="module")
def delivered(receiver: Receiver, tmp_path_factory: pytest.TempPathFactory) -> Run:
    report = tmp_path_factory.mktemp("demo") / "report.json"
    return finish(start(receiver.http, 3, "--report", str(report)), report)


@pytest.fixture(scope="module")
def alone() -> Run:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    return finish(start(f"http://127.0.0.1:{port}", 1))


@pytest.fixture(scope="module")
def interrupted() -> Run:
    """Ended by SIGTERM, with a wrong setting; no service is left."""
    with receiving() as receiver:
        process = start(receiver.http, 300, OTEL_BSP_SCHEDULE_DELAY="100", OTEL_TRACES_SAMPLER="some")
        assert receiver.wait_for(spans=5, timeout=120)
        services = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGTERM)
        run = finish(process)
    assert len(services) == 2
    assert not psutil.wait_procs(services, timeout=30)[1]
    return run


def visits(run: Run, word: str) -> int:
    """How many of the run's requests have the word in their path."""
    return sum(word in VISITS[number % len(VISITS)][1] for number in range(run.report["requests"]))


def received(receiver: Receiver, signal_name: str) -> Iterator[Item]:
    groups = {"traces": ("resource_spans", "scope_spans", "spans")}
    groups["logs"] = ("resource_logs", "scope_logs", "log_records")
    groups["metrics"] = ("resource_metrics", "scope_metrics", "metrics")
    resources, scopes, items = groups[signal_name]
    for request in list(receiver.requests):
        for resource in getattr(request.message, resources, ()) if request.signal == signal_name else ():
            service = attributes(resource.resource)["service.name"]
            for scope in getattr(resource, scopes):
                yield from (Item(service, scope.scope.name, item) for item in getattr(scope, items))


def points(metric: Any) -> list[Any]:
    return list(getattr(metric, metric.WhichOneof("data")).data_points)


def in_trace(receiver: Receiver, run: Run, signal_name: str) -> list[Item]:
    trace_id = bytes.fromhex(run.report["trace_id"])
    return [item for item in received(receiver, signal_name) if item.data.trace_id == trace_id]


def test_the_demo_ends_well(delivered: Run) -> None:
    """The demo fails, says something on stderr, or has failures that nobody meant."""
    assert (delivered.status, delivered.err) == (0, "")
    failures = visits(delivered, "ghost") + visits(delivered, "antique")
    line = f"{delivered.report['requests']} requests · {failures} failed on purpose"
    assert re.search(rf"^ +\d+ s · {line}$", delivered.out, re.MULTILINE)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("service", SERVICES)
def test_figures_are_what_the_receiver_got(
    receiver: Receiver, delivered: Run, service: str, name: str
) -> None:
    """A figure of the report differs from what the receiver got of that service."""
    mine = [item for item in received(receiver, name) if item.service == service]
    count = sum(len(points(item.data)) for item in mine) if name == "metrics" else len(mine)
    figures = delivered.report["services"][service]
    assert count > 0
    assert figures[NAMES[name]] == figures["delivered"][NAMES[name]] == count
    assert not figures["dropped"][NAMES[name]]


@pytest.mark.parametrize("service", SERVICES)
def test_the_table_shows_the_figures(receiver: Receiver, delivered: Run, service: str) -> None:
    """The table shows other figures than the report, or does not say that and where all was delivered."""
    (line,) = [line for line in delivered.out.splitlines() if line.startswith(service)]
    figures = delivered.report["services"][service]
    assert [int(cell.replace(",", "")) for cell in line.split()[2:5]] == [figures[n] for n in NAMES.values()]
    assert line.endswith(f"   {receiver.http}: all")


def test_the_table_counts_requests(receiver: Receiver, delivered: Run) -> None:
    """The requests in the table are not those that customers made, or not the server spans of a service."""
    spans = [item for item in received(receiver, "traces") if item.data.kind == item.data.SPAN_KIND_SERVER]
    served = Counter(span.service for span in spans)
    rows = {line.split()[0]: line.split() for line in delivered.out.splitlines() if line.startswith(SERVICES)}
    assert {service: int(row[1]) for service, row in rows.items()} == served
    assert served["storefront"] == delivered.report["requests"]


def test_one_trace_crosses_both_services(receiver: Receiver, delivered: Run) -> None:
    """The reported trace has several roots, a span without its parent, or lacks a service or its SQL."""
    spans = in_trace(receiver, delivered, "traces")
    ids = {span.data.span_id for span in spans}
    parents = [span.data.parent_span_id for span in spans]
    assert parents.count(b"") == 1
    assert set(parents) <= ids | {b""}
    assert {span.service for span in spans} == set(SERVICES)
    for service in SERVICES:
        names = [span.data.name for span in spans if span.service == service]
        assert [name for name in names if re.match(r"(UPDATE|INSERT|SELECT) \w+$", name)], names


def test_its_log_records_are_in_both_services(receiver: Receiver, delivered: Run) -> None:
    """A log record of the reported trace is missing, doubled, or lacks its user's id."""
    records = in_trace(receiver, delivered, "logs")
    said = ((record.service, record.data.body.string_value) for record in records)
    bodies = Counter((service, re.sub(r"\d+$", "…", body)) for service, body in said)
    assert bodies == {
        ("storefront", "order received"): 1,
        ("storefront", "card charged"): 1,
        ("storefront", "create Order …"): 1,
        ("storefront", "order sold"): 1,
        ("inventory", "goods taken"): 1,
        ("storefront", "POST /orders …"): 1,
        ("inventory", "POST /shelf/<product>/take …"): 1,
    }
    users = {attributes(record.data)["user.id"] for record in records}
    assert len(users) == 1


def test_orders_are_counted(receiver: Receiver, delivered: Run) -> None:
    """`shop.orders` does not add up to the orders that customers made, sold or failed."""
    newest = receiver.metrics["shop.orders"]
    counts: Counter[str] = Counter()
    for point in points(newest):
        counts[attributes(point)["outcome"]] += point.as_int
    assert newest.unit == "{order}"
    failed = visits(delivered, "ghost") + visits(delivered, "antique")
    assert counts == {"sold": visits(delivered, "/orders") - failed, "failed": failed}


def test_amounts_have_exemplars(receiver: Receiver, delivered: Run) -> None:
    """The histogram of amounts has no exemplar that leads to a trace of this run."""
    traces = {span.data.trace_id for span in received(receiver, "traces")}
    found = {e.trace_id for point in points(receiver.metrics["shop.order.amount"]) for e in point.exemplars}
    assert found
    assert found <= traces


def test_failures_are_seen(receiver: Receiver, delivered: Run) -> None:
    """The exception, the timeout or the slow query of the demo cannot be found in what it emitted."""
    spans = list(received(receiver, "traces"))
    records = [attributes(item.data) for item in received(receiver, "logs")]
    kinds = Counter(record["exception.type"] for record in records if "exception.type" in record)
    assert kinds["sqlalchemy.exc.NoResultFound"] == visits(delivered, "ghost") > 0, kinds
    timeouts = [s for s in spans if attributes(s.data).get("error.type", "").endswith("ReadTimeout")]
    assert len(timeouts) == visits(delivered, "antique") > 0
    slow = [s for s in spans if "sleep" in str(attributes(s.data).get("db.query.text", ""))]
    assert len(slow) == visits(delivered, "/report") > 0
    assert all(s.data.end_time_unix_nano - s.data.start_time_unix_nano > 400_000_000 for s in slow)


def test_failures_say_what_kind_they_are(receiver: Receiver, delivered: Run) -> None:
    """The unknown product has no category, is not told as new, or the slow report does not say where its time went."""
    records = [(item.data, attributes(item.data)) for item in received(receiver, "logs")]
    unknown = [found for _, found in records if found.get("exception.type") == "sqlalchemy.exc.NoResultFound"]
    assert {found["otel_kit.error.category"] for found in unknown} == {"not_found"}
    assert len({found["otel_kit.error.fingerprint"] for found in unknown}) == 1
    bodies = [record.body.string_value for record, _ in records]
    assert sum(body.startswith("first seen: sqlalchemy.exc.NoResultFound in ") for body in bodies) == 1
    slow = [
        body
        for body in bodies
        if re.match(r"slow: report \d+ ms: database \d+ ms in 1 query, own code", body)
    ]
    assert len(slow) == visits(delivered, "/report")


def test_the_restock_job_has_traces_of_its_own(receiver: Receiver, delivered: Run) -> None:
    """The background job's span is missing, has a parent, or lacks its run id or its SQL."""
    jobs = [item.data for item in received(receiver, "traces") if item.data.name == "restock"]
    assert jobs
    for job in jobs:
        assert not job.parent_span_id
        assert attributes(job)["otel_kit.run.id"]
        assert [s for s in received(receiver, "traces") if s.data.parent_span_id == job.span_id]


def test_the_restock_job_is_a_workflow(receiver: Receiver, delivered: Run) -> None:
    """A step of the job, the supplier who has to be called twice, or what changed about him is missing."""
    records = [item.data for item in received(receiver, "logs") if item.service == "inventory"]
    events = Counter(record.event_name for record in records)
    assert events["otel_kit.workflow.started"] == events["otel_kit.workflow.ended"] > 0
    assert events["otel_kit.workflow.moved"] == 2 * events["otel_kit.workflow.ended"]
    assert "Supplier.calls: 0 → 1" in {record.body.string_value for record in records}
    (retries,) = {point.as_int for point in points(receiver.metrics["otel_kit.retries"])}
    assert retries == events["otel_kit.workflow.ended"]


def test_the_assistant_is_an_agent(receiver: Receiver, delivered: Run) -> None:
    """What the assistant does has no spans, no tokens or no price."""
    spans = [item.data for item in received(receiver, "traces") if item.service == "storefront"]
    agents = [attributes(span) for span in spans if span.name == "invoke_agent assistant"]
    assert len(agents) == visits(delivered, "/ask") > 0
    assert all(agent["gen_ai.usage.output_tokens"] > 0 for agent in agents)
    assert all(agent["otel_kit.cost.amount"] > 0 for agent in agents)
    names = Counter(span.name for span in spans)
    assert names["chat toy-1"] == 2 * names["execute_tool look at the shelf"] == 2 * len(agents)


def test_the_cache_of_prices_is_observed(receiver: Receiver, delivered: Run) -> None:
    """Look-ups of prices are not counted, or not as hits and misses."""
    found = {
        attributes(p)["otel_kit.cache.result"]: p.as_int
        for p in points(receiver.metrics["otel_kit.cache.lookups"])
    }
    assert found["miss"] > 0
    assert sum(found.values()) == visits(delivered, "/orders") - visits(delivered, "ghost") - visits(
        delivered, "antique"
    )


def test_with_nobody_listening_one_order_is_shown(alone: Run) -> None:
    """With nobody listening the demo fails, does not say so, or does not show one order and the next command."""
    assert (alone.status, alone.err) == (0, "")
    assert "Nothing is listening at http://127.0.0.1:" in alone.out
    for expected in (
        "POST /orders",
        "charge card",
        "POST /shelf/<product>/take",
        "UPDATE shelf",
        "order sold",
        "goods taken",
        "shop.orders",
        "make demo",
    ):
        assert expected in alone.out
    assert "docker compose up -d" in alone.out or "make stack" in alone.out


def test_the_careless_payment_leaks_nothing(receiver: Receiver, delivered: Run, alone: Run) -> None:
    """The card number or the token that the shop logs on purpose is on the wire or on the screen."""
    sent = "\n".join(str(request.message) for request in receiver.requests)
    assert "[redacted:card]" in sent
    assert "[redacted:" in alone.out
    for place in (sent, alone.out, alone.err, delivered.err):
        assert CARD not in place


def test_the_screen_is_calm(alone: Run, delivered: Run) -> None:
    """Without a terminal there are colours, carriage returns, or lines that wrap."""
    for run in (alone, delivered):
        assert not re.search(r"[\x1b\r]", run.out)
        assert max(map(len, run.out.splitlines())) <= 120


def test_sigterm_closes_the_shop(interrupted: Run) -> None:
    """SIGTERM ends the demo without its table, or with another status than 0."""
    assert (interrupted.status, interrupted.err) == (0, "")
    assert re.search(r"^inventory +\d+ ", interrupted.out, re.MULTILINE)


def test_what_telemetry_complains_about_is_shown(interrupted: Run) -> None:
    """A wrong setting goes unnoticed because the services print to a file."""
    assert interrupted.out.count("sampler (from OTEL_TRACES_SAMPLER) is 'some'") == 1


@pytest.mark.slow
def test_services_do_not_outlive_a_killed_demo(receiver: Receiver) -> None:
    """A service goes on after the demo was killed."""
    receiver.clear()
    process = start(receiver.http, 300, OTEL_BSP_SCHEDULE_DELAY="100")
    assert receiver.wait_for(spans=5, timeout=120)
    services = psutil.Process(process.pid).children(recursive=True)
    process.kill()
    process.communicate()
    assert not psutil.wait_procs(services, timeout=15)[1]


@pytest.mark.parametrize("given", ["soon", "0"])
def test_a_wrong_duration_is_named(given: str) -> None:
    """A wrong DEMO_SECONDS runs, or the message does not say what is valid."""
    run = finish(start("http://127.0.0.1:9", 0, DEMO_SECONDS=given))
    assert run.status == 2
    assert f"DEMO_SECONDS is '{given}'; valid: seconds" in run.err
