"""Any WSGI application in one line, called as a server calls it, and behind gunicorn."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

import otel_kit
from otel_kit import _guard, instrument
from otel_kit.testing import capture
from tests.instrument.serving import access_logs, points, server_spans


@pytest.fixture
def captured() -> Iterator[Any]:
    with capture() as found:
        yield found


def call(app: Any, *, parts: int | None = None, **environ: Any) -> tuple[dict[str, str], bytes]:
    """Call it once and read all of the response, or only so many parts; its headers and its body."""
    given: dict[str, Any] = {}
    setup_testing_defaults(given)
    given.update({"QUERY_STRING": "", **environ})
    headers: dict[str, str] = {}

    def start_response(status: str, fields: Any, exc_info: Any = None) -> Any:
        headers.update(fields, status=status)
        return lambda part: None

    response = app(given, start_response)
    body = b""
    try:
        for count, part in enumerate(response, 1):
            body += part
            if count == parts:
                break
    finally:
        if hasattr(response, "close"):
            response.close()
    return headers, body


def fine(environ: Any, start_response: Any) -> list[bytes]:
    """The simplest application."""
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "4")])
    return [b"fine"]


def test_one_line_watches_an_application(captured: Any) -> None:
    """An application that was wrapped is watched not at all, twice, breaks WSGI's rules, or is under a wrong address."""
    app = validator(instrument.wsgi(instrument.wsgi(validator(fine))))
    headers, body = call(app, HTTP_HOST="shop.example:8080", REMOTE_ADDR="10.0.0.1")
    assert (headers["status"], body) == ("200 OK", b"fine")
    assert headers["x-request-id"]
    [span] = server_spans(captured)
    assert (span.attributes["server.address"], span.attributes["server.port"]) == ("shop.example", 8080)
    assert (span.attributes["client.address"], span.attributes["http.response.body.size"]) == ("10.0.0.1", 4)
    assert len(access_logs(captured)) == 1
    assert sum(p.value for p in points(captured, "http.server.active_requests")) == 0
    instrument.wsgi.undo()
    call(app)
    assert len(server_spans(captured)) == 1
    instrument.wsgi()


def test_streams_keep_their_ids_and_last_until_closed(captured: Any) -> None:
    """A part of a stream is made without the request's ids or span, or a stream that was left looks complete."""
    log = otel_kit.get_logger("shop")

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        otel_kit.bind_context(user_id="ada")
        for _ in range(3):
            log.info("part")
            yield b"x" * 10

    assert call(instrument.wsgi(app))[1] == b"x" * 30
    assert call(instrument.wsgi(app), parts=1)[1] == b"x" * 10
    whole, left = server_spans(captured)
    assert (whole.attributes["http.response.body.size"], left.attributes["http.response.body.size"]) == (
        30,
        10,
    )
    assert "otel_kit.http.disconnected" not in whole.attributes
    assert left.attributes["otel_kit.http.disconnected"] is True
    parts = [record for record in captured.logs if record.body == "part"]
    assert {record.attributes["user.id"] for record in parts} == {"ada"}
    assert {record.span_id for record in parts} == {whole.context.span_id, left.context.span_id}
    assert otel_kit.current_context() == {}


def test_a_stream_that_nobody_reads_or_closes_ends_in_its_context(captured: Any) -> None:
    """A test that asks Flask for a stream and looks at the status only has an error of Flask's, or no span."""
    flask = pytest.importorskip("flask")
    app, ends = flask.Flask("shop"), []
    app.teardown_request(lambda error: ends.append(type(error).__name__))

    @app.get("/stream")
    def stream() -> Any:
        def parts() -> Iterator[str]:
            for _ in range(3):
                yield flask.request.path

        return flask.Response(flask.stream_with_context(parts()))

    instrument.flask(app)
    try:
        assert app.test_client().get("/stream").status_code == 200
        gc.collect()
    finally:
        instrument.flask.undo()
    (span,) = server_spans(captured)
    assert (span.name, span.attributes["otel_kit.http.disconnected"]) == ("GET /stream", True)
    assert ends[-2:] == ["NoneType", "GeneratorExit"]


