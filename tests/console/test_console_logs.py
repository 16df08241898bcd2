"""Log records on the console: one event is one line, whatever is in it and whatever stream it goes to."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

from otel_kit.export.console.logs import ConsoleLogProcessor

NANOSECONDS = 1_700_000_000_123_456_789
TRACE_ID, SPAN_ID = 0x1A2B3C4D5E6F70818293A4B5C6D7E8F9, 0x1122334455667788

Emit = Callable[..., None]


@pytest.fixture(autouse=True)
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")


def emitter(processor: ConsoleLogProcessor) -> Emit:
    provider = LoggerProvider(resource=Resource({"service.name": "shop"}), shutdown_on_exit=False)
    provider.add_log_record_processor(processor)

    def emit(body: Any = "text", logger: str = "shop.pay", in_trace: bool = False, **fields: Any) -> None:
        span = NonRecordingSpan(SpanContext(TRACE_ID, SPAN_ID, False, TraceFlags(1)))
        fields.setdefault("severity_number", SeverityNumber.INFO)
        fields.setdefault("severity_text", "INFO")
        provider.get_logger(logger).emit(
            timestamp=NANOSECONDS,
            body=body,
            context=set_span_in_context(span) if in_trace else None,
            **fields,
        )

    return emit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture
def pretty(stream: io.StringIO) -> Emit:
    return emitter(ConsoleLogProcessor("pretty", stream))


@pytest.fixture
def as_json(stream: io.StringIO) -> Emit:
    return emitter(ConsoleLogProcessor("json", stream))


def test_a_pretty_line(stream: io.StringIO, pretty: Emit) -> None:
    """A person does not find time, level, logger, event, key-values and trace in their columns."""
    pretty("card charged", in_trace=True, attributes={"amount": 12.5, "order_id": 7})
    pretty("slow", "sqlalchemy.engine.Engine", severity_text="WARN", severity_number=SeverityNumber.WARN)
    first, second = (re.sub(r"^[\d:]{8}", "hh:mm:ss", each) for each in stream.getvalue().splitlines())
    assert first == (
        "hh:mm:ss.123 INFO  shop.pay              card charged                  "
        "amount=12.5 order_id=7 trace=1a2b3c4d"
    )
    assert second == "hh:mm:ss.123 WARN  s.engine.Engine       slow"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("word", "word"),
        ("two words", '"two words"'),
        ("", '""'),
        ('a"b', '"a\\"b"'),
        ("a=b", '"a=b"'),
        (None, "None"),
        (True, "True"),
        (12.5, "12.5"),
        (float("nan"), "nan"),
        (b"\xff", "b'\\xff'"),
        ({"a": [1, {"b": None}]}, '{"a": [1, {"b": null}]}'),
        (["é", float("inf")], '["é", "inf"]'),
        ("x" * 2000, "x" * 1000 + "… (+1,000 characters)"),
    ],
)
def test_values_are_readable(stream: io.StringIO, pretty: Emit, value: Any, shown: str) -> None:
    """A value is shown in a way that cannot be read, or told from another."""
    pretty(attributes={"k": value})
    assert stream.getvalue().endswith(f"  k={shown}\n")


def test_what_a_person_does_not_need_is_left_out(stream: io.StringIO, pretty: Emit) -> None:
    """Line numbers and templates push what was said out of sight."""
    pretty(attributes={"code.file.path": "/a", "code.line.number": 1, "otel_kit.log.template": "%s", "a": 1})
    assert stream.getvalue().endswith("  a=1\n")


def test_names_of_ours_are_short(stream: io.StringIO, pretty: Emit) -> None:
    """The ids of a request carry our prefix on each line."""
    pretty(attributes={"otel_kit.request.id": "r-1"})
    assert stream.getvalue().endswith("  request.id=r-1\n")


def raised() -> BaseException:
    try:
        try:
            raise KeyError("inner\x1b[2J\nsecond")
        except KeyError as error:
            raise ValueError("outer\u2028") from error
    except ValueError as error:
        return error


def test_a_traceback_is_readable_and_harmless(stream: io.StringIO, pretty: Emit) -> None:
    """A traceback is not below its line, not indented, or its text can move the cursor."""
    pretty("failed", exception=raised(), attributes={"code.stacktrace": "Stack:\n  here"})
    first, *below = stream.getvalue().splitlines()
    assert first.endswith("failed")
    assert below[:2] == ["    Stack:", "      here"]
    assert below[2] == "    Traceback (most recent call last):"
    assert below[-1] == "    ValueError: outer\\u2028"
    assert all(not line or line.startswith("    ") for line in below)
    assert not set(stream.getvalue()) & {"\x1b", "\u2028"}


def test_an_exception_without_a_traceback(stream: io.StringIO, pretty: Emit) -> None:
    """An exception that came without a traceback, because a record before has it, is not shown on the line."""
    pretty("failed", attributes={"exception.type": "ValueError", "exception.message": "bad"})
    assert stream.getvalue().endswith('failed                        exception="ValueError: bad"\n')


def test_a_json_line(stream: io.StringIO, as_json: Emit) -> None:
    """A program that reads the JSON lines misses a field."""
    as_json(
        "card charged",
        in_trace=True,
        event_name="shop.paid",
        attributes={"amount": 12.5, "nested": {"a": [1, None]}, "raw": b"\x00"},
        exception=raised(),
    )
    as_json(None, logger="")
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    stacktrace = first["exception"].pop("stacktrace")
    assert stacktrace.startswith("Traceback")
    assert first == {
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "severity": "INFO",
        "service": "shop",
        "logger": "shop.pay",
        "body": "card charged",
        "event_name": "shop.paid",
        "trace_id": f"{TRACE_ID:032x}",
        "span_id": f"{SPAN_ID:016x}",
        "attributes": {"amount": 12.5, "nested": {"a": [1, None]}, "raw": "AA=="},
        "exception": {"type": "ValueError", "message": "outer\u2028"},
    }
    assert second == {
        "timestamp": "2023-11-14T22:13:20.123456Z",
        "severity": "INFO",
        "service": "shop",
        "logger": "",
    }


HOSTILE = "a\nb\r\x1b[31m\x00\x07\x85\u2028\u2029\u202e\u2066\ufeff\x9b\ud800\U000e0041\x7f"


@pytest.mark.parametrize("style", ["pretty", "json"])
def test_one_event_is_one_line(style: Any) -> None:
    """Something in a record breaks its line, moves the cursor or turns the writing direction."""
    stream = io.StringIO()
    emit = emitter(ConsoleLogProcessor(style, stream))
    emit(
        HOSTILE,
        HOSTILE,
        severity_text=HOSTILE,
        event_name=HOSTILE,
        attributes={HOSTILE: HOSTILE, "list": [HOSTILE], "map": {HOSTILE: HOSTILE}},
    )
    written = stream.getvalue()
    assert len(written.splitlines()) == 1
    assert not set(written) & set(HOSTILE[1:].replace("b", "").replace("[31m", "")) - {"\n"}
    if style == "json":
        assert json.loads(written)["body"] == HOSTILE
        assert json.loads(written)["attributes"]["map"] == {HOSTILE: HOSTILE}


def test_json_is_json_for_every_number(stream: io.StringIO, as_json: Emit) -> None:
    """NaN or infinity makes a line that is no JSON."""
    as_json(attributes={"a": [float("nan"), float("-inf"), 1.5], "b": 2**70})
    read = json.loads(stream.getvalue(), parse_constant=pytest.fail)
    assert read["attributes"] == {"a": ["nan", "-inf", 1.5], "b": 2**70}


def test_auto_is_pretty_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """``auto`` writes JSON on a terminal, or something else into a pipe."""
    terminal, pipe = Terminal(), io.StringIO()
    emit = emitter(ConsoleLogProcessor())
    for stream in (terminal, pipe):
        monkeypatch.setattr(sys, "stderr", stream)
        emit("x")
    assert "\x1b[32mINFO" in terminal.getvalue()
    assert json.loads(pipe.getvalue())["body"] == "x"


@pytest.mark.parametrize(
    ("environment", "terminal", "colored"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, True, False),
        ({"TERM": "dumb"}, True, False),
    ],
)
def test_colors(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], terminal: bool, colored: bool
) -> None:
    """``NO_COLOR``, ``FORCE_COLOR`` or a stream that is no terminal is not honoured."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal else io.StringIO()
    emitter(ConsoleLogProcessor("pretty", stream))("x", attributes={"a": 1})
    assert ("\x1b[" in stream.getvalue()) is colored


