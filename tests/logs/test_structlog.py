"""The bridge from a structlog that the program configures: each event once and typed, in all usual wirings."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from structlog.stdlib import ProcessorFormatter

from otel_kit import semconv
from otel_kit.signals import set_level
from otel_kit.signals.logs import activate, already_shown, deactivate, install_bridges, remove_bridges
from otel_kit.signals.logs.structlog_bridge import Tap

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.processors.TimeStamper(fmt="iso"),
    structlog.processors.StackInfoRenderer(),
]


def stdlib_configured(renderer: Any, *more: Any, **options: Any) -> None:
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *SHARED, *more, renderer],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        **options,
    )


def root_handler(formatter: logging.Formatter | None = None) -> None:
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(formatter)
    logging.root.addHandler(handler)
    logging.root.setLevel(logging.INFO)


def by_processor_formatter() -> None:
    stdlib_configured(ProcessorFormatter.wrap_for_formatter)
    root_handler(ProcessorFormatter(processor=structlog.processors.JSONRenderer()))


def by_log_kwargs() -> None:
    stdlib_configured(structlog.stdlib.render_to_log_kwargs)
    root_handler()


def by_log_args_and_kwargs() -> None:
    structlog.configure(
        processors=[*SHARED[:3], structlog.stdlib.render_to_log_args_and_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    root_handler()


def by_json_into_logging() -> None:
    stdlib_configured(structlog.processors.JSONRenderer(), structlog.processors.format_exc_info)
    root_handler()


def by_json_cached() -> None:
    stdlib_configured(
        structlog.processors.JSONRenderer(),
        structlog.processors.dict_tracebacks,
        cache_logger_on_first_use=True,
    )
    root_handler()


def by_json_to_stdout() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def by_bytes() -> None:
    structlog.configure(
        processors=[structlog.processors.add_log_level, lambda _, __, d: repr(d).encode()],
        logger_factory=structlog.BytesLoggerFactory(io.BytesIO()),
        cache_logger_on_first_use=True,
    )


def by_renamed_event() -> None:
    structlog.configure(
        processors=[
            structlog.processors.EventRenamer("msg"),
            structlog.processors.UnicodeDecoder(),
            structlog.processors.LogfmtRenderer(sort_keys=False, bool_as_flag=False),
        ],
    )


def by_tuple() -> None:
    structlog.configure(
        processors=(structlog.processors.add_log_level, structlog.processors.KeyValueRenderer())
    )


WIRINGS: dict[str, Callable[[], None]] = {
    "defaults": lambda: None,
    "recreated defaults": lambda: structlog.stdlib.recreate_defaults(log_level=logging.INFO),
    "ProcessorFormatter": by_processor_formatter,
    "render_to_log_kwargs": by_log_kwargs,
    "render_to_log_args_and_kwargs": by_log_args_and_kwargs,
    "JSON into logging": by_json_into_logging,
    "JSON into logging, cached": by_json_cached,
    "JSON to stdout": by_json_to_stdout,
    "bytes, cached": by_bytes,
    "renamed event": by_renamed_event,
    "a tuple of processors": by_tuple,
}


@pytest.mark.parametrize("order", ["before", "used before", "after"])
@pytest.mark.parametrize("wiring", sorted(WIRINGS))
def test_each_event_arrives_once_and_typed(
    pipeline: Any, wiring: str, order: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """In some wiring, configured before or after our set-up, an event arrives twice, as text, or not at all."""
    logger: Any = None
    if order != "after":
        WIRINGS[wiring]()
        logger = structlog.get_logger("shop")
        if order == "used before":
            logger.info("before us")
    activate(console=False)
    install_bridges()
    if order == "after":
        WIRINGS[wiring]()
        logger = structlog.get_logger("shop")
    logger = logger.bind(order_id=7)
    logger.info("card charged", amount=12.5, nested={"a": [1]})
    assert [(r.severity, r.body, r.attributes) for r in pipeline.all] == [
        ("INFO", "card charged", {"order_id": 7, "amount": 12.5, "nested": {"a": (1,)}})
    ]
    assert pipeline.raw[0].attributes[semconv.CODE_FILE_PATH] == __file__
    assert pipeline.all[0].logger == (
        "shop" if logging.root.handlers and "logg" in wiring else pipeline.all[0].logger
    )


@pytest.mark.parametrize("wiring", sorted(WIRINGS))
def test_exceptions_arrive_as_exceptions(
    records: Any, wiring: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """In some wiring the exception of an event is lost, or is an attribute with its rendered text."""
    WIRINGS[wiring]()
    log: Any = structlog.get_logger("shop")
    try:
        raise LookupError("no such card")
    except LookupError as error:
        log.exception("failed", n=1)
        log.error("failed", exc_info=error, n=1)
    assert [type(r.exception) for r in records.raw] == [LookupError, LookupError]
    for seen in records.all:
        assert (seen.severity, seen.body) == ("ERROR", "failed")
        assert seen.attributes.pop(semconv.EXCEPTION_STACKTRACE).startswith("Traceback")
        assert seen.attributes == {
            semconv.EXCEPTION_TYPE: "LookupError",
            semconv.EXCEPTION_MESSAGE: "no such card",
            "n": 1,
        }


@pytest.mark.parametrize("wiring", ["ProcessorFormatter", "render_to_log_kwargs", "JSON into logging"])
def test_records_of_logging_beside_it_arrive_too(records: Any, wiring: str) -> None:
    """Where structlog is wired into ``logging``, a record of ``logging`` itself is lost or doubled."""
    WIRINGS[wiring]()
    structlog.get_logger("shop").info("structlog")
    logging.getLogger("shop").info("logging", extra={"a": 1})
    structlog.get_logger("shop").info("structlog")
    assert [(r.logger, r.body, r.attributes) for r in records.all] == [
        ("shop", "structlog", {}),
        ("shop", "logging", {"a": 1}),
        ("shop", "structlog", {}),
    ]


@pytest.mark.parametrize(
    "processors",
    [
        [structlog.processors.JSONRenderer()],
        [*SHARED, ProcessorFormatter.wrap_for_formatter],
        (structlog.processors.add_log_level, structlog.stdlib.render_to_log_kwargs),
        [],
    ],
)
def test_wrapped_loggers_with_processors_of_their_own(records: Any, processors: Any) -> None:
    """A logger of ``wrap_logger(processors=…)`` is missed, or arrives twice."""
    root_handler()

    class Anything:
        def info(self, *args: Any, **kw: Any) -> None:
            pass

    wrapped = logging.getLogger("own") if processors else Anything()
    log = structlog.wrap_logger(wrapped, processors=processors, wrapper_class=structlog.BoundLogger)
    log.info("x", a=1)
    log.info("y", a=2)
    assert [(r.body, r.attributes) for r in records.all] == [("x", {"a": 1}), ("y", {"a": 2})]


def test_a_logger_around_another(records: Any) -> None:
    """A structlog logger that wraps a structlog logger emits each event twice."""
    inner = structlog.get_logger("inner")
    outer = structlog.wrap_logger(inner, processors=[lambda _, __, d: ((d.pop("event"),), d)])
    outer.info("x", a=1)
    assert [(r.body, r.attributes) for r in records.all] == [("x", {"a": 1})]


def test_structlogs_own_get_logger_and_async_loggers(records: Any) -> None:
    """Events of ``structlog.stdlib.get_logger``, of ``ainfo`` or of ``AsyncBoundLogger`` are lost, doubled or misplaced."""
    by_json_into_logging()

    async def work() -> None:
        log = structlog.stdlib.get_logger("shop")
        log.info("sync")
        await log.ainfo("async", n=1)
        try:
            raise ValueError("v")
        except ValueError:
            await log.aexception("failed")
        async_log = structlog.wrap_logger(
            logging.getLogger("shop"), wrapper_class=structlog.stdlib.AsyncBoundLogger
        )
        await async_log.info("async logger", n=2)

    asyncio.run(work())
    assert [(r.logger, r.body) for r in records.all] == [
        ("shop", "sync"),
        ("shop", "async"),
        ("shop", "failed"),
        ("shop", "async logger"),
    ]
    assert records.all[2].attributes[semconv.EXCEPTION_TYPE] == "ValueError"
    for made in records.raw:
        assert made.attributes[semconv.CODE_FILE_PATH] == __file__


def test_the_programs_filters_drop(records: Any) -> None:
    """An event that the program's own filters drop becomes a record."""
    by_processor_formatter()
    logging.getLogger("quiet").setLevel(logging.ERROR)
    structlog.get_logger("quiet").info("below its level")

    def drop_healthchecks(_: Any, __: str, event_dict: Any) -> Any:
        if event_dict.get("path") == "/health":
            raise structlog.DropEvent
        return event_dict

    structlog.configure(processors=[drop_healthchecks, structlog.processors.JSONRenderer()])
    structlog.get_logger("shop").info("request", path="/health")
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_kwargs], logger_factory=structlog.stdlib.LoggerFactory()
    )
    structlog.get_logger("quiet").info("without filter_by_level")
    assert records.all == []


