"""The logger provider: each record passes the pipeline's steps, then goes to every sink.

One provider serves the whole life of the process; :meth:`LoggerProvider.reconfigure` replaces what is inside, for the
loggers handed out before too.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any, NamedTuple

from opentelemetry._logs import Logger as APILogger
from opentelemetry._logs import LoggerProvider as APILoggerProvider
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordLimits, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs._internal._exceptions import _get_exception_attributes
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace.propagation import _SPAN_KEY, get_current_span

from otel_kit import _guard, semconv
from otel_kit.export.batch import Batcher, flush_all
from otel_kit.export.outcome import UNENCODABLE
from otel_kit.export.span import Span

_NOTHING = Context()
# 100,000 logger names must not cost 100 MB: past this many, a logger is made anew for each call.
MOST_LOGGERS = 10_000


class Record(ReadWriteLogRecord):
    """The SDK's record, with limits of our own.

    The SDK's attributes are cleaned one step too early, raise on a cyclic value, and warn where they exceed a limit, which
    under ``python -W error`` raises into the program.
    """

    dropped = 0
    wanted = True  # a step that finds it superfluous says so here
    owns_attributes = True  # nobody else has them: a step may change them in place

    def __init__(
        self, record: LogRecord, resource: Resource, scope: InstrumentationScope, limits: LogRecordLimits
    ) -> None:
        self.log_record, self.resource = record, resource
        self.instrumentation_scope, self.limits = scope, limits
        # A copy: the caller may keep and change its own.
        record.attributes = dict(record.attributes) if record.attributes else {}

    def limit(self) -> None:
        """Apply the limits to clean attributes: the first ones stay, long texts are cut."""
        attributes, limits = self.log_record.attributes, self.limits
        most, longest = limits.max_log_record_attributes, limits.max_log_record_attribute_length
        if attributes and most is not None and len(attributes) > most:
            self.dropped = len(attributes) - most
            attributes = dict(islice(attributes.items(), most))
        if attributes and longest is not None:
            attributes = {name: _cut(value, longest) for name, value in attributes.items()}
        self.log_record.attributes = attributes

    @property
    def dropped_attributes(self) -> int:
        """How many attributes were one too many."""
        return self.dropped


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str | bytes):
        return value[:longest]
    if isinstance(value, tuple | list):
        return tuple(_cut(item, longest) for item in value)
    return {name: _cut(item, longest) for name, item in value.items()} if isinstance(value, dict) else value


class Inside(NamedTuple):
    """What :meth:`LoggerProvider.reconfigure` replaces, as one value, so that no emit sees half of it.

    Attributes:
        resource, limits: for new records.
        steps: change the record, in order; if one fails the record is not emitted, because it might have been the redactor.
        sinks: take the record; if one fails the others still get it.
        lost: told of a record that a step failed on.
    """

    resource: Resource
    limits: LogRecordLimits
    steps: tuple[LogRecordProcessor, ...] = ()
    sinks: tuple[LogRecordProcessor, ...] = ()
    lost: Callable[[str], None] = lambda _: None


class Logger(APILogger):
    """Emits records of one scope through whatever the provider holds at that moment."""

    def __init__(self, provider: LoggerProvider, scope: InstrumentationScope) -> None:
        super().__init__(scope.name, scope.version, scope.schema_url, scope.attributes)
        self._provider, self._scope = provider, scope

    def enabled(
        self,
        *,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        event_name: str | None = None,
    ) -> bool:
        """Whether anybody takes a record at all."""
        return bool(self._provider.inside.sinks)

    def emit(self, record: LogRecord | None = None, **fields: Any) -> None:
        """Emit a record, given as such or by its fields; see the API. Never raises."""
        inside = self._provider.inside
        if not inside.sinks:
            return
        try:
            writable = self._writable(LogRecord(**fields) if record is None else record, inside)
        except Exception as error:
            _lose(inside, error)
        else:
            _pass_on(writable, inside)

    def take(
        self,
        timestamp: int,
        observed: int,
        context: Context,
        severity_number: SeverityNumber,
        severity_text: str,
        body: Any,
        attributes: dict[str, Any],
        event_name: str | None,
        exception: BaseException | None,
    ) -> None:
        """Emit a record, given by all of its fields: what the API's constructor makes in ten calls. Never raises."""
        inside = self._provider.inside
        if not inside.sinks:
            return
        try:
            span = context.get(_SPAN_KEY)
            leads_to = span._context if type(span) is Span else get_current_span(context).get_span_context()
            made = LogRecord.__new__(LogRecord)
            made.timestamp, made.observed_timestamp, made.context = timestamp, observed, context
            # A context is a tuple; its properties are calls.
            made.trace_id, made.span_id, _, made.trace_flags, _, _ = leads_to
            made.severity_text, made.severity_number, made.body = severity_text, severity_number, body
            made.attributes, made.event_name, made.exception = attributes, event_name, exception
            writable = self._own(made, inside)
        except Exception as error:
            _lose(inside, error)
        else:
            _pass_on(writable, inside)

    def _writable(self, record: LogRecord, inside: Inside) -> ReadWriteLogRecord:
        # The caller may keep and change its record.
        return record if isinstance(record, ReadWriteLogRecord) else self._own(_copy(record), inside)

    def _own(self, record: LogRecord, inside: Inside) -> Record:
        if record.exception is not None:
            described = _described(record.exception)
            record.attributes = {**described, **record.attributes} if record.attributes else described
        return Record(record, inside.resource, self._scope, inside.limits)


