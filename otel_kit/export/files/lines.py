"""A log record as a line of a file: for people with its date and whole trace id, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from otel_kit.export.console.colors import PLAIN
from otel_kit.export.console.escape import escaped
from otel_kit.export.console.logs import json, shown_below, shown_pairs, text_of
from otel_kit.export.console.times import iso

__all__ = ["as_json_line", "as_text_line"]


def as_json_line(item: Any) -> bytes:
    """One line of JSON, as on the console."""
    return f"{json(item)}\n".encode("utf-8", "backslashreplace")


def as_text_line(item: Any) -> bytes:
    """One line, and a traceback indented below it."""
    record, scope = item.log_record, item.instrumentation_scope
    attributes: Mapping[str, Any] = record.attributes or {}
    text = text_of(record.body) or escaped(record.event_name or "")
    columns = _columns(str(record.severity_text or "-"), scope.name if scope else "")
    line = f"{iso(record.timestamp or record.observed_timestamp or 0)}{columns}{text}"
    if pairs := shown_pairs(attributes, PLAIN):
        line += f"  {pairs}"
    if record.trace_id:
        line += f"  trace={record.trace_id:032x} span={record.span_id:016x}"
    return f"{line}{shown_below(attributes, PLAIN)}\n".encode("utf-8", "backslashreplace")


@lru_cache(maxsize=256)
def _columns(severity: str, logger: str) -> str:
    return f"  {escaped(severity):<5}  {escaped(logger) or '-'}  "
