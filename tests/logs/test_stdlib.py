"""The bridge from ``logging``: each record once and typed, whatever the program configures, and its handlers as they were."""

from __future__ import annotations

import codecs
import io
import logging
import logging.config
import logging.handlers
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, detach, set_value

from otel_kit import semconv
from otel_kit.signals import get_logger, set_level
from otel_kit.signals.logs import activate, already_shown, deactivate, install_bridges, remove_bridges

CONFIG = {
    "version": 1,
    "formatters": {"plain": {"format": "%(levelname)s %(message)s"}},
    "handlers": {"out": {"class": "logging.StreamHandler", "formatter": "plain"}},
    "root": {"level": "INFO", "handlers": ["out"]},
    "loggers": {"shop": {"level": "DEBUG", "propagate": False, "handlers": ["out"]}},
}


def by_file_config(tmp_path: Path) -> None:
    path = tmp_path / "logging.ini"
    path.write_text(
        "[loggers]\nkeys=root\n[handlers]\nkeys=out\n[formatters]\nkeys=\n"
        "[logger_root]\nlevel=INFO\nhandlers=out\n[handler_out]\nclass=StreamHandler\nargs=(sys.stderr,)\n"
    )
    logging.config.fileConfig(path, disable_existing_loggers=False)


def by_queue(tmp_path: Path) -> None:
    handler = logging.handlers.QueueHandler(queue.SimpleQueue())
    logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)


SETUPS: dict[str, Callable[[Path], Any]] = {
    "nothing": lambda _: None,
    "basicConfig": lambda _: logging.basicConfig(level=logging.INFO),
    "basicConfig force": lambda _: logging.basicConfig(level=logging.INFO, force=True),
    "dictConfig": lambda _: logging.config.dictConfig(CONFIG),
    "dictConfig keeping": lambda _: logging.config.dictConfig({**CONFIG, "disable_existing_loggers": False}),
    "fileConfig": by_file_config,
    "queue": by_queue,
    "no propagation": lambda _: setattr(logging.getLogger("shop"), "propagate", False),
    "handler": lambda _: logging.getLogger().addHandler(logging.StreamHandler()),
    "disabled root handlers": lambda _: logging.root.handlers.clear(),
}


@pytest.mark.parametrize("order", ["before", "after"])
@pytest.mark.parametrize("setup", sorted(SETUPS))
def test_each_record_arrives_once(pipeline: Any, tmp_path: Path, setup: str, order: str) -> None:
    """With some way of configuring ``logging``, before or after our set-up, a record arrives twice or not at all."""
    if order == "before":
        SETUPS[setup](tmp_path)
    activate(console=False)
    install_bridges()
    if order == "after":
        SETUPS[setup](tmp_path)
    log = logging.getLogger("shop.pay")
    log.disabled = False
    log.warning("card %s charged", "c1", extra={"amount": 12.5, "nested": {"a": [1]}})
    assert [(r.logger, r.severity, r.body, r.attributes) for r in pipeline.all] == [
        (
            "shop.pay",
            "WARN",
            "card c1 charged",
            {"amount": 12.5, "nested": {"a": (1,)}, semconv.LOG_TEMPLATE: "card %s charged"},
        )
    ]


def test_a_listener_does_not_emit_again(records: Any) -> None:
    """A record that goes through a queue to a listener's handlers becomes a record there too."""
    waiting: queue.SimpleQueue[Any] = queue.SimpleQueue()
    stream = io.StringIO()
    listener = logging.handlers.QueueListener(waiting, logging.StreamHandler(stream))
    listener.start()
    logging.basicConfig(level=logging.INFO, handlers=[logging.handlers.QueueHandler(waiting)], force=True)
    logging.getLogger("shop").info("x %d", 1)
    listener.stop()
    assert stream.getvalue() == "INFO:shop:x 1\n"
    assert records.one.body == "x 1"


def test_adapters_and_children(records: Any) -> None:
    """A ``LoggerAdapter``'s extra fields are lost, or its record arrives more than once."""
    logging.LoggerAdapter(logging.getLogger("a.b.c"), {"request": 7}).info("x")
    assert (records.one.logger, records.one.attributes) == ("a.b.c", {"request": 7})


