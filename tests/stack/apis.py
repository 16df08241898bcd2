"""What the four programs answer over HTTP, as the tests ask it. The standard library is enough."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Json = Any

TRACES_PER_PAGE = 1500


def wait_for(question: Callable[[], T], what: str, seconds: float = 60) -> T:
    """Ask until the answer is true, and give it back; an answer that never comes is a failure that says what."""
    deadline = time.monotonic() + seconds
    while True:
        answer = question()
        if answer:
            return answer
        assert time.monotonic() < deadline, (
            f"not within {seconds:.0f} s: {what}; the last answer was {answer!r}"
        )
        time.sleep(0.2)


def get(url: str, **parameters: object) -> bytes:
    """The body of the answer; what the server says of a wrong question goes into the failure."""
    query = urllib.parse.urlencode({name: value for name, value in parameters.items() if value is not None})
    try:
        with urllib.request.urlopen(f"{url}?{query}", timeout=30) as answer:
            body: bytes = answer.read()
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{url}?{query}: {error.code} {error.read()[:300]!r}") from error
    return body


@dataclass(frozen=True)
class Span:
    """One span as Jaeger shows it."""

    trace_id: str
    span_id: str
    parent_id: str | None
    service: str
    instance: str | None
    name: str
    attributes: dict[str, Json]

    @property
    def kind(self) -> str:
        return str(self.attributes.get("span.kind"))


@dataclass(frozen=True)
class Window:
    """A stretch of time, in seconds since 1970."""

    start: float
    end: float

    def halves(self) -> tuple[Window, Window]:
        middle = (self.start + self.end) / 2
        return Window(self.start, middle), Window(middle, self.end)


@dataclass(frozen=True)
class Jaeger:
    """https://www.jaegertracing.io/docs/2.13/apis/ — the internal JSON API, which its page uses."""

    url: str

    def trace(self, trace_id: str) -> list[Span]:
        """The spans of one trace; none while Jaeger does not know it."""
        try:
            return self._spans(json.loads(get(f"{self.url}/api/traces/{trace_id}")))
        except AssertionError:
            return []

    def spans(self, service: str, window: Window) -> dict[tuple[str, str], Span]:
        """Every span of the traces that the service took part in, by trace and span id."""
        answer = json.loads(
            get(
                f"{self.url}/api/traces",
                service=service,
                start=int(window.start * 1e6),
                end=int(window.end * 1e6),
                limit=TRACES_PER_PAGE,
            )
        )
        if len(answer["data"]) >= TRACES_PER_PAGE:
            first, second = window.halves()
            return self.spans(service, first) | self.spans(service, second)
        return {(span.trace_id, span.span_id): span for span in self._spans(answer)}

    def monitor(self, kind: str, service: str, **parameters: object) -> list[float]:
        """The values of one of the Monitor tab's curves: `calls`, `errors` or `latencies`."""
        answer = json.loads(
            get(
                f"{self.url}/api/metrics/{kind}",
                service=service,
                spanKind="server",
                endTs=int(time.time() * 1000),
                lookback=300_000,
                step=5_000,
                ratePer=60_000,
                **parameters,
            )
        )
        points = [point for metric in answer.get("metrics", []) for point in metric["metricPoints"]]
        return [float(point["gaugeValue"]["doubleValue"]) for point in points]

    def dependencies(self) -> set[tuple[str, str]]:
        """The service map: who calls whom."""
        answer = json.loads(
            get(f"{self.url}/api/dependencies", endTs=int(time.time() * 1000), lookback=3_600_000)
        )
        return {(link["parent"], link["child"]) for link in answer["data"]}

    @staticmethod
    def _spans(answer: Json) -> list[Span]:
        return [
            _span(span, trace["processes"][span["processID"]])
            for trace in answer["data"]
            for span in trace["spans"]
        ]


def _span(span: Json, process: Json) -> Span:
    return Span(
        trace_id=span["traceID"],
        span_id=span["spanID"],
        parent_id=span["references"][0]["spanID"] if span["references"] else None,
        service=process["serviceName"],
        instance=_values(process["tags"]).get("service.instance.id"),
        name=span["operationName"],
        attributes=_values(span["tags"]),
    )


def _values(tags: Json) -> dict[str, Json]:
    return {tag["key"]: tag["value"] for tag in tags}


@dataclass(frozen=True)
class Prometheus:
    """https://prometheus.io/docs/prometheus/latest/querying/api/"""

    url: str

    def series(self, query: str) -> list[Json]:
        """What an instant query finds: each with `metric` and `value`, or `values` for a range in brackets."""
        found: list[Json] = json.loads(get(f"{self.url}/api/v1/query", query=query))["data"]["result"]
        return found

    def value(self, query: str) -> float:
        """The one number of a query, 0 where nothing is found."""
        found = self.series(query)
        return float(found[0]["value"][1]) if found else 0.0

    def exemplars(self, query: str, window: Window) -> list[Json]:
        """The exemplars of all series that the query finds."""
        answer = json.loads(
            get(f"{self.url}/api/v1/query_exemplars", query=query, start=window.start, end=window.end)
        )
        return [exemplar for series in answer["data"] for exemplar in series["exemplars"]]


@dataclass(frozen=True)
class Logs:
    """https://docs.victoriametrics.com/victorialogs/querying/"""

    url: str

    def find(self, query: str, window: Window | None = None, limit: int = 100_000) -> list[dict[str, str]]:
        """The records that a LogsQL query finds, each record once."""
        body = get(
            f"{self.url}/select/logsql/query",
            query=query,
            limit=limit,
            start=window and window.start,
            end=window and window.end,
        )
        return [json.loads(line) for line in sorted(set(body.splitlines())) if line]


@dataclass(frozen=True)
class Collector:
    """The collector's own metrics page."""

    url: str

    def queued(self) -> dict[str, float]:
        """How many items wait in each exporter's queue."""
        lines = get(f"{self.url}/metrics").decode().splitlines()
        rows = [line for line in lines if line.startswith("otelcol_exporter_queue_size{")]
        return {row.split('exporter="')[1].split('"')[0]: float(row.rsplit(" ", 1)[1]) for row in rows}
