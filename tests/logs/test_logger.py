"""``get_logger``: what a call of one of its methods becomes."""

from __future__ import annotations

import asyncio
import copy
import logging
import os
import pickle
import signal
import sys
import threading
import time
from decimal import Decimal
from typing import Any

import pytest
import structlog

from otel_kit import semconv
from otel_kit.signals import get_logger, get_meter, get_tracer
from otel_kit.signals.logs import BoundLogger, activate, deactivate, install_bridges, levels, record
from otel_kit.signals.logs.values import CYCLE, TOO_DEEP
from tests.conftest import RunProgram

METHODS = [
    ("trace", "TRACE", 1),
    ("debug", "DEBUG", 5),
    ("info", "INFO", 9),
    ("warning", "WARN", 13),
    ("warn", "WARN", 13),
    ("error", "ERROR", 17),
    ("exception", "ERROR", 17),
    ("critical", "FATAL", 21),
    ("fatal", "FATAL", 21),
]


def test_an_event_becomes_a_record(records: Any) -> None:
    """The body, the logger's name, the severity or a typed value gets lost between the call and the record."""
    get_logger("shop.pay").info("card charged", amount=12.5, order_id=7, paid=True, note=None)
    assert records.one.logger == "shop.pay"
    assert records.one.body == "card charged"
    assert records.one.attributes == {"amount": 12.5, "order_id": 7, "paid": True, "note": None}


@pytest.mark.parametrize(("method", "text", "number"), METHODS)
def test_each_method_has_its_severity(records: Any, method: str, text: str, number: int) -> None:
    """A method, sync or async, gives its record another severity than OTel has for it."""
    activate(console=False, levels="trace")
    log = get_logger("shop")
    getattr(log, method)("sync")
    asyncio.run(getattr(log, f"a{method}")("async"))
    assert [(r.severity_text, r.severity_number.value, r.body) for r in records.raw] == [
        (text, number, "sync"),
        (text, number, "async"),
    ]


@pytest.mark.parametrize(
    ("level", "number"), [(20, 9), ("warning", 13), (25, 12), (99, 24), (1, 1), ("no", 9)]
)
def test_log_takes_any_level(records: Any, level: Any, number: int) -> None:
    """``log.log()`` with a number in between, or with a name, gets a wrong severity number."""
    activate(console=False, levels="trace")
    log = get_logger("shop")
    if level == 1:
        activate(console=False, levels="trace")
        log._logger.threshold = 0
    log.log(level, "sync")
    asyncio.run(log.alog(level, "async"))
    assert [r.severity_number.value for r in records.raw] == [number, number]


class Unbound:
    """A lazy object outside of what it stands for, as werkzeug's."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        raise RuntimeError("unbound")


def test_a_level_that_cannot_tell_what_it_is(records: Any) -> None:
    """A lazy object given as a level raises into the program."""
    get_logger("shop").log(Unbound(), "here")  # type: ignore[arg-type]
    assert records.one_raw.severity_text == "INFO"


@pytest.mark.parametrize("name", [[], {}, [1], {"a": 1}, 5, b"shop"])
def test_a_name_that_is_no_text_becomes_one(name: Any) -> None:
    """A scope that is no text raises from deep inside OpenTelemetry."""
    get_tracer(name).start_span("step").end()
    get_meter(name).create_counter("steps").add(1)
    get_logger(name).debug("step")


def test_a_closed_stdout_is_nobodys_trouble(run_program: RunProgram) -> None:
    """The first logger of a program that closed its stdout raises, because structlog asks it for a terminal."""
    done = run_program(
        """
        import sys, otel_kit
        sys.stdout.close()
        otel_kit.init_telemetry("job", traces_exporter="none", metrics_exporter="none", logs_exporter="none")
        otel_kit.get_logger().warning("still here")
        assert sys.stdout.closed
        """,
        env={"OTEL_KIT_CONSOLE": "json"},
    )
    assert done.returncode == 0, done.stderr
    assert "still here" in done.stderr


def test_the_place_is_the_users(records: Any) -> None:
    """``code.*`` names a line of ours or of structlog instead of the user's."""
    line = sys._getframe().f_lineno + 1
    get_logger("shop").info("here")
    attributes = records.one_raw.attributes
    assert attributes[semconv.CODE_FILE_PATH] == __file__
    assert attributes[semconv.CODE_LINE_NUMBER] == line
    assert attributes[semconv.CODE_FUNCTION_NAME] == f"{__name__}.test_the_place_is_the_users"