def test_our_levels_hold_for_structlog(records: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """An event below our level becomes a record, or is no longer printed by the program."""
    by_json_into_logging()
    set_level("info,shop=error")
    stream: Any = logging.root.handlers[-1]
    structlog.get_logger("shop").info("quiet")
    structlog.get_logger("other").info("heard")
    assert [r.body for r in records.all] == ["heard"]
    assert "quiet" in stream.stream.getvalue()


def test_a_processor_sees_and_changes_before_us(records: Any) -> None:
    """What a program's processor masks or adds, the last one before the renderer too, is not in the record."""

    def mask(_: Any, __: str, event_dict: Any) -> Any:
        return {**event_dict, "card": "***", "added": True}

    structlog.configure(
        processors=[structlog.processors.format_exc_info, mask, structlog.processors.JSONRenderer()]
    )
    structlog.get_logger().info("x", card="4111")
    assert records.one.attributes == {"card": "***", "added": True}


def test_given_keys_stay_generated_ones_go(records: Any) -> None:
    """A timestamp or level that a processor adds becomes an attribute, or one that the program gives is lost."""
    structlog.configure(processors=[*SHARED[:2], SHARED[4], structlog.processors.JSONRenderer()])
    structlog.get_logger().info("generated")
    structlog.configure(processors=[structlog.processors.JSONRenderer()])
    structlog.get_logger().info("given", timestamp=5, logger="shop.named", level=3)
    assert [r.attributes for r in records.all] == [{}, {"timestamp": 5, "logger": "shop.named", "level": 3}]
    assert records.all[1].logger == "shop.named"
    assert records.all[0].logger == __name__


def test_event_names_stacks_and_positional_arguments(records: Any) -> None:
    """``event_name=``, ``stack_info=`` or positional arguments of structlog's loggers are not understood."""
    structlog.configure(
        processors=[structlog.stdlib.render_to_log_args_and_kwargs],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    structlog.get_logger("shop").warning("%s paid", "Ann", stack_info=True, event_name="shop.paid")
    assert (records.one.body, records.one.attributes) == ("Ann paid", {semconv.LOG_TEMPLATE: "%s paid"})
    assert records.one_raw.event_name == "shop.paid"
    assert "test_event_names_stacks" in records.one_raw.attributes[semconv.CODE_STACKTRACE]


def test_capture_logs_works_and_emits_nothing(records: Any) -> None:
    """A user's test with ``capture_logs`` captures something else than without us, or what it captures is emitted."""
    log = structlog.get_logger("shop")
    log.info("before")
    with structlog.testing.capture_logs() as captured:
        log.info("x", a=1)
        structlog.get_logger().warning("y")
    log.info("after")
    assert captured == [
        {"event": "x", "a": 1, "log_level": "info"},
        {"event": "y", "log_level": "warning"},
    ]
    assert [r.body for r in records.all] == ["before", "after"]


def test_reset_and_removal_leave_structlog_as_it_was(
    pipeline: Any, capfd: pytest.CaptureFixture[str]
) -> None:
    """After our removal something of ours is left in structlog, or after ``reset_defaults`` events are missed."""
    before, defaults = structlog.BoundLoggerBase._proxy_to_logger, structlog.get_config()["processors"][:]
    activate(console=False)
    install_bridges()
    install_bridges()
    log = structlog.get_logger("shop")
    log.info("1")
    structlog.reset_defaults()
    log.info("2")
    assert any(isinstance(each, Tap) for each in structlog.get_config()["processors"])
    remove_bridges()
    assert structlog.BoundLoggerBase._proxy_to_logger is before
    assert structlog.get_config()["processors"] == defaults
    log.info("3")
    install_bridges()
    log.info("4")
    deactivate()
    log.info("5")
    assert [r.body for r in pipeline.all] == ["1", "2", "4"]
    assert len(capfd.readouterr().out.splitlines()) == 5


def test_what_structlog_prints_is_marked(records: Any) -> None:
    """An event that structlog prints to the terminal is shown by our console again, or one that goes to a file is not."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    structlog.get_logger().info("terminal")
    structlog.configure(logger_factory=structlog.WriteLoggerFactory(io.StringIO()))
    structlog.get_logger().info("memory")
    assert [(r.body, already_shown(r.context)) for r in records.raw] == [
        ("terminal", True),
        ("memory", False),
    ]


def test_errors_of_the_programs_processors_are_the_programs(records: Any) -> None:
    """An error in a program's processor or renderer is hidden, or one of ours gets out."""

    def fail(*_: Any) -> Any:
        raise OSError("theirs")

    structlog.configure(processors=[fail, structlog.processors.JSONRenderer()])
    with pytest.raises(OSError, match="theirs"):
        structlog.get_logger().info("x")
    assert records.all == []


@pytest.mark.parametrize("wiring", ["defaults", "ProcessorFormatter"])
def test_logging_beside_and_inside(records: Any, wiring: str, capfd: pytest.CaptureFixture[str]) -> None:
    """What a processor logs through ``logging`` while an event passes is taken for the event's own record."""

    def noisy(_: Any, __: str, event_dict: Any) -> Any:
        logging.getLogger("noisy").warning("inside")
        return event_dict

    WIRINGS[wiring]()
    structlog.get_config()["processors"].insert(0, noisy)
    structlog.get_logger("shop").info("outside")
    assert [r.body for r in records.all] == ["inside", "outside"]
