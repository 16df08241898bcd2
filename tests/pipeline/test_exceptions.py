"""Each exception becomes one log record; in programs of their own, because the global providers are set once."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import Any

import pytest
from opentelemetry import _logs as logs_api

import otel_kit
from otel_kit.testing import capture

PREPARED = """
    from opentelemetry import _logs, trace
    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor
    from otel_kit.export.spans import TracerProvider
    from otel_kit.pipeline.exceptions import ReportedExceptions, report

    memory = InMemoryLogRecordExporter()
    logs = LoggerProvider(resource=Resource({}), shutdown_on_exit=False)
    logs.add_log_record_processor(ReportedExceptions())
    logs.add_log_record_processor(SimpleLogRecordProcessor(memory))
    _logs.set_logger_provider(logs)
    tracer = TracerProvider(processors=[SpanProcessor()], on_exception=report).get_tracer("shop.pay")

    def told():
        found = [each for each in memory.get_finished_logs()]
        memory.clear()
        return found
"""


def ran(run_program: Any, source: str) -> None:
    """Run a program that asserts."""
    result = run_program(PREPARED + source, options=("-W", "error"))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""


def test_an_exception_becomes_one_record(run_program: Any) -> None:
    """An exception through two spans becomes no log record, two, or one without its span's ids and fields."""
    ran(
        run_program,
        """
    try:
        with tracer.start_as_current_span("outer"):
            with tracer.start_as_current_span("inner") as inner:
                raise ValueError("no money")
    except ValueError:
        pass
    (each,) = told()
    record = each.log_record
    assert (record.event_name, record.severity_text, record.severity_number.value) == ("exception", "ERROR", 17)
    assert record.body == "ValueError: no money"
    assert record.attributes["exception.type"] == "ValueError"
    assert record.attributes["exception.message"] == "no money"
    assert "Traceback" in record.attributes["exception.stacktrace"]
    assert record.span_id == inner.get_span_context().span_id
    assert record.trace_id == inner.get_span_context().trace_id
    assert each.instrumentation_scope.name == "shop.pay"
    """,
    )


def test_what_was_logged_is_not_told_again(run_program: Any) -> None:
    """An exception that the program or a library has logged becomes a second record when it leaves a span."""
    ran(
        run_program,
        """
    logger = _logs.get_logger("program")
    try:
        with tracer.start_as_current_span("s"):
            try:
                raise ValueError("x")
            except ValueError as error:
                logger.emit(LogRecord(body="it failed", exception=error))
                raise
    except ValueError:
        pass
    (each,) = told()
    assert each.log_record.body == "it failed"

    # Another exception, raised from it, is another one.
    try:
        with tracer.start_as_current_span("s"):
            try:
                raise ValueError("x")
            except ValueError as error:
                logger.emit(LogRecord(body="it failed", exception=error))
                raise KeyError("y") from error
    except KeyError:
        pass
    assert [each.log_record.body for each in told()] == ["it failed", "KeyError: 'y'"]
    """,
    )


def test_one_exception_object_in_many_requests(run_program: Any) -> None:
    """A program that raises one exception object in each request is told of once only."""
    ran(
        run_program,
        """
    error = ValueError("shared")
    for _ in range(3):
        try:
            with tracer.start_as_current_span("request"):
                raise error
        except ValueError:
            pass
    assert len(told()) == 3
    """,
    )


def test_exceptions_that_cannot_be_marked(run_program: Any) -> None:
    """An exception that refuses our mark, or has no text, raises or is not told."""
    ran(
        run_program,
        """
    class Sealed(Exception):
        __slots__ = ()
        @property
        def __dict__(self):
            raise RuntimeError("sealed")

    try:
        with tracer.start_as_current_span("outer"), tracer.start_as_current_span("inner"):
            raise Sealed
    except Sealed:
        pass
    assert len(told()) >= 1
    """,
    )


@pytest.mark.parametrize("by", ["kit", "logging"])
def test_what_a_span_told_is_logged_without_a_second_traceback(by: str) -> None:
    """A program that logs an exception after a span told of it loses its message, has two tracebacks, or does
    not lead to the first; or one that nobody told of has none.
    """
    log: Any = otel_kit.get_logger("shop") if by == "kit" else logging.getLogger("shop")
    with capture() as captured:
        for around in (contextlib.nullcontext(), otel_kit.span("request")):
            captured.clear()
            with around:
                try:
                    with otel_kit.span("charge"):
                        raise ValueError("declined")
                except ValueError:
                    log.exception("charge failed")
            first, second = captured.logs
            assert (first.body, second.body) == ("ValueError: declined", "charge failed")
            assert "Traceback" in first.attributes["exception.stacktrace"]
            assert second.attributes["exception.type"] == "ValueError"
            assert second.attributes["exception.message"] == "declined"
            assert "exception.stacktrace" not in second.attributes
            assert (second.trace_id, second.severity_text) == (first.trace_id, "ERROR")
        captured.clear()
        with contextlib.suppress(ValueError), otel_kit.span("charge"):
            try:
                raise ValueError("declined")
            except ValueError:
                log.exception("charge failed")
                raise
        (only,) = captured.logs
        assert (only.body, "Traceback" in only.attributes["exception.stacktrace"]) == ("charge failed", True)


