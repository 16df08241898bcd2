"""Django by its WSGI and its ASGI application and its test client: routes, errors, streams, ids."""

from __future__ import annotations

import asyncio
import sys
import types
from collections.abc import Iterator
from typing import Any

import pytest

import otel_kit
from otel_kit.testing import capture
from tests.instrument.serving import access_logs, asgi_server, points, server_spans, wait_for, wsgi_server

django = pytest.importorskip("django")
requests = pytest.importorskip("requests")

from django.conf import settings  # noqa: E402
from django.http import Http404, HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.urls import include, path, re_path  # noqa: E402
from django.views import View  # noqa: E402


class Order(View):
    """A class-based view."""

    def get(self, request: Any, number: int) -> HttpResponse:
        if number == 0:
            raise Http404
        otel_kit.bind_context(user_id="ada")
        return JsonResponse({"number": number})


def broken(request: Any) -> HttpResponse:
    raise ZeroDivisionError("on purpose")


def sorry(request: Any) -> HttpResponse:
    raise LookupError("on purpose")


class Sorry:
    """A middleware that has an answer to an exception."""

    def __init__(self, get_response: Any) -> None:
        self._get_response = get_response

    def __call__(self, request: Any) -> Any:
        return self._get_response(request)

    def process_exception(self, request: Any, error: Exception) -> HttpResponse | None:
        return HttpResponse("sorry", status=502) if isinstance(error, LookupError) else None


def stream(request: Any) -> StreamingHttpResponse:
    return StreamingHttpResponse(b"x" * 100 for _ in range(3))


async def calm(request: Any) -> HttpResponse:
    otel_kit.bind_context(session_id="s1")
    return HttpResponse("calm")


def _set_up() -> None:
    urls = types.ModuleType("shop_urls")
    urls.urlpatterns = [  # type: ignore[attr-defined]
        path("shop/", include([path("orders/<int:number>/", Order.as_view())])),
        re_path(r"^items/(?P<item>\w+)$", lambda request, item: HttpResponse(item)),
        path("broken", broken),
        path("sorry", sorry),
        path("stream", stream),
        path("calm", calm),
        path("health", lambda request: HttpResponse("fine")),
    ]
    urls.Sorry = Sorry  # type: ignore[attr-defined]
    sys.modules["shop_urls"] = urls
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF="shop_urls",
        SECRET_KEY="-",
        LOGGING_CONFIG=None,
        MIDDLEWARE=["django.middleware.common.CommonMiddleware", "shop_urls.Sorry"],
    )
    django.setup()


@pytest.fixture(scope="module", autouse=True)
def site() -> None:
    """Django's settings, once in a process."""
    if not settings.configured:
        _set_up()


@pytest.fixture
def captured() -> Iterator[Any]:
    with capture(instrument=["django"]) as found:
        yield found


def application(kind: str) -> Any:
    """A new handler of Django's."""
    if kind == "wsgi":
        from django.core.wsgi import get_wsgi_application

        return wsgi_server(get_wsgi_application())
    from django.core.asgi import get_asgi_application

    return asgi_server(get_asgi_application(), lifespan="off")


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume synchronous iterators")
@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_requests_are_told(captured: Any, kind: str) -> None:
    """A request to Django lacks its route, its status, its error's place, its ids, its record or its count."""
    with application(kind) as address:
        paths = (
            "/shop/orders/7/",
            "/shop/orders/0/",
            "/items/lamp",
            "/broken",
            "/stream",
            "/calm",
            "/health",
        )
        answers = [requests.get(address + where, timeout=10) for where in paths]
        wait_for(lambda: len(access_logs(captured)) == 6)
    assert all(answer.headers["x-request-id"] for answer in answers)
    spans = {span.attributes["url.path"]: span for span in server_spans(captured)}
    assert {
        where: (span.name, span.attributes["http.response.status_code"]) for where, span in spans.items()
    } == {
        "/shop/orders/7/": ("GET /shop/orders/<int:number>/", 200),
        "/shop/orders/0/": ("GET /shop/orders/<int:number>/", 404),
        "/items/lamp": (r"GET /items/(?P<item>\w+)", 200),
        "/broken": ("GET /broken", 500),
        "/stream": ("GET /stream", 200),
        "/calm": ("GET /calm", 200),
    }
    assert [where for where, span in spans.items() if span.status.status_code.name == "ERROR"] == ["/broken"]
    assert spans["/broken"].attributes["error.type"] == "ZeroDivisionError"
    assert spans["/broken"].attributes["code.function.name"].endswith("broken")
    assert spans["/stream"].attributes["http.response.body.size"] == 300
    assert spans["/shop/orders/7/"].attributes["user.id"] == "ada"
    assert spans["/calm"].attributes["session.id"] == "s1"
    assert sum(p.count for p in points(captured, "http.server.request.duration")) == 7
    assert sum(p.value for p in points(captured, "http.server.active_requests")) == 0


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_what_a_middleware_answers_has_its_reason(captured: Any, kind: str) -> None:
    """An exception that a middleware turns into a 5xx is lost: neither its type nor the line is known."""
    with application(kind) as address:
        assert requests.get(f"{address}/sorry", timeout=10).status_code == 502
        wait_for(lambda: access_logs(captured))
    [span] = server_spans(captured)
    assert span.attributes["error.type"] == "LookupError"
    assert span.attributes["code.line.number"] == sorry.__code__.co_firstlineno + 1


def test_django_s_test_client_is_seen(captured: Any) -> None:
    """A program's own tests, which use Django's client, see no span."""
    from django.test import Client

    client = Client(raise_request_exception=False)
    client.get("/shop/orders/7/", headers={"x-request-id": "r-7"})
    client.get("/broken")
    first, second = server_spans(captured)
    assert (first.name, first.attributes["otel_kit.request.id"]) == ("GET /shop/orders/<int:number>/", "r-7")
    assert (second.name, second.status.status_code.name) == ("GET /broken", "ERROR")


def test_django_s_asynchronous_test_client_is_seen(captured: Any) -> None:
    """A program's own tests, which use Django's asynchronous client, see no span, or ids of another request."""
    from django.test import AsyncClient

    client = AsyncClient(raise_request_exception=False)

    async def visit() -> list[str]:
        paths = [f"/shop/orders/{number}/" for number in range(5)]
        answers = [client.get(path, headers={"x-request-id": f"r{path[-2]}"}) for path in paths]
        ids = [answer.headers["x-request-id"] for answer in await asyncio.gather(*answers)]
        await client.get("/broken")
        return ids

    assert asyncio.run(visit()) == [f"r{number}" for number in range(5)]
    *visits, broken = server_spans(captured)
    assert {span.name for span in visits} == {"GET /shop/orders/<int:number>/"}
    assert {span.attributes["otel_kit.request.id"] for span in visits} == {
        f"r{number}" for number in range(5)
    }
    assert (broken.name, broken.status.status_code.name) == ("GET /broken", "ERROR")
    assert broken.attributes["code.function.name"].endswith("broken")
    assert otel_kit.current_context() == {}


def test_undone_it_is_silent() -> None:
    """Django goes on to emit after undo, or does not after it was turned on again."""
    from django.test import Client

    with capture() as captured:
        for _ in range(2):
            otel_kit.instrument.django()
            otel_kit.instrument.django()
            Client().get("/calm")
            assert len(server_spans(captured)) == 1
            otel_kit.instrument.django.undo()
            captured.clear()
            Client().get("/calm")
            assert server_spans(captured) == []