def test_what_was_shown_is_not_shown_again(stream: io.StringIO) -> None:
    """An event that the program has printed itself is printed again."""
    emit = emitter(
        ConsoleLogProcessor("json", stream, skip=lambda context: bool(context and "key" in context))
    )
    emit("shown", in_trace=True)
    emitter(ConsoleLogProcessor("json", stream, skip=lambda context: True))("shown")
    assert [json.loads(line)["body"] for line in stream.getvalue().splitlines()] == ["shown"]


def test_one_write_per_event() -> None:
    """A line is written in pieces, between which another process writes."""
    writes: list[str] = []

    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            writes.append(text)
            return len(text)

    emitter(ConsoleLogProcessor("pretty", Stream()))("x", exception=raised())
    assert len(writes) == 1


def streams() -> Iterator[tuple[str, Any]]:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    class Full(io.StringIO):
        def write(self, text: str) -> int:
            raise BlockingIOError(11, "full", 0)

    class Strange:
        """Neither ``isatty`` nor ``flush``."""

        def write(self, text: str) -> None:
            raise RuntimeError

    closed = io.StringIO()
    closed.close()
    yield from {
        "none": None,
        "closed": closed,
        "broken": Broken(),
        "full": Full(),
        "strange": Strange(),
    }.items()


@pytest.mark.parametrize(("name", "stream"), list(streams()))
@pytest.mark.parametrize("style", ["auto", "pretty", "json"])
def test_no_stream_makes_it_raise(
    monkeypatch: pytest.MonkeyPatch, name: str, stream: Any, style: Any
) -> None:
    """A program whose standard error is closed, full, broken or absent fails because it logs."""
    monkeypatch.setattr(sys, "stderr", stream)
    emitter(ConsoleLogProcessor(style))("x")


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_narrow_encodings(encoding: str) -> None:
    """A stream that cannot write a character loses the line, or gets JSON that is none."""
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding=encoding, write_through=True)
    emitter(ConsoleLogProcessor("json", stream))("é€😀")
    emitter(ConsoleLogProcessor("pretty", stream))("é€😀")
    first, second = raw.getvalue().decode(encoding).splitlines()
    assert json.loads(first)["body"] == "é€😀"
    assert "\\u20ac\\U0001f600" in second


