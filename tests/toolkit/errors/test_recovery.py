"""What a program did about an error: retries, fallbacks, degradations."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from typing import Any

import pytest
import urllib3

import otel_kit
from otel_kit import OtelKitError, semconv
from otel_kit.context import tally
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.errors import degraded, fallback, recovered, retried
from otel_kit.toolkit.errors.degradation import MOST, _States


@pytest.fixture(autouse=True)
def nothing_degraded() -> Iterator[None]:
    _States.by_name.clear()
    yield
    _States.by_name.clear()


def points(captured: Captured, metric: str, *names: str) -> dict[tuple[Any, ...], Any]:
    found = captured.metrics.get(metric)
    data: Any = found.data.data_points if found else ()
    return {tuple(point.attributes.get(name) for name in names): point.value for point in data}


def events(captured: Captured, name: str) -> list[dict[str, Any]]:
    return [
        dict(event.attributes or {}) for span in captured.spans for event in span.events if event.name == name
    ]


def test_a_retry_is_an_event_and_counted() -> None:
    """A retry is missing from the span or from the counter, or its reason is."""
    with capture() as captured, tally.Tally() as counted:
        before = points(captured, semconv.METRIC_RETRIES, semconv.RETRY_NAME).get(("search",), 0)
        with otel_kit.span("order"):
            try:
                raise TimeoutError
            except TimeoutError:
                retried("search", attempt=1, wait=0.5)
        names = (semconv.RETRY_NAME, semconv.ERROR_TYPE, semconv.ERROR_CATEGORY)
        found = points(captured, semconv.METRIC_RETRIES, *names)
        assert found["search", "TimeoutError", "timeout"] == before + 1
        (event,) = events(captured, semconv.EVENT_RETRY)
    assert event == {
        semconv.RETRY_NAME: "search",
        semconv.ERROR_TYPE: "TimeoutError",
        semconv.ERROR_CATEGORY: "timeout",
        semconv.RETRY_ATTEMPT: 1,
        semconv.RETRY_WAIT: 0.5,
    }
    assert counted.counts["retry"] == 1


def test_it_is_a_hook_for_tenacity() -> None:
    """What tenacity hands to ``before_sleep`` makes no retry, or one without function, attempt, wait or error."""

    def load() -> None:
        """Is tried again."""

    outcome: Any = Future()
    outcome.set_exception(ConnectionError("gone"))
    outcome.failed = True
    with capture() as captured:
        with otel_kit.span("order"):
            retried(SimpleNamespace(fn=load, outcome=outcome, attempt_number=2, upcoming_sleep=1.5))
        (event,) = events(captured, semconv.EVENT_RETRY)
    assert event[semconv.RETRY_NAME].endswith("load")
    assert (event[semconv.RETRY_ATTEMPT], event[semconv.RETRY_WAIT]) == (2, 1.5)
    assert event[semconv.ERROR_CATEGORY] == "network"


def test_with_tenacity_itself() -> None:
    """tenacity's own retries, in functions, coroutines or blocks, are not told."""
    tenacity = pytest.importorskip("tenacity")
    calls: list[int] = []

    @tenacity.retry(before_sleep=retried, stop=tenacity.stop_after_attempt(3), wait=tenacity.wait_none())
    def load() -> int:
        calls.append(1)
        if len(calls) < 3:
            raise ConnectionError
        return len(calls)

    with capture() as captured:
        with otel_kit.span("order"):
            assert load() == 3
        assert [event[semconv.RETRY_ATTEMPT] for event in events(captured, semconv.EVENT_RETRY)] == [1, 2]