def test_a_place_that_is_given_stays(records: Any) -> None:
    """A wrapper that knows the place better is overruled."""
    get_logger("shop").info("here", **{semconv.CODE_FUNCTION_NAME: "their.own"})
    assert records.one_raw.attributes[semconv.CODE_FUNCTION_NAME] == "their.own"


def test_the_place_of_a_coroutine_is_the_users(records: Any) -> None:
    """``await log.ainfo()`` names another function than the one that awaits."""

    async def work() -> None:
        await get_logger("shop").ainfo("here")

    asyncio.run(work())
    assert records.one_raw.attributes[semconv.CODE_FUNCTION_NAME].endswith(".<locals>.work")


def test_stacklevel_names_an_outer_frame(records: Any) -> None:
    """A helper that logs with ``stacklevel=2`` is named itself instead of its caller."""

    def helper() -> None:
        get_logger("shop").info("here", stacklevel=2)

    helper()
    assert records.one_raw.attributes[semconv.CODE_FUNCTION_NAME].endswith("an_outer_frame")


def test_the_name_is_the_callers_module_by_default(records: Any) -> None:
    """``get_logger()`` without a name is not named after the module that calls it."""
    get_logger().info("x")
    assert records.one.logger == __name__


def test_nested_values_keep_their_types(records: Any) -> None:
    """A dict or list among the values becomes text, or loses the types inside."""
    get_logger("shop").info("x", items=[{"sku": "a", "n": 2}, None, 1.5], map={"deep": {"er": [True]}})
    assert records.one.attributes["items"] == ({"sku": "a", "n": 2}, None, 1.5)
    assert records.one.attributes["map"] == {"deep": {"er": (True,)}}


def test_bound_values_are_on_each_event(records: Any) -> None:
    """``bind``, ``unbind``, ``try_unbind`` or ``new`` does not do what structlog's does."""
    log = get_logger("shop").bind(a=1, b=2)
    log.info("1", b=3)
    log.unbind("a").info("2")
    log.try_unbind("b", "none").info("3")
    log.new(c=4).info("4")
    log.info("5")
    assert [r.attributes for r in records.all] == [
        {"a": 1, "b": 3},
        {"b": 2},
        {"a": 1},
        {"c": 4},
        {"a": 1, "b": 2},
    ]
    with pytest.raises(KeyError):
        log.unbind("none")


def test_it_is_a_structlog_logger() -> None:
    """What ``get_logger`` returns is not one of structlog's bound loggers."""
    log = get_logger("shop")
    assert isinstance(log, BoundLogger)
    assert isinstance(log, structlog.BoundLoggerBase)
    assert structlog.get_context(log.bind(a=1)) == {"a": 1}


def test_the_programs_structlog_configuration_has_no_part_in_it(records: Any) -> None:
    """``structlog.configure`` of the program changes what our logger emits."""
    log = get_logger("shop")

    def explode(*_: Any) -> Any:
        raise RuntimeError("not for our loggers")

    structlog.configure(processors=[explode], wrapper_class=structlog.make_filtering_bound_logger(50))
    log.info("x", a=1)
    get_logger("later").info("y")
    assert [r.body for r in records.all] == ["x", "y"]


def test_positional_arguments_are_as_in_logging(records: Any) -> None:
    """Positional arguments or a mapping are not formatted in, or the template is lost."""
    log = get_logger("shop")
    log.info("%s paid %.2f", "Ann", 3)
    log.info("%(who)s paid", {"who": "Bob"}, n=1)
    log.info("100% sure")
    assert [(r.body, r.attributes) for r in records.all] == [
        ("Ann paid 3.00", {semconv.LOG_TEMPLATE: "%s paid %.2f"}),
        ("Bob paid", {semconv.LOG_TEMPLATE: "%(who)s paid", "n": 1}),
        ("100% sure", {}),
    ]


