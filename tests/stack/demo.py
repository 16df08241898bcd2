"""The example shop as the source of the tests' data, and the account of what arrived of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sized
from functools import partial
from pathlib import Path
from typing import Any

from tests.stack.apis import Jaeger, Logs, Span, Window

ROOT = Path(__file__).resolve().parents[2]
SERVICES = ("storefront", "inventory")


class Run:
    """What a demo says that it emitted, and when."""

    def __init__(self, report: dict[str, Any], window: Window) -> None:
        self.trace_id: str = report["trace_id"]
        self.services: dict[str, dict[str, Any]] = report["services"]
        self.window = window

    def emitted(self, service: str, what: str) -> int:
        """How many `spans` or `log_records` the service counted."""
        return int(self.services[service][what])


class Demo:
    """One run of the example shop against the stack."""

    def __init__(self, endpoint: str, seconds: int, folder: Path) -> None:
        self.report = folder / "report.json"
        self.log = folder / "demo.log"
        self.started = time.time()
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment |= {
            "DEMO_SECONDS": str(seconds),
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_METRIC_EXPORT_INTERVAL": "2000",  # samples during an outage, not only at the end
        }
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "examples.shop", "--report", str(self.report)],
                cwd=ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def finish(self) -> Run:
        """Wait until the demo is over; it ends by itself."""
        status = self.process.wait(120)
        assert status == 0, f"the demo ended with {status}:\n{self.log.read_text()[-2000:]}"
        return Run(json.loads(self.report.read_text()), Window(self.started, time.time()))

    def end(self) -> None:
        """Whatever a test left running."""
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(30)


def spans_of(service: str, run: Run, jaeger: Jaeger) -> list[Span]:
    """The service's spans of this run that are in Jaeger, each once."""
    return [span for span in jaeger.spans(service, run.window).values() if span.service == service]


def only_of(run: Run, jaeger: Jaeger) -> str:
    """The PromQL matcher of this run's processes: other runs of the same services have left their series too."""
    instances = {span.instance for service in SERVICES for span in spans_of(service, run, jaeger)}
    return f'service_instance_id=~"{"|".join(sorted(map(str, instances)))}"'


def logs_of(service: str, run: Run, logs: Logs) -> list[dict[str, str]]:
    """The service's log records of this run that are in the log store, each once."""
    return logs.find(f'"service.name":="{service}"', run.window)


def assert_all_arrived(run: Run, jaeger: Jaeger, logs: Logs) -> None:
    """Both stores hold exactly what the services counted: nothing is missing and nothing is made up."""
    for service in SERVICES:
        spans, records = run.emitted(service, "spans"), run.emitted(service, "log_records")
        assert spans > 0
        assert records > 0
        _wait_for_count(partial(spans_of, service, run, jaeger), spans, f"spans of {service}")
        _wait_for_count(partial(logs_of, service, run, logs), records, f"log records of {service}")


def _wait_for_count(found: Callable[[], Sized], expected: int, what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while (count := len(found())) < expected:
        assert time.monotonic() < deadline, f"not within {seconds} s: {count} of {expected} {what}"
        time.sleep(0.5)
    assert count == expected, what
