"""OTLP as JSON, by hand: past the SDK, its queue and its redaction."""

from __future__ import annotations

import json
import time
import urllib.request
from typing import Any
from uuid import uuid4


def post(collector: str, signal: str, body: dict[str, Any]) -> None:
    """Send `traces` or `logs`; what is not accepted raises."""
    request = urllib.request.Request(
        f"{collector}/v1/{signal}", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=10):
        pass


def attributes(pairs: dict[str, str]) -> list[dict[str, Any]]:
    return [{"key": key, "value": {"stringValue": value}} for key, value in pairs.items()]


def resource(service: str) -> dict[str, Any]:
    return {"attributes": attributes({"service.name": service})}


def span(trace_id: str, **more: Any) -> dict[str, Any]:
    now = str(time.time_ns())
    return {
        "traceId": trace_id,
        "spanId": uuid4().hex[:16],
        "name": "by hand",
        "kind": 1,
        "startTimeUnixNano": now,
        "endTimeUnixNano": now,
        **more,
    }


def traces(service: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"resourceSpans": [{"resource": resource(service), "scopeSpans": [{"spans": found}]}]}


def spans(service: str, count: int) -> dict[str, Any]:
    """So many spans, each a trace of its own."""
    return traces(service, [span(uuid4().hex) for _ in range(count)])


def log(service: str, trace_id: str, body: str, pairs: dict[str, str]) -> dict[str, Any]:
    """One log record."""
    record = {
        "timeUnixNano": str(time.time_ns()),
        "traceId": trace_id,
        "body": {"stringValue": body},
        "attributes": attributes(pairs),
    }
    return {"resourceLogs": [{"resource": resource(service), "scopeLogs": [{"logRecords": [record]}]}]}