@pytest.mark.parametrize(
    ("template", "arguments"), [("%d", ("x",)), ("hello", ("world",)), ("%s %s", ("a",)), ("%", (1,))]
)
def test_arguments_that_do_not_fit_are_told(records: Any, template: str, arguments: tuple[Any, ...]) -> None:
    """``log.info("%d", "x")`` raises, or its record does not say what was given."""
    get_logger("shop").info(template, *arguments)
    logging.getLogger("std").info(template, *arguments)
    assert len(records.all) == 2
    for seen in records.all:
        assert seen.body.startswith(f"{template} [arguments {arguments} do not fit: ")
        assert seen.attributes == {semconv.LOG_TEMPLATE: template, semconv.LOG_ARGUMENTS: arguments}


def test_keys_named_like_parameters_are_attributes(records: Any) -> None:
    """A key named like one of our parameters raises, or takes the place of the event."""
    names = [
        "event",
        "self",
        "level",
        "name",
        "args",
        "kw",
        "method",
        "logger",
        "timestamp",
        "body",
        "exception",
    ]
    keys: dict[str, Any] = {name: f"my {name}" for name in names}
    get_logger("shop").bind(**keys).info("text", **keys)
    assert records.one.body == "text"
    assert records.one.attributes == keys


def test_the_event_may_come_by_keyword(records: Any) -> None:
    """``log.info(event="x")``, which structlog allows, has no body."""
    get_logger("shop").info(event="x", a=1)
    assert (records.one.body, records.one.attributes) == ("x", {"a": 1})


def test_an_event_name_is_the_records(records: Any) -> None:
    """``event_name=`` becomes an attribute instead of the record's event name."""
    get_logger("shop").info("card charged", event_name="shop.payment", a=1)
    get_logger("shop").info(event_name="shop.refund")
    assert [(r.event_name, r.body) for r in records.raw] == [
        ("shop.payment", "card charged"),
        ("shop.refund", "shop.refund"),
    ]
    assert records.all[0].attributes == {"a": 1}


@pytest.mark.parametrize("way", ["true", "instance", "tuple", "method", "async method"])
def test_an_exception_arrives_with_its_traceback(records: Any, way: str) -> None:
    """``exc_info`` in one of its forms is not resolved, and the exception is lost silently."""
    log = get_logger("shop")
    try:
        raise LookupError("no such card")
    except LookupError as error:
        if way == "method":
            log.exception("failed")
        elif way == "async method":
            asyncio.run(log.aexception("failed", exc_info=error))
        else:
            log.error("failed", exc_info={"true": True, "instance": error, "tuple": sys.exc_info()}[way])
    assert isinstance(records.one_raw.exception, LookupError)
    attributes = records.one.attributes
    assert attributes[semconv.EXCEPTION_TYPE] == "LookupError"
    assert attributes[semconv.EXCEPTION_MESSAGE] == "no such card"
    assert "test_logger.py" in attributes[semconv.EXCEPTION_STACKTRACE]
    assert set(attributes) == {
        semconv.EXCEPTION_TYPE,
        semconv.EXCEPTION_MESSAGE,
        semconv.EXCEPTION_STACKTRACE,
    }


@pytest.mark.parametrize("given", [True, (None, None, None), "yes", 1, ValueError, False, None])
def test_without_a_current_exception_there_is_none(records: Any, given: Any) -> None:
    """``exc_info`` outside of an ``except`` block raises, or invents an exception."""
    get_logger("shop").error("failed", exc_info=given)
    get_logger("shop").exception("failed")
    assert [(r.exception, r.body) for r in records.raw] == [(None, "failed")] * 2
    assert [r.attributes for r in records.all] == [{}, {}]


def test_stack_info_is_the_stack(records: Any) -> None:
    """``stack_info=True`` does not give the calls that led to the event."""
    get_logger("shop").info("x", stack_info=True)
    stack = records.one_raw.attributes[semconv.CODE_STACKTRACE]
    assert stack.endswith('get_logger("shop").info("x", stack_info=True)')
    assert "stack_info" not in records.one_raw.attributes


def test_events_that_are_no_strings(records: Any) -> None:
    """A dict, an exception or an object as the event raises, or a dict's items do not become attributes."""
    log: Any = get_logger("shop")
    log.info({"event": "paid", "n": 1}, n=2)
    log.info({"x": {"y": 1}})
    log.error(ValueError("bad"))
    log.info(12)
    log.info()
    log.info(None, a=1)
    assert [(r.body, r.attributes) for r in records.all] == [
        ("paid", {"n": 2}),
        ("{'x': {'y': 1}}", {"x": {"y": 1}}),
        ("bad", {}),
        ("12", {}),
        ("", {}),
        ("", {"a": 1}),
    ]


