"""What every HTTP client tells about its calls, against a real server: requests, httpx in both ways, urllib3, aiohttp."""

from __future__ import annotations

import asyncio
import contextvars
import importlib.util
import logging
from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest
from opentelemetry import context, propagate, trace
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace import SpanKind, StatusCode

import otel_kit
from otel_kit import _guard
from otel_kit.instrument import _client_choice
from otel_kit.instrument._client_choice import Client
from otel_kit.instrument._client_template import url_template
from otel_kit.testing.capture import Captured, capture
from tests.instrument.service import Service, closed_port, serving

Get = Callable[..., int]
TIMEOUT = 0.3


def by_requests(url: str, method: str = "GET", follow: bool = True, **kwargs: Any) -> int:
    import requests

    with requests.Session() as session:
        return session.request(method, url, timeout=TIMEOUT, allow_redirects=follow, **kwargs).status_code


def by_httpx(url: str, method: str = "GET", follow: bool = True, **kwargs: Any) -> int:
    import httpx

    with httpx.Client(timeout=TIMEOUT, follow_redirects=follow, trust_env=False) as client:
        return client.request(method, url, **kwargs).status_code


def by_httpx_async(url: str, method: str = "GET", follow: bool = True, **kwargs: Any) -> int:
    import httpx

    async def get() -> int:
        async with httpx.AsyncClient(timeout=TIMEOUT, follow_redirects=follow, trust_env=False) as client:
            return (await client.request(method, url, **kwargs)).status_code

    return asyncio.run(get())


def by_urllib3(url: str, method: str = "GET", follow: bool = True, **kwargs: Any) -> int:
    import urllib3

    with urllib3.PoolManager() as pool:
        retries = urllib3.Retry(connect=0, read=0, redirect=5 if follow else False)
        return pool.request(method, url, timeout=TIMEOUT, retries=retries, **kwargs).status


def by_aiohttp(url: str, method: str = "GET", follow: bool = True, **kwargs: Any) -> int:
    import aiohttp

    async def get() -> int:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT)
        async with (
            aiohttp.ClientSession(timeout=timeout) as session,
            session.request(method, url, allow_redirects=follow, **kwargs) as response,
        ):
            await response.read()
            return response.status

    return asyncio.run(get())


CLIENTS: dict[str, tuple[str, Get]] = {
    "requests": ("requests", by_requests),
    "httpx": ("httpx", by_httpx),
    "httpx-async": ("httpx", by_httpx_async),
    "urllib3": ("urllib3", by_urllib3),
    "aiohttp": ("aiohttp", by_aiohttp),
}


@pytest.fixture(scope="module")
def far() -> Iterator[Service]:
    with serving() as service:
        yield service


@pytest.fixture(params=CLIENTS)
def get(request: pytest.FixtureRequest, far: Service) -> Iterator[Get]:
    library, call = CLIENTS[request.param]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    far.asked.clear()
    files = [import_module(f"otel_kit.instrument.{name}") for name in {library, "urllib3"}]
    for file in files:
        file.instrument()
    yield call
    for file in files:
        file.undo()
    _client_choice.use(Client())


@pytest.fixture
def seen() -> Iterator[Captured]:
    with capture() as captured:
        yield captured


def clients(seen: Captured) -> list[Any]:
    return [span for span in seen.spans if span.kind is SpanKind.CLIENT]


def durations(seen: Captured) -> list[Any]:
    return list(seen.metrics["http.client.request.duration"].data.data_points)


def events(span: Any, name: str) -> list[dict[str, Any]]:
    return [dict(event.attributes) for event in span.events if event.name == name]


def test_a_call_is_one_span_and_one_duration(get: Get, far: Service, seen: Captured) -> None:
    """A call has no span, two of them, other attributes than the conventions', or no duration with its exemplar."""
    with otel_kit.get_tracer(__name__).start_as_current_span("work"):
        assert get(f"{far.url}/ok?page=2") == 200
    (point,) = durations(seen)  # first: exemplars are told once
    (span,) = clients(seen)
    port = int(far.url.rpartition(":")[2])
    assert span.name == "GET"
    assert dict(span.attributes) == {
        "http.request.method": "GET",
        "url.full": f"{far.url}/ok?page=2",
        "server.address": "127.0.0.1",
        "server.port": port,
        "http.response.status_code": 200,
        "network.protocol.version": "1.1",
    }
    assert span.status.status_code is StatusCode.UNSET
    assert span.parent.span_id == seen.span("work").context.span_id
    assert (
        far.headers()[0]["traceparent"] == f"00-{span.context.trace_id:032x}-{span.context.span_id:016x}-03"
    )
    assert point.count == 1
    assert point.explicit_bounds[:3] == (0.005, 0.01, 0.025)
    assert [exemplar.span_id for exemplar in point.exemplars] == [span.context.span_id]