def test_a_program_without_spans_has_every_traceback() -> None:
    """Where there are no spans, an exception that is logged twice has a traceback only once."""
    log = otel_kit.get_logger("shop")
    with capture() as captured:
        try:
            raise ValueError("declined")
        except ValueError:
            log.exception("once")
            log.exception("twice")
        assert all("Traceback" in log.attributes["exception.stacktrace"] for log in captured.logs)
        assert [log.body for log in captured.logs] == ["once", "twice"]


def test_a_library_does_not_tell_what_was_told() -> None:
    """A library's record of an exception that a span told of is a second record, or the first of one is lost."""
    with capture() as captured:
        library = logs_api.get_logger("library")
        error = ValueError("declined")
        with contextlib.suppress(ValueError), otel_kit.span("request"):
            with contextlib.suppress(ValueError), otel_kit.span("charge"):
                raise error
            library.emit(body="unhandled", exception=error)
            library.emit(body="unhandled", exception=KeyError("other"))
        with otel_kit.span("the same object in another request"):
            library.emit(body="again", exception=error)
        assert [log.body for log in captured.logs] == ["ValueError: declined", "unhandled", "again"]


def test_a_span_tells_where_its_exception_came_from() -> None:
    """The record of an exception that left a span does not name the program's line that raised it."""

    def charge() -> None:
        json.loads("{")

    with capture() as captured:
        with contextlib.suppress(ValueError), otel_kit.span("request"):
            charge()
        (only,) = captured.logs
        assert only.attributes["code.function.name"].endswith("<locals>.charge")
        assert only.attributes["code.file.path"] == __file__
        assert only.attributes["code.line.number"] == charge.__code__.co_firstlineno + 1


def test_an_exception_in_fastapi_under_uvicorn(run_program: Any) -> None:
    """One exception in a request is told with its traceback by FastAPI or uvicorn too, uvicorn's line has no
    trace, or the request's span does not say what happened.
    """
    result = run_program(
        """
        import contextlib, sys, threading, urllib.request, urllib.error
        import fastapi, uvicorn
        import otel_kit
        from otel_kit.testing import capture

        app = fastapi.FastAPI()

        @app.get("/pay")
        def pay():
            with otel_kit.span("charge"):
                raise ValueError("declined")

        @app.get("/plain")
        def plain():
            raise KeyError("plain")

        def told():
            return [log for log in captured.logs if "exception.type" in log.attributes]

        with capture(instrument=["fastapi"]) as captured:
            server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
            thread = threading.Thread(target=server.run)
            thread.start()
            while not server.started:
                thread.join(0.01)
            port = server.servers[0].sockets[0].getsockname()[1]
            found = []
            for path in ("pay", "plain"):
                captured.clear()
                with contextlib.suppress(urllib.error.HTTPError):
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/{path}")
                while len(told()) < 2 or not [s for s in captured.spans if s.kind.name == "SERVER"]:
                    thread.join(0.01)
                records = told()
                (request,) = [s for s in captured.spans if s.kind.name == "SERVER"]
                found.append((records, request))
            server.should_exit = True
            thread.join()
        ((first, line), request), ((native, second), plain) = found
        assert (first.body, "exception.stacktrace" in first.attributes) == ("ValueError: declined", True)
        assert (line.body, line.scope) == ("Exception in ASGI application", "uvicorn.error"), line
        assert line.attributes["exception.message"] == "declined"
        assert "exception.stacktrace" not in line.attributes
        assert (line.trace_id, line.span_id) == (first.trace_id, first.span_id)
        assert request.status.description == "ValueError: declined"
        assert request.attributes["error.type"] == "ValueError"
        assert [event.name for event in request.events] == []
        assert native.event_name == "http.server.request.exception", native
        assert "exception.stacktrace" in native.attributes
        assert (second.body, "exception.stacktrace" in second.attributes) == (line.body, False)
        assert second.trace_id == native.trace_id == plain.context.trace_id
        assert plain.status.description == "KeyError: 'plain'"
        assert [event.name for event in plain.events] == ["exception"]
        """
    )
    assert result.returncode == 0, result.stderr
