"""The stores of the stack, searched for secrets that a program planted in every place."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.stack.processes import Stack
from deploy.stack.services import address
from tests.stack.apis import Collector, Jaeger, Logs, Prometheus, Window, get, wait_for
from tests.stack.demo import ROOT

PROGRAM = ROOT / "tests" / "redact" / "planted_program.py"
SERVICE, CANARY = "planted", "canary"
# Of the program's secrets: one pass over hundreds of megabytes, instead of one for each of them.
SHAPE = re.compile(rb"q7[A-Za-z0-9]{18}9Z")

pytestmark = [pytest.mark.stack, pytest.mark.timeout(180, func_only=True)]


def planted(stack: Stack, folder: Path) -> dict[str, str]:
    """Run the program against the stack; its secrets, by place."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    environment |= {"PYTHONPATH": str(ROOT), "OTEL_EXPORTER_OTLP_ENDPOINT": address(stack.ports, "OTLP_HTTP")}
    report = folder / "report.json"
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(report)],
        cwd=folder,
        env=environment,
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    places: dict[str, str] = json.loads(report.read_text())
    return places


def leaks(places: dict[str, str], data: bytes) -> list[str]:
    """The places whose secrets are in the data."""
    found = set(SHAPE.findall(data))
    return [place for place, value in places.items() if value.encode() in found]


def files(folder: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file below a folder, as it is now."""
    for path in folder.rglob("*"):
        if path.is_file():
            try:
                yield path, path.read_bytes()
            except FileNotFoundError:  # compacted away
                continue


def test_no_store_has_a_planted_secret(
    stack: Stack, jaeger: Jaeger, prometheus: Prometheus, logs: Logs, collector: Collector, tmp_path: Path
) -> None:
    """A secret that a program put somewhere is found in Jaeger, Prometheus, the log store or the collector's queue."""
    started = time.time()
    # With Jaeger away, what is for it waits in the collector's queue, on the disk and not compressed.
    stack.stop_one("jaeger")
    try:
        places = planted(stack, tmp_path)
        wait_for(lambda: sum(collector.queued().values()) > 0, "something in the collector's queue")
        queue = b"".join(data for _, data in files(stack.data / "collector"))
    finally:
        stack.start_one("jaeger")
    assert CANARY.encode() in queue, "the search would not see a secret either"
    assert leaks(places, queue) == []

    window = Window(started, time.time() + 60)
    wait_for(lambda: jaeger.spans(SERVICE, window), "the planted spans in Jaeger")
    start, end = int(started * 1e6), int(window.end * 1e6)
    traces = get(f"{jaeger.url}/api/traces", service=SERVICE, start=start, end=end, limit=1500)
    traces += get(f"{jaeger.url}/api/services") + get(f"{jaeger.url}/api/operations", service=SERVICE)
    assert CANARY.encode() in traces
    assert leaks(places, traces) == []

    records = wait_for(lambda: logs.find(f'"service.name":="{SERVICE}"', window), "the planted log records")
    shown = json.dumps(records, ensure_ascii=False).encode()
    assert CANARY.encode() in shown
    assert leaks(places, shown) == []

    wait_for(lambda: prometheus.series('{__name__=~"canary_counter.*"}'), "the planted counter in Prometheus")
    answers = [
        get(f"{prometheus.url}/api/v1/series", **{"match[]": '{__name__=~".+"}', "start": started}),
        get(f"{prometheus.url}/api/v1/metadata"),
        get(
            f"{prometheus.url}/api/v1/query_exemplars",
            query='{__name__=~"canary.+"}',
            start=started,
            end=time.time(),
        ),
    ]
    assert CANARY.encode() in answers[0]
    assert leaks(places, b"".join(answers)) == []

    found = {str(path): leaks(places, data) for path, data in files(stack.data)}
    assert {path: names for path, names in found.items() if names} == {}