def _pass_on(writable: ReadWriteLogRecord, inside: Inside) -> None:
    try:
        for step in inside.steps:
            step.on_emit(writable)
        if isinstance(writable, Record):
            writable.limit()
            # It is described by now. Its traceback would keep the locals of every frame while the record waits.
            writable.log_record.exception = None
            if not writable.wanted:
                return
    except Exception as error:
        _lose(inside, error)
        return
    for sink in inside.sinks:
        try:
            sink.on_emit(writable)
        except Exception as error:
            _guard.contained("logs.sink", error)


def _lose(inside: Inside, error: Exception) -> None:
    inside.lost(UNENCODABLE)
    _guard.contained("logs.emit", error)


def _copy(record: LogRecord) -> LogRecord:
    copy = LogRecord.__new__(LogRecord)
    copy.__dict__.update(record.__dict__)
    return copy


def _described(error: BaseException) -> dict[str, Any]:
    try:
        return _get_exception_attributes(error)
    except Exception:  # its __str__ raises, or a cause's does
        return {semconv.EXCEPTION_TYPE: type(error).__qualname__}


class LoggerProvider(APILoggerProvider):
    """Hands out loggers, which follow :meth:`reconfigure`."""

    def __init__(self) -> None:
        self.inside = Inside(Resource.get_empty(), LogRecordLimits(0, 0, 0, 0))
        self._loggers: dict[tuple[str, str | None, str | None], Logger] = {}

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Any = None,
    ) -> Logger:
        """The logger of a scope."""
        key = (name, version, schema_url)
        if attributes is None and key in self._loggers:
            return self._loggers[key]
        logger = Logger(self, InstrumentationScope(name, version, schema_url, attributes))
        if attributes is None and len(self._loggers) < MOST_LOGGERS:
            return self._loggers.setdefault(key, logger)
        return logger

    def reconfigure(self, inside: Inside) -> None:
        """Replace everything inside; without sinks the provider is off."""
        self.inside = inside

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Ask the sinks to deliver what they hold."""
        return all([sink.force_flush(timeout_millis) for sink in self.inside.sinks])  # noqa: C419 (each is asked)


def is_spared(record: ReadWriteLogRecord) -> bool:
    """Whether a full queue drops other records before this one: what an auditor will ask for."""
    return record.log_record.event_name == semconv.EVENT_AUDIT


class LogQueue(LogRecordProcessor):
    """The sink that hands records to the batchers of the endpoints."""

    def __init__(self, batchers: Sequence[Batcher[ReadWriteLogRecord]]) -> None:
        self._batchers = tuple(batchers)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue the record for each endpoint."""
        if isinstance(log_record, Record):
            log_record.log_record.context = _NOTHING  # its own would keep all that was current while it waits
        for batcher in self._batchers:
            batcher.put(log_record)

    def refuse(self, reason: str) -> None:
        """Count a record that a step failed on."""
        for batcher in self._batchers:
            batcher.ledger.refuse(reason)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Deliver what waits."""
        return flush_all(self._batchers, time.monotonic() + timeout_millis / 1000)

    def shutdown(self) -> None:
        """Nothing: the handle of ``init_telemetry`` shuts down."""
