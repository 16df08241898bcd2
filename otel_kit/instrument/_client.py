"""One call to another service, from its first request to its answer: the same for all HTTP clients.

A call is what the program asked for. Redirects, retries and authentication may make several requests of it; these
are events on its one span. The call is in OpenTelemetry's context, so that a library below does not make a second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from time import perf_counter
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import metrics, propagate
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.context.described import brief_of
from otel_kit.context.parts import part
from otel_kit.instrument._client_choice import current
from otel_kit.instrument._client_template import KEY as _TEMPLATE_KEY
from otel_kit.instrument._client_url import Place, described
from otel_kit.instrument._instruments import Instruments

SCOPE = "otel_kit.http.client"
METHODS = frozenset(("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT", "TRACE", "QUERY"))
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
LONGEST_HEADER = 8192

_CALL_KEY = otel_context.create_key("otel_kit.client_call")
_SUPPRESSED = (
    otel_context._SUPPRESS_INSTRUMENTATION_KEY,
    otel_context._SUPPRESS_HTTP_INSTRUMENTATION_KEY,
    "suppress_instrumentation",  # the key that programs use
)
_runtime = otel_context._RUNTIME_CONTEXT
_emitted = Instruments(SCOPE)
_SENT = "_otel_kit_sent"  # where headers keep what a call has added to them
# The program's own value of these wins: it knows what the service expects.
_ONLY_IF_MISSING = frozenset(("x-request-id", "x-correlation-id"))


def _duration() -> metrics.Histogram:
    return _emitted.histogram(
        semconv.METRIC_HTTP_CLIENT_REQUEST_DURATION, "Duration of HTTP client requests.", SECONDS
    )


def call_inside() -> Call | None:
    """The call that is being made here, unless the program's own code has begun something inside of it."""
    context = _runtime.get_current()
    call = context.get(_CALL_KEY)
    if not isinstance(call, Call) or call.is_over:  # threads and tasks that a call began outlive it
        return None
    return call if context.get(_SPAN_KEY) is call.span else None


def is_suppressed() -> bool:
    """Whether calls are nobody's business here: ours while we export, or those of who asked for it."""
    context = _runtime.get_current()
    return any(context.get(key) for key in _SUPPRESSED)


def begin(method: str, url: str, headers: Any, maker: object = None) -> Call | None:
    """Begin a call; its span is current until it is over.

    Args:
        method: as the program gave it.
        url: complete, as it is sent first.
        headers: of the first request, a mapping that ignores case and is written to.
        maker: recognised by the library's file when the call's further requests pass by.

    Returns:
        None where calls are not watched. Nothing is raised.
    """
    try:
        return None if is_suppressed() else Call(method, url, headers, maker)
    except Exception as error:
        _guard.contained("instrument.client", error)
        return None