class Failing(BaseHTTPRequestHandler):
    left = 2

    def do_GET(self) -> None:
        type(self).left -= 1
        self.send_response(503 if self.left >= 0 else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_retries_of_urllib3_are_counted() -> None:
    """What urllib3's Retry tries again is missing from the counter or from the operation's counts."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Failing) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with capture(instrument=["urllib3"]) as captured, tally.Tally() as counted:
                before = points(captured, semconv.METRIC_RETRIES, semconv.ERROR_TYPE).get(("503",), 0)
                policy = urllib3.Retry(3, status_forcelist=[503], backoff_factor=0)
                with urllib3.PoolManager() as pool:
                    answer = pool.request("GET", f"http://127.0.0.1:{server.server_port}/", retries=policy)
                assert answer.status == 204
                assert points(captured, semconv.METRIC_RETRIES, semconv.ERROR_TYPE)["503",] == before + 2
        finally:
            server.shutdown()
            thread.join()
    assert counted.counts["retry"] == 2


def test_a_fallback_is_an_event_and_counted() -> None:
    """A fallback is missing from the span or the counter, or what failed is."""
    with capture() as captured:
        before = points(captured, semconv.METRIC_FALLBACKS, semconv.FALLBACK_NAME).get(("cache",), 0)
        with otel_kit.span("order"):
            fallback("cache", error=PermissionError())
            fallback("default")
        found = points(captured, semconv.METRIC_FALLBACKS, semconv.FALLBACK_NAME)
        assert found["cache",] == before + 1
        assert [event.get(semconv.ERROR_CATEGORY) for event in events(captured, semconv.EVENT_FALLBACK)] == [
            "authorization",
            None,
        ]


def test_what_is_degraded_shows_until_it_has_recovered() -> None:
    """The gauge, the event or the record of a degradation is missing, or stays when it is over."""
    gauge = (semconv.METRIC_DEGRADED, semconv.DEGRADED_NAME)
    with capture() as captured:
        with otel_kit.span("search"), degraded("search", "index is being built"):
            assert points(captured, *gauge) == {("search",): 1}
        assert points(captured, *gauge) == {("search",): 0}
        begin, end = captured.logs
        names = [event.name for event in captured.span("search").events]
    assert (begin.severity_text, begin.event_name, begin.body) == (
        "WARN",
        semconv.EVENT_DEGRADED,
        "degraded: search: index is being built",
    )
    assert (end.severity_text, end.event_name) == ("INFO", semconv.EVENT_RECOVERED)
    assert end.attributes[semconv.DEGRADED_DURATION] >= 0
    assert names == [semconv.EVENT_DEGRADED, semconv.EVENT_RECOVERED]
    assert begin.scope == __name__


def test_without_a_block_it_lasts_until_somebody_says_so() -> None:
    """Telling it again makes it begin again, or recovered() does not end it, or ends what never began."""
    with capture() as captured:
        for reason in ("slow", "slower", "slowest"):
            degraded("search", reason)
        recovered("mail")
        recovered("search")
        recovered("search")
        handle = degraded("mail", "queue is full")
        handle.recovered()
        told = [(log.event_name, log.attributes[semconv.DEGRADED_NAME]) for log in captured.logs]
        reasons = [log.attributes[semconv.DEGRADED_REASON] for log in captured.logs[:2]]
    assert told == [
        (semconv.EVENT_DEGRADED, "search"),
        (semconv.EVENT_RECOVERED, "search"),
        (semconv.EVENT_DEGRADED, "mail"),
        (semconv.EVENT_RECOVERED, "mail"),
    ]
    assert reasons == ["slow", "slowest"]


def test_blocks_at_the_same_time_hold_it_together() -> None:
    """The first of two blocks to end recovers what the other one still holds; or a block ends what was told without one."""
    gauge = (semconv.METRIC_DEGRADED, semconv.DEGRADED_NAME)
    with capture() as captured:
        with degraded("search", "a"):
            with degraded("search", "b"):
                """Both hold it."""
            assert points(captured, *gauge)["search",] == 1
        assert points(captured, *gauge)["search",] == 0
        degraded("search", "c")
        with degraded("search", "d"):
            """Holds it, too."""
        assert points(captured, *gauge)["search",] == 1
        recovered("search")
        assert points(captured, *gauge)["search",] == 0


def test_an_exception_passes_through_a_degraded_block() -> None:
    """A degraded block swallows an exception, or stays degraded after it."""
    with capture():
        with pytest.raises(ValueError, match="x"), degraded("search", "a"):
            raise ValueError("x")
        assert not _States.by_name["search"].holders


def test_degradations_are_bounded() -> None:
    """Names made up by a program fill the memory."""
    with capture(log_level="error"):
        for number in range(3 * MOST):
            degraded(f"search {number}", "a")
    assert len(_States.by_name) <= MOST


def test_off_nothing_is_told() -> None:
    """With the part off, or without telemetry, something is told, held, or raised."""
    with capture(disabled_toolkit=["errors"]) as captured:
        with otel_kit.span("order"), degraded("search", "a"):
            fallback("cache")
            retried("search")
            recovered("search")
        assert not captured.logs
        assert not captured.span("order").events
    with contextlib.suppress(ValueError), degraded("search", "a"):
        raise ValueError
    assert not _States.by_name


@pytest.mark.parametrize(
    ("call", "valid"),
    [
        (lambda: retried(7), "a text, or tenacity's RetryCallState"),
        (lambda: fallback(""), "a text"),
        (lambda: degraded("", "a"), "a text"),
        (lambda: degraded("search", None), "a text"),  # type: ignore[arg-type]
    ],
)
def test_wrong_arguments_are_named(call: Any, valid: str) -> None:
    """A wrong argument is taken in silence, or the message does not say what is valid."""
    with capture(), pytest.raises(OtelKitError, match=valid):
        call()
