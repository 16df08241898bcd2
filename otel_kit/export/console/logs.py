"""Log records on the console, each at once and in its caller's thread, behind the pipeline's steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import IO, Any

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord

from otel_kit import _guard, semconv
from otel_kit.export.console.colors import Colors
from otel_kit.export.console.columns import line, service_of, short_id
from otel_kit.export.console.escape import escaped, escaped_json
from otel_kit.export.console.output import Output, Style
from otel_kit.export.console.times import iso
from otel_kit.export.console.values import LONGEST, as_json, object_as_json, pairs, shortened

_EXCEPTION = {
    "type": semconv.EXCEPTION_TYPE,
    "message": semconv.EXCEPTION_MESSAGE,
    "stacktrace": semconv.EXCEPTION_STACKTRACE,
}
_OF_EXCEPTION = frozenset(_EXCEPTION.values())
# Where it was said, and what the text says already, would hide the rest from a reader.
_NOT_FOR_PEOPLE = frozenset(
    {
        *_OF_EXCEPTION,
        semconv.CODE_FUNCTION_NAME,
        semconv.CODE_FILE_PATH,
        semconv.CODE_LINE_NUMBER,
        semconv.CODE_STACKTRACE,
        semconv.LOG_TEMPLATE,
        semconv.LOG_ARGUMENTS,
        semconv.CODE_DURATION,
        semconv.CODE_CHANGED,
        semconv.CODE_OLD,
        semconv.CODE_NEW,
        semconv.ERROR_FINGERPRINT,
        semconv.ERROR_SEVERITY,
        semconv.ERROR_SUGGESTIONS,
    }
)
_BELOW = frozenset({semconv.CODE_STACKTRACE, semconv.EXCEPTION_STACKTRACE})
# What a measurement found, which its sentence sums up.
_OF_OPERATION = "otel_kit.operation."
INDENT = "    "


class ConsoleLogProcessor(LogRecordProcessor):
    """Shows each record as a line.

    Args:
        style: ``pretty``, ``json``, or ``auto``: pretty on a terminal, else json.
        stream: where to; by default ``sys.stderr`` as it is at each write.
        skip: told a record's context; true if the program has shown the event itself.
    """

    def __init__(
        self,
        style: Style = "auto",
        stream: IO[str] | None = None,
        skip: Callable[[Context | None], bool] = lambda context: False,
    ) -> None:
        self._output = Output(style, stream)
        self._skip = skip

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Write the record; nothing is raised."""
        try:
            if not self._skip(log_record.log_record.context):
                self._output.write(lambda colors: pretty(log_record, colors), lambda: json(log_record))
        except Exception as error:
            _guard.contained("console.logs", error)

    def shutdown(self) -> None:
        """There is nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Every line is written at once."""
        return True


def pretty(item: ReadWriteLogRecord, colors: Colors) -> str:
    """A record for people: one aligned line, and a traceback indented below it."""
    record = item.log_record
    attributes: Mapping[str, Any] = record.attributes or {}
    shown = shown_pairs(attributes, colors)
    rest = [shown] if shown else []
    if record.trace_id:
        rest.append(short_id(record.trace_id, colors))
    number = record.severity_number.value if record.severity_number else 0
    first = line(
        record.timestamp or record.observed_timestamp or 0,
        escaped(record.severity_text or "-"),
        colors.level(number),
        item.instrumentation_scope.name if item.instrumentation_scope else "",
        text_of(record.body) or escaped(record.event_name or ""),
        " ".join(rest),
        colors,
    )
    return first + shown_below(attributes, colors)


def shown_pairs(attributes: Mapping[str, Any], colors: Colors) -> str:
    """The key-values that people want to see on the line."""
    shown = [pair for pair in attributes.items() if _is_for_people(pair[0])]
    if semconv.EXCEPTION_TYPE in attributes and semconv.EXCEPTION_STACKTRACE not in attributes:
        shown.append(("exception", _told_elsewhere(attributes)))
    return pairs(shown, colors) if shown else ""


@lru_cache(maxsize=1024)
def _is_for_people(key: str) -> bool:
    return key not in _NOT_FOR_PEOPLE and not key.startswith(_OF_OPERATION)


def text_of(body: Any) -> str:
    """The body on one line, cut where nobody would read on."""
    if body is None:
        return ""
    return shortened(body if isinstance(body, str) else as_json(body), 10 * LONGEST)


def _told_elsewhere(attributes: Mapping[str, Any]) -> str:
    return f"{attributes[semconv.EXCEPTION_TYPE]}: {attributes.get(semconv.EXCEPTION_MESSAGE, '')}"


def shown_below(attributes: Mapping[str, Any], colors: Colors) -> str:
    """The traceback, each line on a line of its own."""
    if _BELOW.isdisjoint(attributes):
        return ""
    parts = []
    if stack := attributes.get(semconv.CODE_STACKTRACE):
        parts.append(indented(str(stack), colors.dim, colors.dim, colors))
    if trace := attributes.get(semconv.EXCEPTION_STACKTRACE):
        parts.append(indented(str(trace), colors.dim, colors.error, colors))
    hints = attributes.get(semconv.ERROR_SUGGESTIONS)
    if trace and hints and isinstance(hints, list | tuple):
        parts.append(indented(f"→ {'; '.join(map(str, hints))}", colors.dim, colors.dim, colors))
    return "".join(parts)


def indented(text: str, color: str, last_color: str, colors: Colors) -> str:
    """Lines below a line, each escaped for itself; the last one tells what happened."""
    # Only a line feed ends a line here: splitlines() would also split at characters that are to be escaped.
    lines = text.rstrip("\n").split("\n")
    last = len(lines) - 1
    return "".join(
        f"\n{INDENT}{last_color if i == last else color}{shortened(each, LONGEST)}{colors.reset}"
        for i, each in enumerate(lines)
    )


def json(item: ReadWriteLogRecord) -> str:
    """A record for programs: one line of JSON; what it does not have is left out."""
    record, scope = item.log_record, item.instrumentation_scope
    attributes: Mapping[str, Any] = record.attributes or {}
    head = _head(str(record.severity_text or ""), service_of(item.resource), scope.name if scope else None)
    line = f'{{"timestamp": "{iso(record.timestamp or record.observed_timestamp or 0)}"{head}'
    if record.body is not None:
        line += f', "body": {as_json(record.body)}'
    if record.event_name is not None:
        line += f', "event_name": {as_json(record.event_name)}'
    if record.trace_id:
        line += f', "trace_id": "{record.trace_id:032x}"'
    if record.span_id:
        line += f', "span_id": "{record.span_id:016x}"'
    exception = {}
    if not _OF_EXCEPTION.isdisjoint(attributes):
        exception = {key: attributes[name] for key, name in _EXCEPTION.items() if name in attributes}
        attributes = {key: value for key, value in attributes.items() if key not in _OF_EXCEPTION}
    if attributes:
        line += f', "attributes": {object_as_json(attributes)}'
    if exception:
        line += f', "exception": {object_as_json(exception)}'
    return escaped_json(f"{line}}}")


@lru_cache(maxsize=256)
def _head(severity: str, service: object, logger: str | None) -> str:
    """What records have in common, as it stands in the midst of a line."""
    fields = {"severity": severity or None, "service": service, "logger": logger}
    return "".join(f', "{key}": {as_json(value)}' for key, value in fields.items() if value is not None)