def test_the_place_and_time_are_the_records(records: Any) -> None:
    """``code.*`` or the timestamp is not that of the stdlib record."""
    made = logging.makeLogRecord(
        {
            "name": "n",
            "levelno": 30,
            "levelname": "WARNING",
            "pathname": "/a/b.py",
            "lineno": 7,
            "funcName": "f",
        }
    )
    made.created = 1_700_000_000.25
    logging.getLogger("n").handle(made)
    record = records.one_raw
    assert record.timestamp == 1_700_000_000_250_000_000
    assert {k: v for k, v in record.attributes.items() if k.startswith("code.")} == {
        semconv.CODE_FILE_PATH: "/a/b.py",
        semconv.CODE_LINE_NUMBER: 7,
        semconv.CODE_FUNCTION_NAME: "f",
    }


def test_severities(records: Any) -> None:
    """A standard level has another name than OTel's, or a program's own level loses its name."""
    logging.addLevelName(25, "SUCCESS")
    for level in (20, 25, 26, 30, 40, 50, 60):
        logging.getLogger("x").log(level, "x")
    assert [(r.severity_text, r.severity_number.value) for r in records.raw] == [
        ("INFO", 9),
        ("SUCCESS", 12),
        ("INFO", 12),
        ("WARN", 13),
        ("ERROR", 17),
        ("FATAL", 21),
        ("FATAL", 24),
    ]


def test_exceptions_and_stacks(records: Any) -> None:
    """``exc_info`` or ``stack_info`` of a stdlib record is lost."""
    log = logging.getLogger("x")
    try:
        raise KeyError("k")
    except KeyError:
        log.exception("failed", stack_info=True)
    assert isinstance(records.one_raw.exception, KeyError)
    assert records.one.attributes[semconv.EXCEPTION_TYPE] == "KeyError"
    assert "test_exceptions_and_stacks" in records.one_raw.attributes[semconv.CODE_STACKTRACE]


def test_messages_that_are_no_strings(records: Any) -> None:
    """A dict, a number or a message object is not taken as what it is."""

    class Braces:
        def __init__(self, template: str, *args: object) -> None:
            self.template, self.args = template, args

        def __str__(self) -> str:
            return self.template.format(*self.args)

    log = logging.getLogger("x")
    log.info({"event": "paid", "amount": 3})
    log.info({"amount": 3})
    log.info(Braces("{} paid", "Ann"))
    log.info(42)
    log.info("%(a)s", {"a": 1})
    assert [
        (r.body, {k: v for k, v in r.attributes.items() if k != semconv.LOG_TEMPLATE}) for r in records.all
    ] == [
        ("paid", {"amount": 3}),
        ("{'amount': 3}", {"amount": 3}),
        ("Ann paid", {}),
        ("42", {}),
        ("1", {}),
    ]


def test_a_record_class_of_the_program_is_asked_for_its_message(records: Any) -> None:
    """A program's own ``LogRecord`` class with its own way of formatting is bypassed."""

    class BraceRecord(logging.LogRecord):
        def getMessage(self) -> str:
            return str(self.msg).format(*self.args or ())

    before = logging.getLogRecordFactory()
    logging.setLogRecordFactory(BraceRecord)
    try:
        logging.getLogger("x").info("{} paid", "Ann")
    finally:
        logging.setLogRecordFactory(before)
    assert records.one.body == "Ann paid"


def test_the_programs_handlers_keep_working(records: Any) -> None:
    """A handler of the program gets other records, or other text, than without us."""
    stream = io.StringIO()
    logging.basicConfig(level=logging.INFO, format="%(name)s %(message)s", stream=stream, force=True)
    logging.getLogger("x").info("a %d", 1)
    logging.getLogger("x").debug("b")
    assert stream.getvalue() == "x a 1\n"


def test_a_handler_that_raises_raises_as_before(records: Any) -> None:
    """An error of the program's own handler is hidden by us, or costs the record."""

    class Bad(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise OSError("disk")

    log = logging.getLogger("bad")
    log.addHandler(Bad())
    with pytest.raises(OSError, match="disk"):
        log.error("x")
    assert records.one.body == "x"


@pytest.mark.parametrize("name", ["opentelemetry", "opentelemetry.sdk.trace", "otel_kit", "otel_kit.export"])
def test_our_own_loggers_never_enter(records: Any, name: str) -> None:
    """What the SDK or we log becomes telemetry, and an error while exporting feeds itself."""
    logging.getLogger(name).error("x")
    assert records.all == []


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "grpc._channel", "requests", "asyncio"])
def test_transports_stay_out_while_we_export(records: Any, name: str) -> None:
    """What a transport logs while it carries our export enters our pipeline, or is never recorded at all."""
    token = attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))
    logging.getLogger(name).error("ours")
    logging.getLogger("shop").error("the program's")
    detach(token)
    logging.getLogger(name).error("the program's too")
    assert [r.body for r in records.all] == ["the program's", "the program's too"]