def test_errors_in_the_call_and_in_the_middle(captured: Any) -> None:
    """An exception is swallowed, or the request that it ended is no error."""

    def early(environ: Any, start_response: Any) -> Any:
        raise KeyError("gone")

    def late(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"x"
        raise KeyError("gone")

    for app in (early, late):
        with pytest.raises(KeyError):
            call(instrument.wsgi(app))
    assert [span.attributes["error.type"] for span in server_spans(captured)] == ["KeyError"] * 2
    assert [span.status.status_code.name for span in server_spans(captured)] == ["ERROR"] * 2


@pytest.mark.parametrize("named", [False, True])
def test_an_application_may_answer_anew(captured: Any, named: bool) -> None:
    """An application that takes its answer back breaks, or is told with the first one."""

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        try:
            raise KeyError("gone")
        except KeyError:
            # PEP 3333 asks for positions; servers, and so programs, know the name.
            info = {"exc_info": sys.exc_info()} if named else {}
            start_response("500 Oops", [], *([] if named else [sys.exc_info()]), **info)
        return [b"sorry"]

    assert call(instrument.wsgi(app))[1] == b"sorry"
    [span] = server_spans(captured)
    assert (span.attributes["http.response.status_code"], span.attributes["error.type"]) == (500, "KeyError")


def test_a_status_that_was_never_sent_is_not_told(captured: Any) -> None:
    """A request that failed before its first part has the status that the application meant, and nobody got."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [])
        raise KeyError("gone")

    def late(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        raise KeyError("gone")
        yield b""

    for each in (app, late):
        with pytest.raises(KeyError):
            call(instrument.wsgi(each))
    assert not any("http.response.status_code" in span.attributes for span in server_spans(captured))


def test_a_server_can_tell_the_length_of_a_single_part(captured: Any) -> None:
    """A response that was a list has no length any more, so that the server sends no Content-Length."""
    watched = instrument.wsgi(lambda environ, start_response: (start_response("200 OK", []), [b"fine"])[1])
    sized: Any = watched({}, lambda *_: None)
    assert (len(sized), list(sized)) == (1, [b"fine"])
    stream: Any = instrument.wsgi(lambda environ, start_response: iter([b"fine"]))({}, lambda *_: None)
    assert not hasattr(stream, "__len__")
    stream.close()


def test_parts_that_are_no_bytes_are_the_server_s_business(captured: Any) -> None:
    """A part that no server takes raises here, where the program looks for the mistake in vain."""
    _guard.reset()
    app = instrument.wsgi(lambda environ, start_response: (start_response("200 OK", []), [None, 7])[1])
    assert list(app({}, lambda *_: None)) == [None, 7]
    assert len(server_spans(captured)) == 1


def test_an_environment_may_be_served_again(captured: Any) -> None:
    """Only the first of several requests with the same environment is seen."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    app = instrument.wsgi(fine)
    for _ in range(2):
        assert list(app(environ, lambda *_: None)) == [b"fine"]
    assert len(server_spans(captured)) == 2


def test_files_are_left_to_the_server(captured: Any) -> None:
    """The server gets its own file wrapper no longer, so it cannot send the file by itself."""

    def app(environ: Any, start_response: Any) -> Any:
        start_response("200 OK", [("Content-Length", "5")])
        return environ["wsgi.file_wrapper"](io.BytesIO(b"12345"))

    seen: list[type] = []

    def spying(environ: Any, start_response: Any) -> Any:
        response = instrument.wsgi(app)(environ, start_response)
        seen.append(type(response))
        return response

    assert call(spying, **{"wsgi.file_wrapper": FileWrapper})[1] == b"12345"
    assert seen == [FileWrapper]
    [span] = server_spans(captured)
    assert span.attributes["http.response.body.size"] == 5


@pytest.mark.parametrize(
    "odd",
    [
        {"REQUEST_METHOD": "FROBNICATE"},
        {"HTTP_HOST": "a b:c", "HTTP_TRACEPARENT": "00-zz", "CONTENT_LENGTH": "many"},
        {"PATH_INFO": "/\xc3\xbc\xff", "SCRIPT_NAME": "/shop", "SERVER_PROTOCOL": ""},
        {"SERVER_PORT": "", "SERVER_NAME": "", "HTTP_USER_AGENT": "\xff" * 10_000},
    ],
)
def test_odd_requests_are_served_and_told(captured: Any, odd: dict[str, Any]) -> None:
    """A request that no browser sends is not served, or makes an error of ours."""
    assert call(instrument.wsgi(fine), **odd)[1] == b"fine"
    assert server_spans(captured)[0].attributes["http.response.status_code"] == 200


GUNICORN = r"""
import json, os, signal, socket, subprocess, sys, time, urllib.request
open("shop.py", "w").write('''
import otel_kit
from flask import Flask
telemetry = otel_kit.init_telemetry("shop", traces_exporter="none", metrics_exporter="none", logs_exporter="none", console="json")
app = Flask("shop")
app.get("/orders/<int:n>")(lambda n: "fine")
''')
with socket.create_server(("127.0.0.1", 0)) as free:
    port = free.getsockname()[1]
options = ["--preload", "--workers", "2", "--bind", f"127.0.0.1:{port}", "--access-logfile", "access.txt"]
command = [sys.executable, "-m", "gunicorn", *options, "shop:app"]
server = subprocess.Popen(command, stderr=open("said.txt", "w"), stdout=subprocess.DEVNULL)
deadline = time.monotonic() + 20
while True:
    try:
        answer = urllib.request.urlopen(f"http://127.0.0.1:{port}/orders/7", timeout=5)
        break
    except OSError:
        assert time.monotonic() < deadline, open("said.txt").read()
        time.sleep(0.1)
made = answer.headers["x-request-id"]
while made not in open("said.txt").read() or "GET /orders/7" not in open("access.txt").read():
    assert time.monotonic() < deadline
    time.sleep(0.05)
server.send_signal(signal.SIGTERM)
server.wait(10)
lines = [json.loads(line) for line in open("said.txt") if line.startswith("{")]
show(records=[line for line in lines if "/orders" in json.dumps(line)], made=made)
"""


def test_behind_gunicorn(program: Any, tmp_path: Any) -> None:
    """Behind gunicorn with preload a request is missing or doubled."""
    pytest.importorskip("gunicorn")
    seen = program(GUNICORN)
    assert len(seen["records"]) == 1
    assert seen["made"] in str(seen["records"])
