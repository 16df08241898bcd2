"""Before ``init_telemetry``, after ``shutdown`` and where telemetry is disabled, events go to the standard library's logging."""

from __future__ import annotations

import logging
from typing import Any

from otel_kit import semconv
from otel_kit.signals.logs.levels import TRACE
from otel_kit.signals.logs.values import text

_OURS = frozenset(
    {
        semconv.CODE_FUNCTION_NAME,
        semconv.CODE_FILE_PATH,
        semconv.CODE_LINE_NUMBER,
        semconv.CODE_STACKTRACE,
        semconv.LOG_TEMPLATE,
    }
)


def wants(name: str, level: int) -> bool:
    """Whether the program's logging configuration lets the event through."""
    return logging.getLogger(name).isEnabledFor(level)


def emit(
    name: str, level: int, body: str, attributes: dict[str, Any], exception: BaseException | None
) -> None:
    """Hand an event to ``logging.getLogger(name)``, its key-values behind its text."""
    logger = logging.getLogger(name)
    pairs = "".join(f" {key}={text(value)}" for key, value in attributes.items() if key not in _OURS)
    exc_info = None if exception is None else (type(exception), exception, exception.__traceback__)
    made = logger.makeRecord(
        name,
        level,
        attributes.get(semconv.CODE_FILE_PATH, "(unknown file)"),
        attributes.get(semconv.CODE_LINE_NUMBER, 0),
        f"{body}{pairs}",
        (),
        exc_info,
        func=attributes.get(semconv.CODE_FUNCTION_NAME, "").rpartition(".")[2],
        sinfo=attributes.get(semconv.CODE_STACKTRACE),
    )
    if level == TRACE:
        made.levelname = "TRACE"
    logger.handle(made)
