"""The metrics reader: collects at an interval, and hands each metric to the batchers of the endpoints.

Its thread collects; the batchers' threads deliver. While all endpoints are so far behind that ``MOST_POINTS`` wait, it does not
collect: sums and histograms go on in the instruments, so that an outage costs resolution and not counts.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_kit import _guard
from otel_kit._imports import importing
from otel_kit.export.batch import LONGEST_SLEEP, Batcher

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import Metric, MetricsData

MOST_POINTS = 20_000


class Item(NamedTuple):
    """One metric with what it belongs to, and the number of its data points."""

    resource: Any
    resource_schema: str
    scope: Any
    scope_schema: str
    metric: Metric
    points: int


def unpack(data: MetricsData) -> Iterator[Item]:
    """Take a collection apart, so that one bad metric costs one metric."""
    for resource in data.resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                points = len(metric.data.data_points)
                yield Item(
                    resource.resource,
                    resource.schema_url,
                    scope.scope,
                    scope.schema_url or "",
                    metric,
                    points,
                )


def pack(items: Sequence[Item]) -> MetricsData:
    """Put items together again as the encoder wants them."""
    from opentelemetry.sdk.metrics.export import MetricsData, ResourceMetrics, ScopeMetrics

    resources: dict[Any, dict[Any, list[Item]]] = {}
    for item in items:
        scopes = resources.setdefault((item.resource, item.resource_schema), {})
        scopes.setdefault((item.scope, item.scope_schema), []).append(item)
    return MetricsData(
        [
            ResourceMetrics(
                resource,
                [
                    ScopeMetrics(scope, [item.metric for item in found], url)
                    for (scope, url), found in scopes.items()
                ],
                schema,
            )
            for (resource, schema), scopes in resources.items()
        ]
    )


def points_of(item: Item) -> int:
    """What a metric counts in the ledger."""
    return item.points


class Collector:
    """Collects every ``interval`` seconds and on request, in a thread of its own.

    Args:
        batchers: one for each endpoint.
        collect: gives what the instruments hold, or None, within the seconds that it is given.
        interval: seconds between collections.
        timeout: longest time for the callbacks of observable instruments, in seconds.
        clean: makes a collection fit for the encoder.
        prepare: imports what a collection needs; called once, in the thread.
    """

    def __init__(
        self,
        batchers: Sequence[Batcher[Item]],
        collect: Callable[[float], MetricsData | None],
        *,
        interval: float,
        timeout: float,
        clean: Callable[[MetricsData], MetricsData],
        prepare: Callable[[], object] = lambda: None,
    ) -> None:
        self._batchers, self._collect, self._clean = tuple(batchers), collect, clean
        self._interval, self._timeout = interval, timeout
        self._prepare, self._prepared = prepare, False
        self.renew()

    def renew(self) -> None:
        """No thread, fresh locks (also: a forked child)."""
        self._stopped = False
        self._wake = threading.Event()
        self._starting = threading.Lock()
        self._done = threading.Condition()
        self._asked = self._answered = self._failed = 0
        self._thread: threading.Thread | None = None

    def start(self) -> bool:
        """Start the thread; False where the interpreter starts no more threads."""
        with self._starting:
            if self._thread is None:
                thread = threading.Thread(target=self._run, name="otel_kit metrics reader", daemon=True)
                try:
                    thread.start()
                except RuntimeError:
                    return False
                self._thread = thread
        return True

    def ask(self) -> int:
        """Ask for a collection now; :meth:`wait` for it with the number returned."""
        with self._done:
            self._asked += 1
            asked = self._asked
        self._wake.set()
        return asked

    def wait(self, asked: int, deadline: float) -> bool:
        """Wait for that collection until ``deadline`` (``time.monotonic()``); False if it failed or did not come."""
        if not self.start():
            return self._collect_now()
        with self._done:
            came = self._done.wait_for(lambda: self._answered >= asked, deadline - time.monotonic())
            return came and self._failed < asked

    def stop(self) -> None:
        """Let the thread end."""
        self._stopped = True
        self._wake.set()

    def _run(self) -> None:
        # A context of its own: exemplars and callbacks have nothing to do with whoever called init_telemetry.
        contextvars.Context().run(self._loop)

    def _loop(self) -> None:
        due = time.monotonic() + self._interval
        while not self._stopped:
            asked = self._asked
            if asked == self._answered and time.monotonic() < due:
                self._wake.wait(min(due - time.monotonic(), LONGEST_SLEEP))
                self._wake.clear()
                continue
            wanted = asked > self._answered
            done = self._collect_now() if wanted or not self._behind() else True
            due = time.monotonic() + self._interval
            with self._done:
                self._answered = asked
                self._failed = self._failed if done else asked
                self._done.notify_all()

    def _import(self) -> None:
        # Nothing else here: a callback of the program may hang, and with it would every other import of ours, and a fork.
        with importing():
            self._prepare()
            pack(())
        self._prepared = True

    def _behind(self) -> bool:
        return bool(self._batchers) and all(b.ledger.waiting >= MOST_POINTS for b in self._batchers)

    def _collect_now(self) -> bool:
        try:
            if not self._prepared:
                self._import()
            data = self._collect(self._timeout)
            for item in unpack(self._clean(data)) if data is not None else ():
                for batcher in self._batchers:
                    batcher.put(item, item.points)
        except BaseException as error:  # a callback of the program, also SystemExit
            _guard.contained("metrics.collect", error)
            return False
        return True