def test_unconfigured_levels_are_lowered_for_us_only(
    pipeline: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """In a program that configured nothing INFO is not recorded, or its own handlers print more than before."""
    install_bridges()
    activate(console=False, levels="info,chatty=debug")
    logging.getLogger("x").info("info")
    logging.getLogger("chatty.part").debug("debug")
    assert [r.body for r in pipeline.all] == ["info", "debug"]
    handlers, logging.root.handlers[:] = logging.root.handlers[:], []
    try:
        logging.basicConfig(format="%(message)s", stream=sys.stderr)
        logging.getLogger("x").info("info")
        logging.getLogger("x").warning("warning")
        logging.getLogger("chatty").info("info")
    finally:
        logging.root.handlers[:] = handlers
    assert capfd.readouterr().err == "warning\n"
    assert [r.body for r in pipeline.all] == ["info", "debug", "info", "warning", "info"]
    remove_bridges()
    assert logging.root.level == logging.WARNING
    assert type(logging.root.level) is int
    assert logging.getLogger("chatty").level == logging.NOTSET


def test_a_level_that_the_program_sets_stands(records: Any) -> None:
    """A level set by the program, before or after our set-up, is overridden by us or by our removal."""
    assert logging.root.level == logging.INFO
    logging.root.setLevel(logging.ERROR)
    logging.getLogger("x").warning("not wanted")
    set_level("debug")
    logging.getLogger("x").warning("not wanted")
    remove_bridges()
    assert (logging.root.level, records.all) == (logging.ERROR, [])
    install_bridges()
    assert logging.root.level == logging.ERROR


def test_a_level_of_the_same_value_counts_as_the_programs(records: Any) -> None:
    """``basicConfig(level=INFO)`` after us prints no INFO, because root stood at INFO already by our hand."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.root.addHandler(handler)
    logging.getLogger("x").info("1")
    logging.root.setLevel(logging.INFO)
    logging.getLogger("x").info("2")
    assert stream.getvalue() == "2\n"


def test_without_handlers_our_console_replaces_the_last_resort(
    pipeline: Any, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A warning in a program without handlers is printed by both ``logging`` and our console, or by none."""
    monkeypatch.setattr(logging.root, "handlers", [])
    install_bridges()
    activate(console=True)
    logging.getLogger("x").warning("shown by our console")
    logging.getLogger("opentelemetry.sdk").warning("about telemetry")
    activate(console=False)
    logging.getLogger("x").warning("shown by logging")
    assert capfd.readouterr().err == "about telemetry\nshown by logging\n"
    assert [r.body for r in pipeline.all] == ["shown by our console", "shown by logging"]


def test_what_the_program_prints_is_marked(records: Any, tmp_path: Path) -> None:
    """An event that a handler of the program prints to the terminal is not marked so, or one that it writes to a file is."""
    activate(console=True)
    log = logging.getLogger("x")
    log.propagate = False
    log.addHandler(logging.FileHandler(tmp_path / "log"))
    log.warning("file")
    log.addHandler(logging.StreamHandler(io.StringIO()))
    log.warning("memory")
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.ERROR)
    log.addHandler(terminal)
    log.warning("below its level")
    log.error("printed")
    for handler in log.handlers:
        handler.close()
    assert [(r.body, already_shown(r.context)) for r in records.raw] == [
        ("file", False),
        ("memory", False),
        ("below its level", False),
        ("printed", True),
    ]


def test_standard_error_by_another_name(records: Any) -> None:
    """A stream that ends at standard error, reopened or wrapped, is taken for a file, or one that is broken raises."""
    activate(console=True)
    log = logging.getLogger("x")
    log.propagate = False
    reopened = open(2, "w", closefd=False)  # noqa: SIM115

    class Wrapper(io.RawIOBase):
        streams = (io.StringIO(), reopened)

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise RuntimeError(name) if name != "write" else AttributeError(name)

    streams: list[Any] = [reopened, Wrapper(), codecs.getwriter("utf-8")(reopened), io.StringIO()]
    for stream in streams:
        log.handlers[:] = [logging.StreamHandler(stream)]
        log.handlers[0].handle = lambda record: True  # type: ignore[method-assign]
        log.warning("x")
    log.handlers[0].setStream(Broken())  # type: ignore[attr-defined]
    log.warning("x")
    assert [already_shown(r.context) for r in records.raw] == [True, True, True, False, False]