def test_an_ephemeral_port_makes_no_series_of_its_own(get: Get, far: Service, seen: Captured) -> None:
    """Each start of a server on a port that the system chose makes a new series."""
    get(f"{far.url}/ok")
    (point,) = durations(seen)
    assert dict(point.attributes) == {
        "http.request.method": "GET",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }


def test_a_refusal_by_the_service_is_an_error(get: Get, far: Service, seen: Captured) -> None:
    """A call that was answered with 404 or 503 looks as if it had gone well."""
    assert get(f"{far.url}/ok?status=404") == 404
    (span,) = clients(seen)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == "404"
    assert durations(seen)[0].attributes["error.type"] == "404"


@pytest.mark.parametrize("path", ["/slow", "/broken", None])
def test_a_call_that_fails_says_why_but_logs_nothing(
    get: Get, far: Service, seen: Captured, path: str | None
) -> None:
    """A failure is invisible, or one that the program deals with is an ERROR record all the same."""
    careful = otel_kit.get_tracer(__name__).start_as_current_span("careful")
    with careful, pytest.raises(Exception) as raised:  # noqa: PT011  (each client has its own)
        get(f"{far.url}{path}" if path else f"http://127.0.0.1:{closed_port()}/")
    (span,) = clients(seen)
    kind = f"{type(raised.value).__module__}.{type(raised.value).__qualname__}".removeprefix("builtins.")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == kind
    assert [event["exception.type"] for event in events(span, "exception")] == [kind]
    assert durations(seen)[0].attributes["error.type"] == kind
    assert seen.logs == []


def test_a_failure_that_nobody_deals_with_is_told_once(get: Get, seen: Captured) -> None:
    """An exception that leaves the program's own span has no log record, or two."""
    careless = otel_kit.get_tracer(__name__).start_as_current_span("careless")
    with pytest.raises(Exception), careless:  # noqa: B017, PT011
        get(f"http://127.0.0.1:{closed_port()}/")
    assert [(log.event_name, log.severity_text) for log in seen.logs] == [("exception", "ERROR")]
    assert seen.logs[0].span_id == seen.span("careless").context.span_id


def test_a_redirect_is_part_of_its_call(get: Get, far: Service, seen: Captured) -> None:
    """A redirect makes a second span, is invisible, or loses the trace."""
    assert get(f"{far.url}/redirect?to={far.other}/ok") == 200
    (span,) = clients(seen)
    assert span.attributes["http.request.resend_count"] == 1
    assert span.attributes["url.full"].startswith(f"{far.url}/redirect?to=")
    assert events(span, "otel_kit.http.resend") == [
        {"http.request.resend_count": 1, "http.response.status_code": 302, "url.full": f"{far.other}/ok"}
    ]
    assert len({headers["traceparent"] for headers in far.headers()}) == 1
    assert [path for path, _ in far.asked] == ["/redirect", "/ok"]


def test_trace_and_ids_go_only_where_they_may(get: Get, far: Service, seen: Captured) -> None:
    """A host that is not on the list is sent the trace or ids, also by a redirect, or one that is on it is not."""
    _client_choice.use(Client(propagate_to=("localhost", "*.internal")))
    with otel_kit.bind(request_id="r-7"):
        get(f"{far.url}/ok")
        get(f"{far.other}/ok")
        get(f"{far.other}/redirect?to={far.url}/ok")
        get(f"{far.url}/redirect?to={far.other}/ok")
    sent = ["traceparent" in headers for headers in far.headers()]
    assert sent == [False, True, True, False, False, True]
    assert ["x-request-id" in headers for headers in far.headers()] == sent


def test_the_program_s_own_request_id_is_left_alone(get: Get, far: Service, seen: Captured) -> None:
    """An id that the program sends by itself is replaced by ours, or its own headers are changed."""
    mine = {"X-Request-ID": "mine"}
    with otel_kit.bind(request_id="r-7"):
        get(f"{far.url}/ok", headers=mine)
        get(f"{far.url}/ok")
    assert [headers["x-request-id"] for headers in far.headers()] == ["mine", "r-7"]
    assert mine == {"X-Request-ID": "mine"}


def test_user_and_password_of_a_url_stay_home(get: Get, far: Service, seen: Captured) -> None:
    """A password in a URL is on the span."""
    secret = "-".join(["not", "for", "you"])
    get(far.url.replace("//", f"//mary:{secret}@") + "/ok")
    (span,) = clients(seen)
    assert secret not in repr(dict(span.attributes))
    assert "mary" not in repr(dict(span.attributes))
    assert span.attributes["server.address"] == "127.0.0.1"
    assert span.attributes["url.full"].endswith("@" + far.url.removeprefix("http://") + "/ok")