def test_lines_of_many_threads_stay_whole() -> None:
    """Lines of threads that log at the same time are mixed."""
    reader, writer = os.pipe()
    received: list[bytes] = []

    def read() -> None:
        with open(reader, "rb") as source:
            received.extend(source)

    listener = threading.Thread(target=read)
    listener.start()
    with open(writer, "w", encoding="utf-8") as stream:
        emit = emitter(ConsoleLogProcessor("json", stream))
        threads = [
            threading.Thread(target=lambda i=i: [emit(f"{i} " + "x" * 500) for _ in range(20)])
            for i in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    listener.join(30)
    assert len([json.loads(line)["body"] for line in received]) == 1000


def test_a_child_can_write_though_its_parent_was_writing() -> None:
    """A process that is forked while another thread writes a line hangs when it logs."""
    from otel_kit.export.console import output

    reader, writer = os.pipe()
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with output._Lock.held:
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        with open(writer, "w", encoding="utf-8") as stream:
            emitter(ConsoleLogProcessor("json", stream))("from the child")
        os._exit(0)
    os.close(writer)
    done.set()
    holder.join()
    with open(reader, encoding="utf-8") as stream:
        assert json.loads(stream.read())["body"] == "from the child"
    os.waitpid(child, 0)


def test_a_standard_error_that_logs_is_passed_by(run_program: Any) -> None:
    """Each line on the console is a log record again in a worker of Celery's, which logs what is written to it."""
    done = run_program(
        """
        import logging, sys
        from celery.utils.log import LoggingProxy
        import otel_kit
        otel_kit.init_telemetry("jobs", console="json", instrument=(), traces_exporter="none", metrics_exporter="none",
            logs_exporter="none")
        sys.stderr = LoggingProxy(logging.getLogger("celery.redirected"))
        otel_kit.get_logger("jobs").info("adding")
        print("by the program", file=sys.stderr)
        """
    )
    bodies = [json.loads(line)["body"] for line in done.stderr.splitlines()]
    assert bodies == ["adding", "by the program"]


def test_a_line_for_people_leaves_out_what_its_sentence_says() -> None:
    """A measured operation's line carries all its figures, a float all its digits, or an amount of money loses some."""
    stream = io.StringIO()
    attributes = {"otel_kit.operation.cpu_time": 0.25, "ratio": 1 / 3, "amount": 1234567.25}
    emitter(ConsoleLogProcessor("pretty", stream))("restock 33.2 ms", attributes=attributes)
    assert (
        stream.getvalue().rstrip().endswith("restock 33.2 ms               ratio=0.333333 amount=1234567.25")
    )
    emitter(ConsoleLogProcessor("json", stream := io.StringIO()))("restock 33.2 ms", attributes=attributes)
    assert json.loads(stream.getvalue())["attributes"] == attributes


def test_a_json_line_holds_each_value_as_it_is(stream: io.StringIO, as_json: Emit) -> None:
    """A value, or what stands beside one that JSON does not have, is changed or lost in a line for programs."""
    values = {
        'a"b\\': 'say "hi"\n\x1b[2J',
        "bytes": b"\xff",
        "nested": {"list": [1, None, {"deep": True}], "nan": float("nan")},
        "number": -1.5e-300,
        "flag": False,
        "none": None,
        "é\u202e": "\u2028",
    }
    as_json('a "body"', attributes=values, event_name="shop.paid", in_trace=True)
    as_json({"a": 1}, attributes={"exception.type": "shop.NoFunds", "exception.message": "no funds"})
    first, second = (json.loads(line) for line in stream.getvalue().splitlines())
    assert first["attributes"] == {
        **values,
        "bytes": "/w==",
        "nested": {"list": [1, None, {"deep": True}], "nan": "nan"},
    }
    assert (first["body"], first["event_name"]) == ('a "body"', "shop.paid")
    assert (first["trace_id"], first["span_id"]) == (f"{TRACE_ID:032x}", f"{SPAN_ID:016x}")
    assert second["body"] == {"a": 1}
    assert second["exception"] == {"type": "shop.NoFunds", "message": "no funds"}
    assert "attributes" not in second