class Call:
    """Made by :func:`begin`; exactly one of :meth:`answered` and :meth:`failed` ends it.

    Attributes:
        span: the client span.
        maker: what :func:`begin` was given.
        status: of the last answer, 0 while there is none.
        is_over: whether it has ended.
    """

    __slots__ = ("_begun", "_counted", "_resent", "_sent", "_token", "is_over", "maker", "span", "status")

    def __init__(self, method: str, url: str, headers: Any, maker: object) -> None:
        context = _runtime.get_current()
        self.maker, self.status, self._resent = maker, 0, 0
        self.is_over = False
        self._sent: dict[str, str] = dict(getattr(headers, _SENT, ()))
        shown, place = described(url)
        self._counted, name = _counted(method, place, context.get(_TEMPLATE_KEY))
        given = {**self._counted, semconv.URL_FULL: shown}
        if place.port is not None:
            given[semconv.SERVER_PORT] = place.port
        if method not in METHODS:
            given[semconv.HTTP_REQUEST_METHOD_ORIGINAL] = method
        if current().request_headers:
            given.update(_recorded("request", headers))
        self.span = _emitted.tracer().start_span(
            name, context=context, kind=SpanKind.CLIENT, attributes=given
        )
        self._token = _runtime.attach(Context({**context, _SPAN_KEY: self.span, _CALL_KEY: self}))
        self._begun = perf_counter()
        try:
            self._propagate(headers, place)
        except Exception as error:  # a propagator of the program's; the call has begun all the same
            _guard.contained("instrument.client", error)

    # -- its requests

    def goes_on(self, url: str, headers: Any) -> None:
        """The call makes a further request: trace and ids go there only if they may."""
        try:
            self._propagate(headers, described(url)[1])
        except Exception as error:
            _guard.contained("instrument.client", error)

    def resent(self, status: int | None = None, error: BaseException | None = None, url: str = "") -> None:
        """A request of the call is made again: an event with the reason.

        Args:
            status: of the answer to the request before; 0 or None where there was none.
            error: what went wrong with it.
            url: where the next one goes, if that is another place.
        """
        try:
            self._resent += 1
            facts: dict[str, Any] = {semconv.HTTP_REQUEST_RESEND_COUNT: self._resent}
            if status:
                facts[semconv.HTTP_RESPONSE_STATUS_CODE] = status
            if error is not None:
                facts[semconv.ERROR_TYPE] = type_name(error)
            if url:
                facts[semconv.URL_FULL] = described(url)[0]
            self.span.add_event(semconv.EVENT_HTTP_RESEND, facts)
            if error is not None or (status or 0) >= 400:
                _count_retry(facts)
        except Exception as problem:
            _guard.contained("instrument.client", problem)

    def _propagate(self, headers: Any, place: Place) -> None:
        # Clients copy the headers of the first request to the one after a redirect; programs send a request again.
        for name, value in self._sent.items():
            if headers.get(name) == value:
                del headers[name]
        if not current().allows(place.address, place.port):
            return
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        for name, value in carrier.items():
            if name not in _ONLY_IF_MISSING or name not in headers:
                headers[name] = value
                self._sent[name] = value
        self.hands_on(headers)

    def hands_on(self, headers: Any) -> None:
        """What the call has added is among these headers; a program may send them later, by a call of its own."""
        with suppress(AttributeError):  # aiohttp's, which are not the program's own
            setattr(headers, _SENT, self._sent)

    # -- its end

    def answered(self, status: int, protocol: str = "", headers: Any = None, resent: int = 0) -> None:
        """The answer is there, with its body if the client reads that by itself.

        Args:
            status: of the last answer.
            protocol: its HTTP version, such as ``1.1``.
            headers: its headers, a mapping.
            resent: how many requests were made again, where the client knows.
        """
        try:
            self.status, self._resent = status, max(self._resent, resent)
            found: dict[str, Any] = {semconv.HTTP_RESPONSE_STATUS_CODE: status}
            self._counted[semconv.HTTP_RESPONSE_STATUS_CODE] = status
            if protocol:
                found[semconv.NETWORK_PROTOCOL_VERSION] = protocol
            if headers is not None and current().response_headers:
                found.update(_recorded("response", headers))
            if status >= 400:
                found[semconv.ERROR_TYPE] = self._counted[semconv.ERROR_TYPE] = str(status)
                self.span.set_status(StatusCode.ERROR)
            self.span.set_attributes(found)
        except Exception as error:
            _guard.contained("instrument.client", error)
        self._over()

    def failed(self, error: BaseException) -> None:
        """There is no answer. The caller raises the error on; if nobody catches it, who lets it out tells of it."""
        try:
            kind = self._counted[semconv.ERROR_TYPE] = type_name(error)
            if isinstance(error, Exception):
                self.span.set_attributes({semconv.ERROR_TYPE: kind, **brief_of(error)})
                if status := _status_in(error):
                    self.span.set_attribute(semconv.HTTP_RESPONSE_STATUS_CODE, status)
                    self._counted[semconv.HTTP_RESPONSE_STATUS_CODE] = status
                # An event and no log record: a program that catches this has dealt with it. No stack either: it
                # would show the client library's inside, and costs more than the rest of the span.
                message = _text(error)
                facts = {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_MESSAGE: message}
                self.span.add_event(semconv.EVENT_EXCEPTION, facts)
                self.span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {message}")
            elif type(error).__name__ == "CancelledError":
                self.span.set_attribute(semconv.EVENT_CANCELLED, True)
                self.span.add_event(semconv.EVENT_CANCELLED)
        except Exception as problem:
            _guard.contained("instrument.client", problem)
        self._over()

    def _over(self) -> None:
        self.is_over = True
        try:
            # Still in the span's context, so that the exemplar points at it.
            duration = perf_counter() - self._begun
            _duration().record(duration, self._counted)
            tally.count(tally.HTTP_CALL, duration)
            if self._resent:
                self.span.set_attribute(semconv.HTTP_REQUEST_RESEND_COUNT, self._resent)
            self.span.end()
        except Exception as error:
            _guard.contained("instrument.client", error)
        with suppress(ValueError):  # a coroutine that was closed in another contextvars context
            _runtime.detach(self._token)


def _count_retry(facts: Mapping[str, Any]) -> None:
    """A redirect or a request with credentials is no retry; these are."""
    tally.count(tally.RETRY)
    if part("errors").on:
        kind = str(facts.get(semconv.ERROR_TYPE) or facts[semconv.HTTP_RESPONSE_STATUS_CODE])
        retries = _emitted.counter(semconv.METRIC_RETRIES, "{retry}", "What was tried again.")
        retries.add(1, {semconv.RETRY_NAME: "http", semconv.ERROR_TYPE: kind})


def type_name(error: BaseException) -> str:
    """The exception's class, qualified unless it is a builtin."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _counted(method: str, place: Place, template: object) -> tuple[dict[str, Any], str]:
    """The attributes that metrics share with the span, few enough for a series each; and the span's name."""
    known = method in METHODS
    counted: dict[str, Any] = {semconv.HTTP_REQUEST_METHOD: method if known else "_OTHER"}
    if place.address:
        counted[semconv.SERVER_ADDRESS] = place.address
    if place.counted:
        counted[semconv.SERVER_PORT] = place.port
    name = method if known else "HTTP"
    if isinstance(template, str):
        counted[semconv.URL_TEMPLATE] = template
        name = f"{name} {template}"
    return counted, name


def _recorded(side: str, headers: Mapping[str, Any]) -> dict[str, Any]:
    records = current().records
    found: dict[str, list[str]] = {}
    for name, value in headers.items():  # some clients' give one that was sent in parts several times
        if records(side, str(name)):
            key = f"http.{side}.header.{str(name).lower()}"
            found.setdefault(key, []).append(str(value)[:LONGEST_HEADER])
    return found


def _status_in(error: BaseException) -> int:
    """Of the answer that an exception brings along, where the program has its client raise for a status; else 0."""
    answer = getattr(error, "response", error)
    status = getattr(answer, "status_code", None) or getattr(answer, "status", None)
    return status if isinstance(status, int) and 100 <= status <= 599 else 0


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""