def test_chosen_headers_are_recorded(get: Get, far: Service, seen: Captured) -> None:
    """A header that was not chosen is recorded, or one that was is not."""
    _client_choice.use(Client(request_headers=("x-tenant",), response_headers=("x-.*",)))
    get(f"{far.url}/ok", headers={"X-Tenant": "blue", "X-Other": "no"})
    (span,) = clients(seen)
    headers = {name: value for name, value in span.attributes.items() if ".header." in name}
    assert headers == {
        "http.request.header.x-tenant": ("blue",),
        "http.response.header.x-shard": ("7",),
        "http.response.header.x-part": headers["http.response.header.x-part"],
    }
    assert ", ".join(headers["http.response.header.x-part"]) == "a, b"


def test_a_template_names_the_call(get: Get, far: Service, seen: Captured) -> None:
    """A template that the program knows is not in the name and the metric, or holds for calls after the block."""
    with url_template("/{what}"):
        get(f"{far.url}/ok")
    get(f"{far.url}/ok")
    assert [span.name for span in clients(seen)] == ["GET /{what}", "GET"]
    assert {point.attributes.get("url.template") for point in durations(seen)} == {"/{what}", None}


def test_a_strange_method_makes_no_series(get: Get, far: Service, seen: Captured) -> None:
    """Any word that is used as a method becomes a name and a series."""
    get(f"{far.url}/ok", method="PURGE")
    (span,) = clients(seen)
    assert (span.name, span.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert span.attributes["http.request.method_original"] == "PURGE"
    assert durations(seen)[0].attributes["http.request.method"] == "_OTHER"


@pytest.mark.parametrize(
    "key",
    [
        "suppress_instrumentation",
        context._SUPPRESS_INSTRUMENTATION_KEY,
        context._SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    ],
    ids=["the plain word", "of the API", "of the API for HTTP"],
)
def test_suppressed_calls_leave_no_trace(get: Get, far: Service, seen: Captured, key: str) -> None:
    """Calls that otel_kit makes while it exports are seen, or carry a trace."""
    token = context.attach(context.set_value(key, True))
    get(f"{far.url}/ok")
    context.detach(token)
    assert clients(seen) == []
    assert "traceparent" not in far.headers()[0]


def test_nothing_stays_current_after_a_call(get: Get, far: Service, seen: Captured) -> None:
    """The span of a call is still current after it, so that what follows becomes its child."""
    get(f"{far.url}/ok")
    with pytest.raises(Exception):  # noqa: B017, PT011
        get(f"{far.url}/broken")
    assert not trace.get_current_span().get_span_context().is_valid


def test_an_unsampled_call_is_still_counted(get: Get, far: Service) -> None:
    """Sampling changes the figures, or the next service does not hear that the trace is not wanted."""
    with capture(sampler="always_off") as seen:
        get(f"{far.url}/ok")
        assert clients(seen) == []
        assert durations(seen)[0].count == 1
        assert far.headers()[0]["traceparent"].endswith(("-00", "-02"))


def raising(library: str, url: str) -> None:
    """A call by a client that the program has raise for a status."""
    import aiohttp
    import httpx
    import requests

    if library == "requests":
        with requests.Session() as session:
            session.hooks["response"].append(lambda response, *_, **__: response.raise_for_status())
            session.get(url)
    elif library == "httpx":
        hooks: Any = {"response": [lambda response: response.raise_for_status()]}
        with httpx.Client(event_hooks=hooks, trust_env=False) as client:
            client.get(url)
    else:

        async def get() -> None:
            async with aiohttp.ClientSession(raise_for_status=True) as session:
                await session.get(url)

        asyncio.run(get())


@pytest.mark.parametrize("get", ["requests", "httpx", "aiohttp"], indirect=True)
def test_a_client_that_raises_for_a_status_has_it(
    get: Get, far: Service, seen: Captured, request: pytest.FixtureRequest
) -> None:
    """A refusal that the client turns into an exception has lost its status, on the span or in the metric."""
    with pytest.raises(Exception, match="404"):
        raising(request.node.callspec.params["get"], f"{far.url}/ok?status=404")
    (point,) = durations(seen)
    (span,) = clients(seen)
    for facts in (span.attributes, point.attributes):
        assert facts["http.response.status_code"] == 404
        assert "." in facts["error.type"]


@pytest.mark.parametrize("get", ["requests", "httpx"], indirect=True)
def test_a_request_that_is_sent_again_has_what_holds_then(
    get: Get, far: Service, seen: Captured, request: pytest.FixtureRequest
) -> None:
    """A request object of the program's keeps ids and trace of its first call for all further ones."""
    import httpx
    import requests

    if request.node.callspec.params["get"] == "requests":
        session = requests.Session()
        prepared: Any = session.prepare_request(requests.Request("GET", f"{far.url}/ok"))
    else:
        session = httpx.Client(trust_env=False)  # type: ignore[assignment]
        prepared = session.build_request("GET", f"{far.url}/ok")  # type: ignore[attr-defined]
    with session:
        for request_id in ("r-1", "r-2"):
            with otel_kit.bind(request_id=request_id):
                session.send(prepared)
        _client_choice.use(Client(propagate_to=()))
        session.send(prepared)
    first, second, third = far.headers()
    assert (first["x-request-id"], second["x-request-id"]) == ("r-1", "r-2")
    assert first["traceparent"] != second["traceparent"]
    assert not {"x-request-id", "traceparent"} & third.keys()


@pytest.mark.parametrize("get", ["requests", "httpx"], indirect=True)
def test_a_redirect_that_the_program_follows_itself_takes_nothing_along(
    get: Get, far: Service, seen: Captured, request: pytest.FixtureRequest
) -> None:
    """Trace and ids reach a host that is not on the list with the request that a client prepares for a redirect."""
    import httpx
    import requests

    _client_choice.use(Client(propagate_to=("127.0.0.1",)))
    url = f"{far.url}/redirect?to={far.other}/ok"
    with otel_kit.bind(request_id="r-1"):
        if request.node.callspec.params["get"] == "requests":
            with requests.Session() as session:
                prepared = session.get(url, allow_redirects=False).next
                assert prepared is not None
                session.send(prepared)
        else:
            with httpx.Client(trust_env=False) as client:
                following = client.get(url).next_request
                assert following is not None
                client.send(following)
    first, second = far.headers()
    assert first["x-request-id"] == "r-1"
    assert not {"x-request-id", "traceparent"} & second.keys()


@pytest.mark.parametrize("get", ["httpx", "httpx-async"], indirect=True)
def test_a_request_for_a_token_takes_the_trace_along(get: Get, far: Service, seen: Captured) -> None:
    """A request that an authentication makes first lacks the trace, or counts the call's own as made again."""
    import httpx

    class Login(httpx.Auth):
        def auth_flow(self, request: httpx.Request) -> Any:
            yield httpx.Request("GET", f"{far.url}/ok?token")
            yield request

    assert get(f"{far.url}/ok", auth=Login()) == 200
    (span,) = clients(seen)
    assert len(far.asked) == 2
    assert all(f"{span.context.trace_id:032x}" in headers["traceparent"] for headers in far.headers())


def test_a_propagator_that_raises_leaves_nothing_behind(get: Get, far: Service, seen: Captured) -> None:
    """A call that could not be given its headers fails, has no span, or stays current for the rest of the program."""

    class Broken(TextMapPropagator):
        @property
        def fields(self) -> set[str]:
            return set()

        def extract(self, *args: Any, **kwargs: Any) -> Any:
            return context.Context()

        def inject(self, *args: Any, **kwargs: Any) -> None:
            raise RuntimeError("no headers today")

    before = propagate.get_global_textmap()
    propagate.set_global_textmap(Broken())
    _guard.reset()
    try:
        assert get(f"{far.url}/ok") == 200
    finally:
        propagate.set_global_textmap(before)
    assert len(clients(seen)) == 1
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize("get", ["urllib3"], indirect=True)
def test_what_a_call_began_has_calls_of_its_own(get: Get, far: Service, seen: Captured) -> None:
    """A thread that was started inside of a call is taken for that call as long as it lives."""
    from otel_kit.instrument._client import begin

    call = begin("GET", far.url, {})
    assert call is not None
    inside = contextvars.copy_context()
    call.answered(200)
    assert inside.run(get, f"{far.url}/ok") == 200
    assert len(clients(seen)) == 2


def test_off_is_off(get: Get, far: Service, seen: Captured) -> None:
    """Something is emitted after undo, or twice after instrument was called twice."""
    names = ["requests", "httpx", "urllib3", "aiohttp"]
    files = [import_module(f"otel_kit.instrument.{name}") for name in names if importlib.util.find_spec(name)]
    for file in files:
        file.instrument()
        file.instrument()
    get(f"{far.url}/ok")
    assert len(clients(seen)) == 1
    for file in files:
        file.undo()
        file.undo()
    get(f"{far.url}/ok")
    assert len(clients(seen)) == 1


def test_what_is_logged_inside_a_call_belongs_to_it(get: Get, far: Service, seen: Captured) -> None:
    """Log records of the client library are not in the span of their call."""
    logger = logging.getLogger("urllib3.connectionpool" if get in (by_requests, by_urllib3) else "httpx")
    if get is by_aiohttp:
        pytest.skip("aiohttp's client logs nothing")
    logger.setLevel(logging.DEBUG)
    otel_kit.set_level("debug")
    try:
        get(f"{far.url}/ok")
    finally:
        logger.setLevel(logging.NOTSET)
        otel_kit.set_level("info")
    (span,) = clients(seen)
    assert span.context.span_id in {log.span_id for log in seen.logs}