def test_handlers_get_no_more_about_telemetry_or_after_the_end(records: Any) -> None:
    """A level that we lowered lets the program's handlers print what they did not print, once we do not look at a record."""
    stream = io.StringIO()
    logging.root.addHandler(logging.StreamHandler(stream))
    logging.getLogger("opentelemetry.sdk").info("about telemetry")
    deactivate()
    logging.getLogger("x").info("after the end")
    logging.getLogger("x").warning("wanted")
    assert stream.getvalue() == "wanted\n"


def test_records_that_lack_everything(records: Any) -> None:
    """A record made by hand, without name, level or time, makes us raise."""
    logging.getLogger("x").handle(logging.makeLogRecord({"levelno": 30, "msg": "bare"}))
    assert (records.one.logger, records.one.body) == ("x", "bare")


def test_install_twice_and_again(pipeline: Any) -> None:
    """Bridges that are installed twice emit twice, or those that were removed do not come back."""
    before = logging.Logger.callHandlers
    activate(console=False)
    install_bridges()
    install_bridges()
    logging.getLogger("x").warning("1")
    remove_bridges()
    assert logging.Logger.callHandlers is before
    logging.getLogger("x").warning("not bridged")
    install_bridges()
    logging.getLogger("x").warning("2")
    deactivate()
    logging.getLogger("x").warning("not active")
    assert [r.body for r in pipeline.all] == ["1", "2"]


def test_a_wrapper_around_ours_survives(pipeline: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another tool that wraps ``callHandlers`` after us is cut off by our removal, or makes us emit twice."""
    activate(console=False)
    install_bridges()
    seen: list[str] = []
    ours = logging.Logger.callHandlers

    def theirs(self: logging.Logger, record: logging.LogRecord) -> None:
        seen.append(record.getMessage())
        ours(self, record)

    monkeypatch.setattr(logging.Logger, "callHandlers", theirs)
    remove_bridges()
    logging.getLogger("x").warning("1")
    install_bridges()
    logging.getLogger("x").warning("2")
    monkeypatch.undo()
    remove_bridges()
    assert (seen, [r.body for r in pipeline.all]) == (["1", "2"], ["2"])


def test_a_thousand_threads(records: Any) -> None:
    """Of what 1,000 threads log at the same time something is lost, doubled or mixed up."""
    ready = threading.Barrier(1000)

    def work(number: int) -> None:
        ready.wait(30)
        get_logger("ours").info("x", number=number)
        logging.getLogger("std").info("x", extra={"number": number})

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    for name in ("ours", "std"):
        assert sorted(r.attributes["number"] for r in records.all if r.logger == name) == list(range(1000))


def test_the_function_is_qualified(records: Any) -> None:
    """A stdlib record names its function in another form than our logger's, or one made by hand with odd fields is lost."""
    log, ours = logging.getLogger("x"), get_logger("x")

    class Shop:
        def close(self) -> None:
            for write in (log.warning, ours.warning, logging.warning):
                write("closed")
            log.exception("closed")
            log.log(logging.WARNING, "closed")

    def outer() -> None:
        inner()

    def inner() -> None:
        log.warning("outside", stacklevel=2)

    Shop().close()
    Shop().close()
    outer()
    log.propagate = False  # pytest's handler cannot show the next one
    log.handle(
        logging.makeLogRecord({"levelno": 30, "msg": "odd", "funcName": ["f"], "pathname": 1, "lineno": {}})
    )
    log.handle(
        logging.makeLogRecord({"levelno": 30, "msg": "bare", "funcName": "f", "pathname": "p", "lineno": 1})
    )
    *closed, outside, odd, bare = [record.attributes["code.function.name"] for record in records.raw]
    prefix = f"{__name__}.test_the_function_is_qualified.<locals>."
    assert closed == [f"{prefix}Shop.close"] * 10
    assert (outside, odd, bare) == (f"{prefix}outer", "['f']", "f")
