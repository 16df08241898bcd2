"""Each exception becomes one log record; in programs of their own, because the global providers are set once."""

from __future__ import annotations

from typing import Any

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
