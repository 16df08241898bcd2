"""``audit``: who did what to what, in a file that shows tampering and as a log record."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from opentelemetry.trace import format_span_id, format_trace_id, get_current_span

from otel_kit import _guard, semconv
from otel_kit.context.files import files
from otel_kit.context.ids import attributes as ids_here
from otel_kit.context.redacted import WITHHELD, redacted
from otel_kit.signals.logs.levels import INFO
from otel_kit.signals.logs.values import plain, text
from otel_kit.toolkit.trust.entry import Entry
from otel_kit.toolkit.trust.event import tell, trust
from otel_kit.toolkit.trust.trail import AuditTrail

SCOPE = "otel_kit.audit"
UNKNOWN = "unknown"
LONGEST_NAME = 1024
# Of one text among the values, and of all values of one side together, as JSON.
LONGEST_TEXT = 4096
LONGEST_SIDE = 65_536
# Bits of a number. Python may refuse to write more than 640 digits, which is as low as a program can set that limit.
LONGEST_INT = 2048


def audit(
    actor: object,
    action: str,
    target: object,
    *,
    before: Any = None,
    after: Any = None,
    reason: object = None,
) -> Entry | None:
    """Put on record who did what to what.

    Where the setting ``audit_file`` names a file, an entry is on the disk when this returns, also after ``shutdown`` and where
    telemetry or this part of it is off. Emits a log record with the event name ``otel_kit.audit``, which no log level and
    no sampler leaves out, and which a full queue drops last. It waits for the disk, so in a coroutine write
    ``await asyncio.to_thread(otel_kit.audit, …)``.

    Args:
        actor: who; None for the user whose id is bound here.
        action: what was done, such as ``order.refund``.
        target: to what, such as ``order/7311``.
        before: what it was, best as a mapping, so that redaction sees the names; bounded and redacted.
        after: what it is now, likewise.
        reason: why, in words.

    Returns:
        The entry with its number and its hash; None where no file is configured.

    Raises:
        AuditError: the entry could not be written to the file. The record is emitted all the same.
    """
    path = files.audit
    if path is None and not trust.on:
        return None
    ids = ids_here()
    facts = {
        "actor": _name("actor", ids.get(semconv.USER_ID, UNKNOWN) if actor is None else actor),
        "action": _name("action", action),
        "target": _name("target", target),
        "reason": None if reason is None else _value("reason", text(reason)),
        "before": _side("before", before),
        "after": _side("after", after),
    }
    entry = None
    try:
        if path is not None:
            entry = AuditTrail(path).append({**_when(), **_without_none(facts), **_where(ids)})
        return entry
    finally:
        if trust.on:
            _tell(facts, entry)


def _tell(facts: Mapping[str, Any], entry: Entry | None) -> None:
    attributes = {f"{semconv.AUDIT}.{name}": value for name, value in facts.items()}
    if entry is not None:
        attributes |= {semconv.AUDIT_SEQUENCE: entry.seq, semconv.AUDIT_HASH: entry.hash}
    body = f"{facts['actor']} {facts['action']} {facts['target']}"
    tell(SCOPE, INFO, semconv.EVENT_AUDIT, body, attributes)


def _when() -> dict[str, Any]:
    return {"time": datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")}


def _where(ids: Mapping[str, Any]) -> dict[str, Any]:
    """The ids, the process, and the span, where there is one."""
    found: dict[str, Any] = {"pid": os.getpid()}
    if ids:
        found["ids"] = _value("ids", dict(ids))
    span = get_current_span().get_span_context()
    if span.is_valid:
        found |= {"trace_id": format_trace_id(span.trace_id), "span_id": format_span_id(span.span_id)}
    return found


def _without_none(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if value is not None}


def _name(key: str, value: object) -> str:
    """Who or what it is; an entry that withheld that would be none, so without rules it stands as it is."""
    given = text(value)
    shown = redacted(key, given)
    return (given if shown is WITHHELD else text(shown))[:LONGEST_NAME]


def _side(key: str, value: Any) -> Any:
    """What a thing was or is: redacted first, because half of a secret looks like none, and bounded then."""
    if value is None:
        return None
    shown = _value(key, plain(value))
    whole = str(shown)
    return shown if len(whole) <= LONGEST_SIDE else whole[:LONGEST_SIDE] + "…"


def _value(key: str, value: Any) -> Any:
    try:
        return _fit(redacted(key, value))
    except Exception as error:  # an entry without that value is better than none
        _guard.contained("trust.audit", error)
        return f"<{type(value).__name__} cannot be shown>"


def _fit(value: Any) -> Any:
    """What JSON can carry: no long text, no bytes, no number that is none or too long to be written as decimals."""
    if isinstance(value, str):
        return value if len(value) <= LONGEST_TEXT else value[:LONGEST_TEXT] + "…"
    if isinstance(value, bytes):
        return _fit(repr(value))
    if isinstance(value, int):
        return value if value.bit_length() <= LONGEST_INT else _fit(hex(value))
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {str(name): _fit(item) for name, item in value.items()}
    return [_fit(item) for item in value] if isinstance(value, list | tuple) else value
