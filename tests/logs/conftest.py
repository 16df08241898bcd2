"""A pipeline of the stock SDK behind our logs, and a standard library that is as it was after each test."""

from __future__ import annotations

import logging
import sys
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import structlog
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource

from otel_kit.signals.logs import activate, deactivate, install_bridges, levels, record, remove_bridges


@dataclass
class Seen:
    """One record, as a test compares it: the place in the code is left out."""

    logger: str
    severity: str
    body: Any
    attributes: dict[str, Any]

    @classmethod
    def of(cls, item: ReadableLogRecord) -> Seen:
        made, scope = item.log_record, item.instrumentation_scope
        attributes = {k: v for k, v in (made.attributes or {}).items() if not k.startswith("code.")}
        return cls(scope.name if scope else "", made.severity_text or "", made.body, attributes)


class Records:
    """What arrived behind the SDK."""

    def __init__(self, exporter: InMemoryLogRecordExporter) -> None:
        self._exporter = exporter

    @property
    def _items(self) -> list[Any]:
        # asyncio says at DEBUG which selector it uses: true, and in nobody's way here.
        return [
            item
            for item in self._exporter.get_finished_logs()
            if not str(item.log_record.body).startswith("Using selector")
        ]

    @property
    def raw(self) -> list[Any]:
        return [item.log_record for item in self._items]

    @property
    def all(self) -> list[Seen]:
        return [Seen.of(item) for item in self._items]

    @property
    def one(self) -> Seen:
        (only,) = self.all
        return only

    @property
    def one_raw(self) -> Any:
        (only,) = self.raw
        return only

    def clear(self) -> None:
        self._exporter.clear()


@pytest.fixture(autouse=True)
def everything_as_before() -> Iterator[None]:
    """No test leaves its logging, structlog or hooks behind."""
    before = {logger: _state_of(logger) for logger in _loggers()}
    hooks = sys.excepthook, threading.excepthook, warnings.showwarning
    logger_class = logging.getLoggerClass()
    yield
    remove_bridges()
    deactivate()
    levels.use(levels.Levels())
    sys.excepthook, threading.excepthook, warnings.showwarning = hooks
    logging.setLoggerClass(logger_class)
    logging.disable(logging.NOTSET)
    for logger in _loggers():
        _restore(logger, *before.get(logger, ([], logging.NOTSET, True, False)))
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _loggers() -> list[logging.Logger]:
    made = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in made if isinstance(logger, logging.Logger))]


def _state_of(logger: logging.Logger) -> tuple[list[logging.Handler], int, bool, bool]:
    return logger.handlers[:], logger.level, logger.propagate, logger.disabled


def _restore(
    logger: logging.Logger, handlers: list[logging.Handler], level: int, propagate: bool, disabled: bool
) -> None:
    logger.handlers[:] = handlers
    logger.setLevel(level)
    logger.propagate, logger.disabled = propagate, disabled


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> Records:
    """The stock SDK's pipeline behind ``record``, and nothing else set up: no level, no bridge."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=Resource({}), shutdown_on_exit=False)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))

    def get_logger(name: str, **options: Any) -> Any:
        return provider.get_logger(name, **options)

    monkeypatch.setattr(record, "get_logger", get_logger)
    return Records(exporter)


@pytest.fixture
def records(pipeline: Records) -> Records:
    """Telemetry is set up, with all bridges, from INFO on."""
    activate(console=False, levels="info")
    install_bridges()
    return pipeline