class Evil:
    """An object none of whose special methods works."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__

    def __bool__(self) -> bool:
        raise RuntimeError("no truth")

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no equality")

    __hash__ = None  # type: ignore[assignment]


class EvilError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


class EvilString(str):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __len__ = __str__  # type: ignore[assignment]


class EvilDict(dict[str, Any]):
    def items(self) -> Any:
        raise RuntimeError("no items")


class EvilList(list[Any]):
    def __iter__(self) -> Any:
        raise RuntimeError("no items")


def cyclic() -> list[Any]:
    value: list[Any] = []
    value.append({"again": value})
    return value


def deep(levels: int) -> Any:
    value: Any = "bottom"
    for _ in range(levels):
        value = {"in": [value]}
    return value


HOSTILE = {
    "evil": Evil(),
    "evil string": EvilString("evil"),
    "evil dict": EvilDict(a=1),
    "evil list": EvilList([1]),
    "cycle": cyclic(),
    "deep": deep(5000),
    "surrogate": "\ud800",
    "big int": 2**70,
    "huge int": 10**5000,
    "long": "x" * 10_000_000,
    "generator": (i for i in range(3)),
    "keys": {1: "one", None: "none", (1, 2): "tuple", Evil: 1, "": "empty"},
    "nan": float("nan"),
    "exception": EvilError(),
    "decimal": Decimal("1.5"),
    "set": {1, 2},
    "bytes": b"\xff\x00",
    "lambda": lambda: None,
    "type": Evil,
    "many": list(range(100_000)),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_values_never_raise(records: Any, name: str, capfd: pytest.CaptureFixture[str]) -> None:
    """A value in some field of a call, ours or the standard library's, raises, costs the record, or makes somebody complain."""
    value = HOSTILE[name]
    log: Any = get_logger("shop")
    std = logging.getLogger("std")
    log.info("as value", value=value)
    log.info("as argument %s", value)
    log.info("as misfit", value)
    log.info(value)
    log.info("as event name", event_name=value)
    log.info("as exception", exc_info=value)
    log.info("as stack", stack_info=value, stacklevel=value)
    log.bind(value=value).info("bound")
    log.log(value, "as level")
    std.info("std as value", extra={"value": value})
    std.info("std as misfit", value)
    std.info(value)
    assert records.all[0].body == "as value"
    assert len(records.all) == 12
    assert capfd.readouterr().err == ""


def test_an_exception_that_cannot_speak_is_a_record(records: Any) -> None:
    """An exception whose ``__str__`` raises costs its record."""
    try:
        raise EvilError
    except EvilError:
        get_logger("shop").exception("failed")
    assert records.one.attributes[semconv.EXCEPTION_TYPE].endswith("EvilError")
    assert "test_logger.py" in records.one.attributes[semconv.EXCEPTION_STACKTRACE]


def test_what_becomes_of_hostile_values(records: Any) -> None:
    """A cycle, a deep value, an object without text or a strange key is not replaced by something that says so."""
    get_logger("shop").info(
        "x", cycle=cyclic(), keys={1: 2, "": 3}, evil=Evil(), deep=deep(20), d=Decimal("1.5")
    )
    attributes = records.one.attributes
    assert attributes["cycle"] == ({"again": CYCLE},)
    assert attributes["keys"] == {"1": 2, "(empty)": 3}
    assert attributes["evil"] == "<Evil: its text raised RuntimeError>"
    assert attributes["d"] == "1.5"
    assert TOO_DEEP in str(attributes["deep"])


def test_logging_inside_a_value_does_not_recurse(records: Any) -> None:
    """A ``__str__`` that logs the object itself runs in circles."""

    class Chatty:
        def __str__(self) -> str:
            get_logger("inner").info("asked", me=self)
            logging.getLogger("inner.std").info("asked")
            return "chatty"

    get_logger("outer").info("x", value=Chatty())
    get_logger("outer").info("%s", Chatty())
    assert [r.body for r in records.all if r.logger == "outer"] == ["x", "chatty"]
    assert {r.logger for r in records.all} == {"outer", "inner", "inner.std"}
    assert len(records.all) <= 8


def test_loggers_made_before_follow(pipeline: Any) -> None:
    """A logger made before telemetry was set up emits nothing after it, or something after it ended."""
    log = get_logger("shop").bind(a=1)
    log.info("before")
    activate(console=False)
    log.info("during")
    deactivate()
    log.info("after")
    assert [r.body for r in pipeline.all] == ["during"]


