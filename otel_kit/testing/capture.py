"""Everything that a block emits, in memory, behind the whole pipeline."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_kit import toolkit  # noqa: F401 (exceptions are described from now on, as after init_telemetry)
from otel_kit.setup import capturing

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric
    from opentelemetry.sdk.trace import ReadableSpan


class Log(NamedTuple):
    """One log record as it would have been sent.

    Attributes:
        body: the event's text.
        attributes: its key-values, those of the exception and the context ids included.
        severity_number, severity_text: as OpenTelemetry counts, and as the program says.
        event_name: where the record has one.
        trace_id, span_id: of the span that it was emitted in, 0 for none.
        scope: the logger's name.
        timestamp: nanoseconds since the epoch.
        exception: the exception itself, where there is one.
    """

    body: Any
    attributes: Mapping[str, Any]
    severity_number: int
    severity_text: str
    event_name: str
    trace_id: int
    span_id: int
    scope: str
    timestamp: int
    exception: BaseException | None


class Captured:
    """What was emitted so far. Each look first waits until everything has passed the pipeline."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: dict[str, list[Any]] = {"traces": [], "metrics": [], "logs": []}

    @property
    def spans(self) -> list[ReadableSpan]:
        """Ended spans, in the order in which they ended."""
        return self._settled("traces")

    @property
    def logs(self) -> list[Log]:
        """Log records, in the order in which they were emitted."""
        return [_log(item) for item in self._settled("logs")]

    @property
    def metrics(self) -> dict[str, Metric]:
        """Each metric by its name, as collected now; its figures are in ``.data.data_points``."""
        return {item.metric.name: item.metric for item in self._settled("metrics")}

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name.

        Raises:
            LookupError: there is none, or more than one; the message says which there are.
        """
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            names = ", ".join(sorted(span.name for span in self.spans)) or "none at all"
            raise LookupError(f"{len(found)} spans are named {name!r}; there are: {names}")
        return found[0]

    def clear(self) -> None:
        """Forget what was emitted so far; sums of metrics go on."""
        capturing.flush()
        with self._lock:
            for items in self._items.values():
                items.clear()

    def _settled(self, signal: str) -> list[Any]:
        capturing.flush()
        with self._lock:
            return list(self._items[signal])

    def _take(self, signal: str, items: Sequence[Any]) -> None:
        with self._lock:
            self._items[signal].extend(items)


@contextlib.contextmanager
def capture(service_name: str = "test", **settings: Any) -> Iterator[Captured]:
    """Hold everything that is emitted inside the block in memory; nothing is sent anywhere.

    The telemetry that was set up before goes on after the block. Environment variables and pyproject.toml are not read; console,
    process metrics and instrumentation are off unless the settings turn them on.

    Args:
        service_name: as for ``init_telemetry``.
        settings: as for ``init_telemetry``.
    """
    captured = Captured()
    with capturing.into(captured._take, service_name, settings):
        yield captured


def _log(item: Any) -> Log:
    record, scope = item.log_record, item.instrumentation_scope
    return Log(
        body=record.body,
        attributes=dict(record.attributes or {}),
        severity_number=record.severity_number.value if record.severity_number else 0,
        severity_text=record.severity_text or "",
        event_name=record.event_name or "",
        trace_id=record.trace_id or 0,
        span_id=record.span_id or 0,
        scope=scope.name if scope else "",
        timestamp=record.timestamp or record.observed_timestamp or 0,
        exception=record.exception,
    )
