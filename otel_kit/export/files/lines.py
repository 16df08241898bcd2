"""A log record as a line of a file: for people with its date and whole trace id, or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
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
    record = item.log_record
    attributes: Mapping[str, Any] = record.attributes or {}
    scope = item.instrumentation_scope
    parts = [
        iso(record.timestamp or record.observed_timestamp or 0),
        f"{escaped(record.severity_text or '-'):<5}",
        escaped(scope.name) if scope and scope.name else "-",
        text_of(record.body) or escaped(record.event_name or ""),
    ]
    if pairs := shown_pairs(attributes, PLAIN):
        parts.append(pairs)
    if record.trace_id:
        parts.append(f"trace={record.trace_id:032x} span={record.span_id:016x}")
    return f"{'  '.join(parts)}{shown_below(attributes, PLAIN)}\n".encode("utf-8", "backslashreplace")
