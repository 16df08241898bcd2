"""Log records of errors that are new, come back in another version of the program, or happen much more often than usual."""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Mapping
from functools import partial
from typing import Any

from opentelemetry import trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import NonRecordingSpan, SpanContext, set_span_in_context

from otel_kit import semconv
from otel_kit.context.files import files
from otel_kit.signals.logs import levels, record
from otel_kit.toolkit.errors._figures import SCOPE
from otel_kit.toolkit.errors.fingerprint import function_of, raised_at
from otel_kit.toolkit.errors.history import First, History
from otel_kit.toolkit.errors.rates import Jump, Rates
from otel_kit.toolkit.errors.rules import full_name


class _News:
    """What was seen so far, and for which service and directory."""

    lock = threading.RLock()
    place: tuple[str | None, str] | None = None
    history = History()
    rates = Rates()


def look(exception: BaseException, description: Mapping[str, Any], span_context: SpanContext) -> None:
    """Say what is news about an exception that is told now, in the span that it is told in."""
    fingerprint, now = description[semconv.ERROR_FINGERPRINT], time.time()
    service, version = _service()
    with _News.lock:
        _open(service)
        jump = _News.rates.happen(fingerprint, time.monotonic())
        first = _News.history.see(fingerprint, version, now)
    say = partial(_say, exception, description, span_context)
    if first is not None and first == (now, version):
        say("first seen: {}", semconv.EVENT_ERROR_FIRST_SEEN, {})
    elif first is not None:
        say(*_came_back(first, version))
    if jump is not None:
        say(*_jumped(jump))


def _came_back(first: First, version: str) -> tuple[str, str, dict[str, Any]]:
    day = time.strftime("%Y-%m-%d", time.gmtime(first.time))
    facts = {semconv.ERROR_VERSION_FIRST: first.version, semconv.ERROR_SEEN_FIRST: day}
    body = f"seen again in version {version or '?'}: {{}}, first seen in {first.version or '?'} on {day}"
    return body, semconv.EVENT_ERROR_NEW_VERSION, facts


def _jumped(jump: Jump) -> tuple[str, str, dict[str, Any]]:
    facts = {semconv.ERROR_RATE: jump.times, semconv.ERROR_RATE_USUAL: round(jump.usual, 2)}
    body = f"rate jumped: {{}}, {jump.times} times within a minute, usually {jump.usual:.1f}"
    return body, semconv.EVENT_ERROR_RATE_JUMPED, facts


def _say(
    exception: BaseException,
    description: Mapping[str, Any],
    span_context: SpanContext,
    body: str,
    event_name: str,
    facts: dict[str, Any],
) -> None:
    step = raised_at(exception)
    where = f" in {function_of(step)}" if step is not None else ""
    kind = full_name(type(exception))
    # Without suggestions: they are in the exception's own record, which comes next.
    attributes = {
        **{name: value for name, value in description.items() if name != semconv.ERROR_SUGGESTIONS},
        semconv.ERROR_TYPE: kind,
        **({semconv.CODE_FUNCTION_NAME: function_of(step)} if step is not None else {}),
        **facts,
    }
    if record.state.active and levels.threshold(SCOPE) <= logging.WARNING:
        body = body.format(f"{kind}{where}")
        record.guarded("errors.news", _emit, span_context, body, attributes, event_name, later=True)


def _emit(span_context: SpanContext, body: str, attributes: dict[str, Any], event_name: str) -> None:
    token = attach(set_span_in_context(NonRecordingSpan(span_context)))
    try:
        record.emit(SCOPE, logging.WARNING, body, attributes, event_name=event_name, counts=False)
    finally:
        detach(token)


def _service() -> tuple[str, str]:
    """Name and version, from the resource of whatever provider the program has."""
    resource = getattr(trace.get_tracer_provider(), "resource", None)
    attributes = getattr(resource, "attributes", None) or {}
    return str(attributes.get(semconv.SERVICE_NAME, "")), str(attributes.get(semconv.SERVICE_VERSION, ""))


def _open(service: str) -> None:
    """Begin anew where the directory or the service is another one than before."""
    place = (files.state, service)
    if place != _News.place:
        name = re.sub(r"[^\w.-]", "_", service)[:100] or "unknown"
        _News.place, _News.rates = place, Rates()
        _News.history = History(os.path.join(files.state, f"errors-{name}.tsv") if files.state else None)


def _renew() -> None:
    _News.lock = threading.RLock()  # another thread may have held it when the process was forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)