def test_without_telemetry_events_go_to_logging(pipeline: Any, caplog: pytest.LogCaptureFixture) -> None:
    """Before ``init_telemetry`` an event is lost instead of going to the program's own logging."""
    log = get_logger("shop").bind(b=2)
    log.info("not wanted by the program")
    with caplog.at_level(logging.INFO, logger="shop"):
        log.info("%s paid", "Ann", a=1, event="e")
        log.debug("not wanted by the program")
        log.critical("bad %d", "x")
        try:
            raise ValueError("v")
        except ValueError:
            log.exception("failed")
    (paid, bad, failed) = caplog.records
    assert (paid.getMessage(), paid.levelname, paid.name) == ("Ann paid b=2 a=1 event=e", "INFO", "shop")
    assert (paid.pathname, paid.funcName) == (__file__, "test_without_telemetry_events_go_to_logging")
    assert bad.getMessage().startswith("bad %d [arguments ('x',) do not fit: ")
    assert failed.exc_info is not None
    assert isinstance(failed.exc_info[1], ValueError)


def test_a_child_can_make_loggers_though_its_parent_was_making_one(records: Any) -> None:
    """A process that is forked while another thread makes a logger hangs when it makes one."""
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with levels._lock:
            held.set()
            done.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(30)
    child = os.fork()
    if child == 0:
        get_logger("made.in.the.child").info("x")
        os._exit(7)
    done.set()
    holder.join()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7


def test_a_signal_handler_can_log(records: Any) -> None:
    """A signal handler that logs hangs, or loses its events, because its thread is in the middle of a log call."""
    log, said = get_logger("shop"), []

    def handle(*_: Any) -> None:
        said.append(len(said))
        log.info("handler", number=len(said) - 1)

    before = signal.signal(signal.SIGVTALRM, handle)
    try:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
        deadline = time.monotonic() + 20
        while len(said) < 100 and time.monotonic() < deadline:
            log.info("program")
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    log.info("program")
    got = [r.attributes["number"] for r in records.all if r.body == "handler"]
    assert len(set(got)) == len(got)
    # One that comes while another's is made up for is left out, lest a processor that logs never end.
    assert len(said) == 100
    assert len(got) >= 0.95 * len(said)


@pytest.mark.parametrize("name", ["shop", "std"])
def test_a_processor_that_logs_does_not_recurse(
    pipeline: Any, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """A processor that logs on each record runs in circles, or what it says is lost."""
    emit = record.get_logger

    class Chatty:
        def __init__(self, name: str) -> None:
            self._logger = emit(name)

        def emit(self, **fields: Any) -> None:
            get_logger("inner").info("ours")
            logging.getLogger("inner").info("std")
            self._logger.emit(**fields)

    monkeypatch.setattr(record, "get_logger", Chatty)
    activate(console=False)
    install_bridges()
    (get_logger(name) if name == "shop" else logging.getLogger(name)).warning("outer")
    assert [r.body for r in pipeline.all] == ["outer", "ours", "std"]


def test_loggers_can_be_copied_and_pickled(records: Any) -> None:
    """An object that holds a logger cannot be copied or sent to another process."""
    log = get_logger("shop").bind(a=1)
    copy.deepcopy(log).info("copied")
    pickle.loads(pickle.dumps(log)).info("pickled")
    assert [(r.logger, r.body, r.attributes) for r in records.all] == [
        ("shop", "copied", {"a": 1}),
        ("shop", "pickled", {"a": 1}),
    ]


def test_objects_that_lie_or_raise(records: Any) -> None:
    """A logger's name whose text raises makes ``get_logger`` raise, or an event that lies about its class is lost."""

    class Mute:
        def __str__(self) -> str:
            raise RuntimeError("no text")

        __repr__ = __str__

    class Liar:
        __class__ = dict  # type: ignore[assignment]

        def __str__(self) -> str:
            return "a liar"

    get_logger(Mute()).info("said")  # type: ignore[arg-type]
    get_logger("x").info(Liar(), value=Liar())
    logging.getLogger("x").warning(Liar(), extra={"value": Liar()})
    assert [record.body for record in records.all] == ["said", "a liar", "a liar"]
    assert "Mute" in records.all[0].logger
