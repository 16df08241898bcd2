"""The access log: one record for each request, in place of the web server's own line.

The server's line, of uvicorn, gunicorn, hypercorn, werkzeug or Django, still goes where the program has it go; it only does
not become a second record. Where it shows on the console, ours does not.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from opentelemetry.context import attach, detach
from opentelemetry.trace import get_current_span, set_span_in_context

from otel_kit import semconv
from otel_kit.signals.logs import access, levels, record

if TYPE_CHECKING:
    from otel_kit.instrument._exchange import Exchange

LOGGER = "otel_kit.access"


def tell(exchange: Exchange, seconds: float, excluded: bool) -> None:
    """Emit the record, if its level is wanted: INFO, ERROR where the server failed, DEBUG for excluded paths."""
    outcome = exchange.outcome
    failed = semconv.ERROR_TYPE in outcome
    level = logging.ERROR if failed else logging.DEBUG if excluded else logging.INFO
    if record.state.active and level >= levels.threshold(LOGGER):
        span = exchange.span
        # The response may have been sent from inside a span of the program.
        token = None if get_current_span() is span else attach(set_span_in_context(span))
        record.guarded("instrument.access", _emit, exchange, seconds, level, outcome)
        if token is not None:
            detach(token)


def _emit(exchange: Exchange, seconds: float, level: int, outcome: dict[str, Any]) -> None:
    head = exchange.head
    facts: dict[str, Any] = {
        semconv.HTTP_REQUEST_METHOD: head.method,
        **outcome,
        semconv.URL_PATH: head.path,
        semconv.HTTP_DURATION: round(seconds, 6),
        semconv.HTTP_REQUEST_BODY_SIZE: exchange.request.length,
        semconv.HTTP_RESPONSE_BODY_SIZE: exchange.response.length,
    }
    if head.client:
        facts[semconv.CLIENT_ADDRESS] = head.client
    if agent := head.header("user-agent"):
        facts[semconv.USER_AGENT_ORIGINAL] = agent
    if exchange.disconnected:
        facts[semconv.HTTP_DISCONNECTED] = True
    facts.update(exchange.late_ids)
    ending = str(exchange.status) if exchange.status else "disconnected" if exchange.disconnected else ""
    body = f"{exchange.title if exchange.route else f'{exchange.title} {head.path}'} {ending}".rstrip()
    record.emit(
        LOGGER,
        level,
        body,
        facts,
        event_name=semconv.EVENT_HTTP_ACCESS,
        shown=access.is_shown(),
    )
