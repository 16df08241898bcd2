"""Spans and metric points on the console, and a trace as a picture."""

from __future__ import annotations

import io
import json
import re
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from otel_kit.export.console.metrics import ConsoleMetricExporter
from otel_kit.export.console.spans import ConsoleSpanExporter
from otel_kit.export.console.waterfall import waterfall

MS = 10**6
START = 1_700_000_000_000_000_000


def span(
    name: str,
    number: int,
    parent: int | None = None,
    *,
    start: float = 0,
    end: float = 1,
    error: str | None = None,
    service: str = "shop",
    trace: int = 0xABC,
    **fields: Any,
) -> ReadableSpan:
    def context(span_id: int) -> SpanContext:
        return SpanContext(trace, span_id, False, TraceFlags(1))

    return ReadableSpan(
        name,
        context(number),
        context(parent) if parent else None,
        Resource({"service.name": service}),
        kind=SpanKind.SERVER,
        status=Status(StatusCode.ERROR, error) if error else Status(StatusCode.UNSET),
        start_time=START + int(start * MS),
        end_time=START + int(end * MS),
        **fields,
    )


def written(exporter_class: Any, style: str, *items: Any) -> list[str]:
    stream = io.StringIO()
    exporter_class(style, stream).export(*items)
    return [re.sub(r"^[\d:]{8}\.", "hh:mm:ss.", line) for line in stream.getvalue().splitlines()]


def test_a_span_is_a_line() -> None:
    """A person does not see of a span when it ended, what it was, how long it took and whether it failed."""
    lines = written(
        ConsoleSpanExporter,
        "pretty",
        [
            span("GET /cart", 1, end=12.34, attributes={"http.route": "/cart"}),
            span("charge", 2, 1, error="declined\n"),
        ],
    )
    assert lines == [
        "hh:mm:ss.012 SPAN                        GET /cart                      12.3 ms http.route=/cart trace=00000000",
        "hh:mm:ss.001 SPAN                        charge                            1 ms ERROR declined\\n trace=00000000",
    ]


def test_a_span_is_a_json_line() -> None:
    """A program that reads the JSON lines misses something of a span."""
    event = Event("exception", {"a": 1}, START)
    link = Link(SpanContext(1, 2, True))
    (line,) = written(
        ConsoleSpanExporter,
        "json",
        [span("x\u2028", 2, 1, error="bad", attributes={"k": [1]}, events=[event], links=[link])],
    )
    assert json.loads(line) == {
        "timestamp": "2023-11-14T22:13:20.000000Z",
        "span": "x\u2028",
        "kind": "SERVER",
        "service": "shop",
        "duration_ms": 1.0,
        "status": "ERROR",
        "status_description": "bad",
        "trace_id": f"{0xABC:032x}",
        "span_id": f"{2:016x}",
        "parent_span_id": f"{1:016x}",
        "attributes": {"k": [1]},
        "events": [{"timestamp": "2023-11-14T22:13:20.000000Z", "name": "exception", "attributes": {"a": 1}}],
        "links": [{"trace_id": f"{1:032x}", "span_id": f"{2:016x}"}],
    }


def collected() -> Any:
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], resource=Resource({})).get_meter("shop")
    meter.create_counter("orders", unit="{order}").add(3000, {"method": "card"})
    histogram = meter.create_histogram("duration", unit="s", explicit_bucket_boundaries_advisory=[1, 5])
    histogram.record(0.5)
    histogram.record(1.5)
    return reader.get_metrics_data()


def test_a_point_is_a_line() -> None:
    """A person does not see the figures of a metric point, their unit and attributes."""
    lines = written(ConsoleMetricExporter, "pretty", collected())
    assert [line[13:] for line in lines] == [
        "POINT shop                  orders                        3,000 {order}        method=card",
        "POINT shop                  duration                      n=2 mean=1 min=0.5 max=1.5 s",
    ]


def test_a_point_is_a_json_line() -> None:
    """A program that reads the JSON lines misses something of a metric point."""
    orders, duration = (json.loads(line) for line in written(ConsoleMetricExporter, "json", collected()))
    del orders["timestamp"], duration["timestamp"]
    assert orders == {
        "metric": "orders",
        "unit": "{order}",
        "scope": "shop",
        "value": 3000,
        "attributes": {"method": "card"},
    }
    assert duration == {
        "metric": "duration",
        "unit": "s",
        "scope": "shop",
        "count": 2,
        "sum": 2.0,
        "min": 0.5,
        "max": 1.5,
        "bounds": [1, 5],
        "buckets": [1, 1, 0],
    }


def test_a_waterfall() -> None:
    """The picture of a trace does not show who called whom, where in time, for how long, and what failed."""
    picture = waterfall(
        [
            span("SELECT stock", 4, 3, start=4, end=5, service="inventory"),
            span("charge card", 5, 1, start=6, end=10, error="declined\x1b"),
            span("POST /checkout", 1, start=0, end=10),
            span("GET /stock", 3, 2, start=3, end=6, service="inventory"),
            span("GET", 2, 1, start=2, end=6),
            span("another trace", 9, trace=0xDEF),
        ]
    )
    assert picture.splitlines() == [
        f"trace {0xABC:032x}  5 spans  10 ms",
        "POST /checkout      shop       ████████████████████████████████████████    10 ms",
        "  GET               shop       ········████████████████················     4 ms",
        "    GET /stock      inventory  ············████████████················     3 ms",
        "      SELECT stock  inventory  ················████····················     1 ms",
        "  charge card       shop       ························████████████████     4 ms  ✗ declined\\x1b",
    ]


@pytest.mark.parametrize(
    "spans",
    [
        [],
        [span("own parent", 1, 1)],
        [span("a", 1, 2), span("b", 2, 1)],
        [span("lost parent", 1, 7)],
        [span("backwards", 1, start=5, end=1)],
        [span("no time", 1, start=0, end=0)],
        [span("twice", 1), span("twice", 1)],
    ],
)
def test_a_strange_trace(spans: list[ReadableSpan]) -> None:
    """A trace with loops, gaps or impossible times makes the picture raise or never end."""
    assert len(waterfall(spans).splitlines()) <= 1 + len(spans)


def test_a_deep_trace() -> None:
    """A trace thousands of spans deep makes the picture raise."""
    spans = [span("x", number, number - 1 or None) for number in range(1, 3000)]
    assert len(waterfall(spans).splitlines()) == 3000


def test_long_names_keep_the_columns() -> None:
    """A long name of a span or a metric pushes what stands right of it out of its column."""
    names = "short", "GET /api/orders/{order_id}/lines/{line_id}"
    short, long = written(ConsoleSpanExporter, "pretty", [span(name, 1) for name in names])
    assert re.search(" 1.* ms", short).start() == re.search(" 1.* ms", long).start()  # type: ignore[union-attr]
    assert "GET /api/orders/{order_id}/…" in long
    reader = InMemoryMetricReader()
    meter = MeterProvider([reader], Resource({}), shutdown_on_exit=False).get_meter("shop")
    for name in ("short", "otel.sdk.processor.log.queue.capacity.of.all"):
        meter.create_counter(name).add(77)
    short, long = written(ConsoleMetricExporter, "pretty", reader.get_metrics_data())
    assert short.index("77") == long.index("77")
    assert "capacity.of.all" in long
