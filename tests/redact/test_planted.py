"""A program with a secret in every place that telemetry takes text from, and what leaves of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.receiver import Receiver

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("planted_program.py")
CANARY = b"canary"
MOST_PLACES = 120


def planted(folder: Path, **variables: str) -> tuple[dict[str, str], bytes]:
    """Run the program; what it planted where, and all that it wrote to stdout and stderr."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    report = folder / "report.json"
    ran = subprocess.run(
        [sys.executable, str(PROGRAM), str(report)],
        env=environment,
        cwd=folder,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr.decode()[-2000:]
    places: dict[str, str] = json.loads(report.read_text())
    assert len(places) >= MOST_PLACES
    return places, ran.stdout + ran.stderr


def leaks(places: dict[str, str], data: bytes) -> list[str]:
    return [place for place, value in places.items() if value.encode() in data]


def test_no_planted_secret_is_sent_or_reported(receiver: Receiver, tmp_path: Path) -> None:
    """A secret in some place of a span, a log record or a metric reaches the collector, or stderr."""
    places, written = planted(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.http)
    sent = b"".join(request.message.SerializeToString() for request in receiver.requests)
    assert {request.signal for request in receiver.requests} == {"traces", "metrics", "logs"}
    assert sent.count(CANARY) >= 6
    assert leaks(places, sent) == []
    assert leaks(places, written) == []


@pytest.mark.parametrize("exporter", ["console", "otlp"])
def test_no_planted_secret_is_printed(exporter: str, tmp_path: Path) -> None:
    """A secret is printed, by the console exporter or in what is said of a collector that is not there."""
    names = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")
    variables = dict.fromkeys(names, exporter)
    places, written = planted(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9", **variables)
    assert CANARY in written
    assert leaks(places, written) == []
