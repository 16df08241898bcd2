"""``get_logger``: a structlog logger whose events become OpenTelemetry log records. Importing this file imports structlog."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any, Self, cast

from otel_kit.signals.logs import structlog_import  # noqa: F401 (first: it may be impossible otherwise)

# isort: split
import structlog
from structlog import BoundLoggerBase

from otel_kit.signals.logs import fallback, record
from otel_kit.signals.logs.caller import asking_module
from otel_kit.signals.logs.chain import CALL, CHAIN, Call
from otel_kit.signals.logs.levels import (
    CRITICAL,
    DEBUG,
    ERROR,
    INFO,
    TRACE,
    WARNING,
    Gate,
    gate,
    level_number,
)
from otel_kit.signals.logs.values import text


def get_logger(name: str | None = None) -> BoundLogger:
    """A logger for events with typed key-values.

    Each event becomes one log record in the current span. Before ``init_telemetry`` and after ``shutdown`` it goes to
    ``logging.getLogger(name)`` instead.

    Args:
        name: the record's instrumentation scope, and what levels are given for; the calling module's name by default.
    """
    wrapped = structlog.wrap_logger(
        gate(asking_module(1) if name is None else text(name)),
        processors=cast(Any, CHAIN),
        wrapper_class=BoundLogger,
        context_class=dict,
    )
    return cast(BoundLogger, wrapped.bind())


class BoundLogger(BoundLoggerBase):
    """A structlog logger: a method for each level, each also as a coroutine, and ``bind``, ``unbind``, ``new``.

    Every method takes the event's text, positional arguments for it as in ``logging``, and key-values. Known keys are
    ``event_name=`` (the OTel event name), ``exc_info=``, ``stack_info=`` and ``stacklevel=``. Nothing is ever raised for what is
    logged. The coroutines log at once when they are awaited: nothing in them waits.
    """

    _logger: Gate

    def bind(self, /, **new_values: Any) -> Self:
        """A logger with these key-values on each of its events, beside those that it has."""
        return self.__class__(self._logger, self._processors, {**self._context, **new_values})

    def new(self, /, **new_values: Any) -> Self:
        """A logger with these key-values only."""
        return self.__class__(self._logger, self._processors, dict(new_values))

    def is_enabled_for(self, level: int) -> bool:
        """Whether an event of this level would become a record."""
        if not record.state.active:
            return fallback.wants(self._logger.name, level)
        return level >= self._logger.threshold

    def trace(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at TRACE (5)."""
        if self._logger.threshold <= TRACE:
            self._log(TRACE, "trace", event, args, kw, sys._getframe(1))

    def debug(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at DEBUG (10)."""
        if self._logger.threshold <= DEBUG:
            self._log(DEBUG, "debug", event, args, kw, sys._getframe(1))

    def info(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at INFO (20)."""
        if self._logger.threshold <= INFO:
            self._log(INFO, "info", event, args, kw, sys._getframe(1))

    def warning(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at WARNING (30)."""
        if self._logger.threshold <= WARNING:
            self._log(WARNING, "warning", event, args, kw, sys._getframe(1))

    warn = warning

    def error(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at ERROR (40)."""
        if self._logger.threshold <= ERROR:
            self._log(ERROR, "error", event, args, kw, sys._getframe(1))

    def critical(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at CRITICAL (50)."""
        if self._logger.threshold <= CRITICAL:
            self._log(CRITICAL, "critical", event, args, kw, sys._getframe(1))

    fatal = critical

    def exception(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at ERROR (40) with the exception that is being handled, where there is one."""
        if self._logger.threshold <= ERROR:
            kw.setdefault("exc_info", True)
            self._log(ERROR, "exception", event, args, kw, sys._getframe(1))

    def log(self, level: int | str, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at any level, by number or name."""
        number = level_number(level)
        if self._logger.threshold <= number:
            self._log(number, "log", event, args, kw, sys._getframe(1))

    async def atrace(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at TRACE (5)."""
        if self._logger.threshold <= TRACE:
            self._log(TRACE, "trace", event, args, kw, sys._getframe(1))

    async def adebug(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at DEBUG (10)."""
        if self._logger.threshold <= DEBUG:
            self._log(DEBUG, "debug", event, args, kw, sys._getframe(1))

    async def ainfo(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at INFO (20)."""
        if self._logger.threshold <= INFO:
            self._log(INFO, "info", event, args, kw, sys._getframe(1))

    async def awarning(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at WARNING (30)."""
        if self._logger.threshold <= WARNING:
            self._log(WARNING, "warning", event, args, kw, sys._getframe(1))

    awarn = awarning

    async def aerror(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at ERROR (40)."""
        if self._logger.threshold <= ERROR:
            self._log(ERROR, "error", event, args, kw, sys._getframe(1))

    async def acritical(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at CRITICAL (50)."""
        if self._logger.threshold <= CRITICAL:
            self._log(CRITICAL, "critical", event, args, kw, sys._getframe(1))

    afatal = acritical

    async def aexception(self, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at ERROR (40) with the exception that is being handled, where there is one."""
        if self._logger.threshold <= ERROR:
            kw.setdefault("exc_info", True)
            self._log(ERROR, "exception", event, args, kw, sys._getframe(1))

    async def alog(self, level: int | str, event: Any = None, /, *args: Any, **kw: Any) -> None:
        """Log at any level, by number or name."""
        number = level_number(level)
        if self._logger.threshold <= number:
            self._log(number, "log", event, args, kw, sys._getframe(1))

    def _log(
        self, level: int, method: str, event: Any, args: tuple[Any, ...], kw: dict[str, Any], frame: FrameType
    ) -> None:
        if record.state.active or fallback.wants(self._logger.name, level):
            call = Call(level, event, args, frame)
            record.guarded("logs.emit", self._run_chain, method, call, kw, later=True)

    def _run_chain(self, method: str, call: Call, kw: dict[str, Any]) -> None:
        event_dict: Any = {**self._context, **kw} if self._context else kw
        event_dict[CALL] = call
        for processor in self._processors:
            event_dict = processor(self._logger, method, event_dict)
