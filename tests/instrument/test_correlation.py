"""The ids of a request: taken or made, on everything that it causes, on the response and on outgoing calls."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import propagate

import otel_kit
from otel_kit.context.request_ids import is_harmless, request_ids
from otel_kit.testing import capture
from tests.instrument.serving import access_logs, server_spans

flask = pytest.importorskip("flask")

MADE = re.compile(r"[0-9a-f]{32}")


@pytest.fixture
def app() -> Any:
    app = flask.Flask("shop")

    @app.route("/", methods=["GET", "POST"])
    def home() -> Any:
        otel_kit.get_logger("shop").info("served")
        with otel_kit.span("work"):
            headers: dict[str, str] = {}
            propagate.inject(headers)
        flask.request.get_data()
        return flask.jsonify(sent=headers, bound=otel_kit.current_context())

    return app


@pytest.fixture
def captured() -> Iterator[Any]:
    with capture(instrument=["flask"]) as found:
        yield found


def test_ids_are_taken_bound_answered_and_sent_on(captured: Any, app: Any) -> None:
    """An id that came with the request is missing on a span, a record, the response or an outgoing call."""
    given = {"x-request-id": "r-7", "x-correlation-id": "c.9/a=="}
    answer = app.test_client().get("/", headers=given)
    assert {name: answer.headers[name] for name in given} == given
    assert {name: answer.json["sent"][name] for name in given} == given
    assert answer.json["bound"] == {"request_id": "r-7", "correlation_id": "c.9/a=="}
    for item in [*captured.spans, *captured.logs]:
        assert item.attributes["otel_kit.request.id"] == "r-7"
        assert item.attributes["otel_kit.correlation.id"] == "c.9/a=="
    assert len(captured.spans) == 2
    assert otel_kit.current_context() == {}


@pytest.mark.parametrize("hostile", ["", "a b", "x" * 129, "a;b", "ü", "<script>", 'a"b', "${jndi:ldap}"])
def test_ids_that_could_do_harm_are_replaced(captured: Any, app: Any, hostile: str) -> None:
    """An id with characters or a length that could do harm in logs or headers is taken over."""
    answer = app.test_client().get("/", headers={"x-request-id": hostile, "x-correlation-id": hostile})
    made = answer.headers["x-request-id"]
    assert MADE.fullmatch(made)
    assert answer.headers["x-correlation-id"] == made
    assert hostile == "" or hostile not in str([span.attributes for span in captured.spans])


@given(st.text())
def test_no_id_ends_a_header_or_a_line(text: str) -> None:
    """Some text is taken as an id that has a line break, a blank or another character of control."""
    taken = request_ids(lambda name: text)["request_id"]
    assert is_harmless(taken)
    assert taken.isascii()
    assert taken.isprintable()
    assert not set(taken) & set(" \t\r\n,;\"'<>{}\\")


def test_the_application_s_own_header_stays(captured: Any) -> None:
    """A request id that the application puts on the response itself is doubled or overwritten."""
    app = flask.Flask("shop")
    app.get("/")(lambda: ("fine", {"X-Request-ID": "mine"}))
    assert app.test_client().get("/").headers.getlist("x-request-id") == ["mine"]


def test_ids_bound_in_the_handler_reach_the_server_s_span(captured: Any) -> None:
    """What a handler binds is missing on the request's own span, or one value of many stands there as if it were all."""
    app = flask.Flask("shop")

    @app.get("/")
    def home() -> str:
        with otel_kit.bind(user_id="ada"):
            for item in ("lamp", "chair"):
                with otel_kit.bind(item=item):
                    pass
        return "fine"

    app.test_client().get("/")
    [span] = server_spans(captured)
    assert span.attributes["user.id"] == "ada"
    assert "item" not in span.attributes
    assert access_logs(captured)[0].attributes["user.id"] == "ada"


def test_user_and_session_from_a_header_or_a_function(app: Any) -> None:
    """User and session are not taken from where the program says, or a function that fails fails the request."""

    def failing(request: Any) -> str:
        raise LookupError("nobody")

    with capture(
        instrument=["flask"], user_id_from="X-User", session_id_from=lambda r: r.headers["x-session"]
    ) as captured:
        app.test_client().get("/", headers={"x-user": "ada", "x-session": "s1"})
        assert {r.attributes["user.id"] for r in captured.logs} == {"ada"}
        assert {s.attributes["session.id"] for s in captured.spans} == {"s1"}
    otel_kit._guard.reset()  # the failure is the program's, counted and contained
    with capture(instrument=["flask"], user_id_from=failing) as captured:
        assert app.test_client().get("/").status_code == 200
        assert "user.id" not in server_spans(captured)[0].attributes


def test_headers_and_bodies_only_on_request(captured: Any, app: Any) -> None:
    """Headers or bodies are recorded although nobody asked, are not when somebody did, or without a bound."""
    sent = {
        "data": '{"a": "' + "x" * 100 + '"}',
        "headers": {"content-type": "application/json", "x-shop": "blue"},
    }
    app.test_client().post("/", **sent)
    names = " ".join(server_spans(captured)[0].attributes)
    assert "header" not in names
    assert "request.body " not in names + " "
    wanted = {
        "capture_request_headers": ["x-.*"],
        "capture_response_headers": ["content-type"],
        "capture_body": 20,
    }
    with capture(instrument=["flask"], **wanted) as asked:
        app.test_client().post("/", **sent)
    attributes = server_spans(asked)[0].attributes
    assert list(attributes["http.request.header.x-shop"]) == ["blue"]
    assert list(attributes["http.response.header.content-type"]) == ["application/json"]
    assert "http.request.header.host" not in attributes
    assert attributes["otel_kit.http.request.body"] == sent["data"][:20]
    assert len(attributes["otel_kit.http.response.body"]) == 20
    assert attributes["http.request.body.size"] == len(sent["data"])


def test_the_next_request_of_the_thread_starts_clean(captured: Any) -> None:
    """An id that one request binds is still there in the next one of the same thread."""
    app = flask.Flask("shop")

    @app.get("/<name>")
    def home(name: str) -> Any:
        before = otel_kit.current_context()
        otel_kit.bind_context(user_id=name)
        return flask.jsonify(before)

    client = app.test_client()
    client.get("/ada")
    assert "user_id" not in client.get("/bob").json
    assert otel_kit.current_context() == {}
