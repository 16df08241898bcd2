"""What is particular to requests and to urllib3 below it, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import requests
import urllib3
from opentelemetry.trace import SpanKind
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase, HTTPDigestAuth

from otel_kit.instrument import requests as requests_file
from otel_kit.instrument import urllib3 as urllib3_file
from otel_kit.testing.capture import Captured, capture
from tests.instrument.service import Service, closed_port, serving


@pytest.fixture(scope="module")
def far() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture
def seen(far: Service) -> Iterator[Captured]:
    far.asked.clear()
    with capture() as captured:
        requests_file.instrument()
        urllib3_file.instrument()
        yield captured
        requests_file.undo()
        urllib3_file.undo()


def resends(span: Any) -> list[dict[str, Any]]:
    return [dict(event.attributes) for event in span.events if event.name == "otel_kit.http.resend"]


def client(seen: Captured) -> Any:
    (span,) = [span for span in seen.spans if span.kind is SpanKind.CLIENT]
    return span


def retrying(**kwargs: Any) -> urllib3.Retry:
    return urllib3.Retry(total=3, status_forcelist=[503], backoff_factor=0, **kwargs)


def test_retries_of_an_adapter_are_events(far: Service, seen: Captured) -> None:
    """A call that was answered at the third attempt looks like one that was answered at once."""
    with requests.Session() as session:
        session.mount("http://", HTTPAdapter(max_retries=retrying()))
        assert session.get(f"{far.url}/flaky").status_code == 200
    span = client(seen)
    assert span.attributes["http.request.resend_count"] == 2
    assert [event["http.response.status_code"] for event in resends(span)] == [503, 503]
    assert span.attributes["http.response.status_code"] == 200


def test_retries_of_a_pool_are_events(far: Service, seen: Captured) -> None:
    """The same for a call by urllib3 itself, on a connection pool."""
    with urllib3.HTTPConnectionPool("127.0.0.1", int(far.url.rpartition(":")[2])) as pool:
        assert pool.request("GET", "/flaky", retries=retrying()).status == 200
    span = client(seen)
    assert span.attributes["url.full"] == f"{far.url}/flaky"
    assert [event["http.response.status_code"] for event in resends(span)] == [503, 503]


def test_retries_that_did_not_help_are_events(far: Service, seen: Captured) -> None:
    """How often a service was tried that could not be reached is nowhere."""
    with pytest.raises(urllib3.exceptions.MaxRetryError), urllib3.PoolManager() as pool:
        pool.request("GET", f"http://127.0.0.1:{closed_port()}/", retries=retrying())
    span = client(seen)
    assert span.attributes["http.request.resend_count"] == 3
    assert {event["error.type"] for event in resends(span)} == {"urllib3.exceptions.NewConnectionError"}


def test_a_digest_login_is_one_call(far: Service, seen: Captured) -> None:
    """The request that is made again with a password is a call of its own, or not counted."""
    with requests.Session() as session:
        assert session.get(f"{far.url}/login", auth=HTTPDigestAuth("mary", "x")).status_code == 200
    assert client(seen).attributes["http.request.resend_count"] == 1


def test_a_call_for_a_call_is_a_call(far: Service, seen: Captured) -> None:
    """What an authentication asks of another service is hidden in the call that needs it."""

    class Token(AuthBase):
        def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
            request.register_hook("response", self.after)
            return request

        def after(self, response: requests.Response, **_: Any) -> requests.Response:
            requests.head(f"{far.url}/ok")
            return response

    requests.get(f"{far.url}/ok", auth=Token())
    inner, outer = seen.spans
    assert (inner.name, inner.parent.span_id) == ("HEAD", outer.context.span_id)
    assert outer.name == "GET"


def test_a_streamed_body_does_not_hold_the_span(far: Service, seen: Captured) -> None:
    """The span of a response that is never read to its end never ends."""
    with requests.Session() as session, session.get(f"{far.url}/ok", stream=True) as response:
        assert client(seen).attributes["http.response.status_code"] == 200
        assert response.content


def test_headers_by_position_reach_the_service(far: Service, seen: Captured) -> None:
    """A caller that hands urllib3 its headers by position loses them, or finds ours among them later."""
    mine = {"X-Mine": "1"}
    with urllib3.HTTPConnectionPool("127.0.0.1", int(far.url.rpartition(":")[2])) as pool:
        pool.urlopen("GET", "/ok", None, mine)
        pool.urlopen("GET", "/ok", None, None)
    assert [headers.get("x-mine") for headers in far.headers()] == ["1", None]
    assert all("traceparent" in headers for headers in far.headers())
    assert mine == {"X-Mine": "1"}
    assert pool.headers == {}
