"""One order on the console: its trace across both services, its log records, its metric points.

The shop is opened once more, for one customer, with the console in place of OTLP: the services write each span, record
and point as one line of JSON, and those lines are what is shown here.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, Status, StatusCode

from examples.shop.processes import Service, open_shop
from otel_kit.export.console.colors import colors_for
from otel_kit.export.console.waterfall import waterfall

ON_CONSOLE = {
    "OTEL_TRACES_EXPORTER": "console",
    "OTEL_METRICS_EXPORTER": "console",
    "OTEL_LOGS_EXPORTER": "none",  # records are shown on the console anyway
    "OTEL_KIT_CONSOLE": "json",
    "OTEL_TRACES_SAMPLER": "always_on",
}
METHOD = "POST"
ORDER = "/orders?product=tea&pieces=2&user=ada"
DULL = ("network.", "server.", "url.", "pool.")
WIDTH = 110
LONGEST_BODY = 40

Line = dict[str, Any]


def one_order(folder: Path) -> str:
    """Place one order, and draw what it emitted. The folder gets what the services write.

    Raises:
        StartError: a service did not start.
        requests.RequestException: the order went wrong.
    """
    with open_shop(folder, **ON_CONSOLE) as services:
        # The first request has libraries loaded, and would be a picture of that.
        requests.get(f"{services[0].url}/products", timeout=30)
        answer = requests.request(METHOD, services[0].url + ORDER, timeout=30)
        answer.raise_for_status()
        trace_id = answer.json()["trace_id"]
    lines = [(service.name, line) for service in services for line in lines_of(service)]
    spans = [(service, line) for service, line in lines if "span" in line and line["trace_id"] == trace_id]
    records = [
        (service, line) for service, line in lines if "body" in line and line.get("trace_id") == trace_id
    ]
    points = [(service, line) for service, line in lines if "metric" in line and is_of_an_order(line)]
    records.sort(key=lambda record: str(record[1]["timestamp"]))
    return "\n".join(
        [
            waterfall([span(service, line) for service, line in spans], colors_for(sys.stdout)),
            "\nlog records",
            *rows(
                [(line["severity"], service, short(line["body"]), told(line)) for service, line in records]
            ),
            "\nmetric points",
            *rows([(service, line["metric"], amount(line), labels(line)) for service, line in points]),
        ]
    )


def lines_of(service: Service) -> Iterator[Line]:
    """The lines of JSON among what a service printed."""
    return (json.loads(text) for text in service.lines() if text.startswith("{"))


def is_of_an_order(point: Line) -> bool:
    """The shop's own figures, and those of the order's requests, of either framework; nothing that is back to zero."""
    method = point.get("attributes", {}).get("http.request.method", METHOD)
    is_ours = point["metric"].startswith(("shop.", "http.server.")) and method == METHOD
    return is_ours and bool(point.get("value", 1))


def span(service: str, line: Line) -> ReadableSpan:
    """The span that a line tells of."""
    trace_id, start = int(line["trace_id"], 16), nanoseconds(line["timestamp"])
    parent = line.get("parent_span_id")
    return ReadableSpan(
        line["span"],
        context=SpanContext(trace_id, int(line["span_id"], 16), is_remote=False),
        parent=SpanContext(trace_id, int(parent, 16), is_remote=False) if parent else None,
        resource=Resource({"service.name": service}),
        status=Status(StatusCode[line["status"]]),
        start_time=start,
        end_time=start + round(line["duration_ms"] * 1e6),
    )


def nanoseconds(timestamp: str) -> int:
    """Since 1970, exact to the microsecond."""
    return round(datetime.fromisoformat(timestamp).timestamp() * 1e6) * 1000


def amount(point: Line) -> str:
    """The value of a point; of a histogram how often, and the mean."""
    unit = point.get("unit", "")
    if "count" in point:
        return f"{point['count']} × {point['sum'] / point['count']:.3g} {unit}"
    return f"{point['value']} {unit}"


def told(record: Line) -> str:
    """The attributes of a record, but for where in the code it was."""
    attributes = record.get("attributes", {}).items()
    return " ".join(
        f"{name.removeprefix('otel_kit.')}={value}"
        for name, value in attributes
        if not name.startswith("code.")
    )


def short(body: str) -> str:
    """A sentence that leaves room for what comes beside it."""
    return body if len(body) <= LONGEST_BODY else f"{body[: LONGEST_BODY - 1]}…"


def labels(point: Line) -> str:
    """The attributes of a point by their last word, but for those that are the same for all here."""
    attributes = point.get("attributes", {}).items()
    return " ".join(
        f"{name.rpartition('.')[2]}={value}" for name, value in attributes if not name.startswith(DULL)
    )


def rows(cells: Sequence[Sequence[str]]) -> list[str]:
    """Aligned lines, cut where a terminal would wrap them."""
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in cells]
    return [line if len(line) <= WIDTH else f"{line[: WIDTH - 1]}…" for line in lines]
