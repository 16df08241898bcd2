"""Metric points on the console, one line each, for ``OTEL_METRICS_EXPORTER=console``."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO, Any

from opentelemetry.sdk.metrics.export import Metric, MetricExporter, MetricExportResult, MetricsData

from otel_kit import _guard
from otel_kit.export.console.colors import Colors
from otel_kit.export.console.columns import TEXT_WIDTH, line, short_name
from otel_kit.export.console.escape import escaped, escaped_json
from otel_kit.export.console.output import Output, Style
from otel_kit.export.console.times import iso
from otel_kit.export.console.values import as_json, pairs

_FIGURES = ("value", "count", "sum", "min", "max")


class ConsoleMetricExporter(MetricExporter):
    """Shows each point of a collection as a line.

    Args:
        style: ``pretty``, ``json``, or ``auto``: pretty on a terminal, else json.
        stream: where to; by default ``sys.stderr`` as it is at each write.
    """

    def __init__(self, style: Style = "auto", stream: IO[str] | None = None) -> None:
        super().__init__()
        self._output = Output(style, stream)

    def export(
        self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any
    ) -> MetricExportResult:
        """Write all points; one that cannot be written costs itself only."""
        for scope, metric, point in points(metrics_data):
            self._show(scope, metric, point)
        return MetricExportResult.SUCCESS

    def _show(self, scope: str, metric: Metric, point: Any) -> None:
        try:
            self._output.write(
                lambda colors: pretty(scope, metric, point, colors),
                lambda: json(scope, metric, point),
            )
        except Exception as error:
            _guard.contained("console.metrics", error)

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Every line is written at once."""
        return True


def points(data: MetricsData) -> Iterator[tuple[str, Metric, Any]]:
    """Each point with its metric and the name of its scope."""
    for resource_metrics in data.resource_metrics:
        for scope_metrics in resource_metrics.scope_metrics:
            for metric in scope_metrics.metrics:
                for point in metric.data.data_points:
                    yield scope_metrics.scope.name, metric, point


def pretty(scope: str, metric: Metric, point: Any, colors: Colors) -> str:
    """A point for people: its figures with their unit, and its attributes."""
    figures = _figures(point)
    unit = f" {escaped(metric.unit)}" if metric.unit and metric.unit != "1" else ""
    value = figures.pop("value", None)
    told = f"{_short(value)}{unit}" if value is not None else _summary(figures, unit)
    attributes = pairs(point.attributes.items(), colors) if point.attributes else ""
    return line(
        point.time_unix_nano,
        "POINT",
        colors.level(9),
        scope,
        short_name(metric.name, TEXT_WIDTH),
        f"{told:<20} {attributes}".rstrip(),
        colors,
    )


def _figures(point: Any) -> dict[str, Any]:
    return {name: figure for name in _FIGURES if (figure := getattr(point, name, None)) is not None}


def _summary(figures: dict[str, Any], unit: str) -> str:
    count = figures.get("count", 0)
    told = {"n": count}
    if count and "sum" in figures:
        told["mean"] = figures["sum"] / count
    told.update({name: figures[name] for name in ("min", "max") if name in figures})
    return " ".join(f"{name}={_short(figure)}" for name, figure in told.items()) + unit


def _short(number: float) -> str:
    return f"{number:,}" if isinstance(number, int) else f"{number:.6g}"


def json(scope: str, metric: Metric, point: Any) -> str:
    """A point for programs: one line of JSON; what it does not have is left out."""
    fields: dict[str, Any] = {
        "timestamp": iso(point.time_unix_nano),
        "metric": metric.name,
        "unit": metric.unit or None,
        "scope": scope,
        **_figures(point),
        "bounds": list(getattr(point, "explicit_bounds", ())) or None,
        "buckets": list(getattr(point, "bucket_counts", ())) or None,
        "attributes": dict(point.attributes) if point.attributes else None,
    }
    return escaped_json(as_json({key: value for key, value in fields.items() if value is not None}))
