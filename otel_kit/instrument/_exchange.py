"""One request and its response: what all web servers' integrations tell about it, and when."""

from __future__ import annotations

import sys
from contextlib import suppress
from contextvars import ContextVar
from functools import lru_cache
from time import perf_counter
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, StatusCode, TraceFlags

from otel_kit import _guard, semconv
from otel_kit._facts import Facts
from otel_kit.context import attributes as bound_ids
from otel_kit.context import bind
from otel_kit.context.ids import gather
from otel_kit.context.place import place_of
from otel_kit.context.request_ids import random_bits, request_ids
from otel_kit.instrument import _access
from otel_kit.instrument._figures import OURS, Scope, figures, tracer
from otel_kit.instrument._head import METHODS, Head
from otel_kit.instrument._web import Identity, Web, current, header_pattern

KEY = "otel_kit.exchange"
"""Where an exchange lies in the ASGI scope or the WSGI environ of its request."""

_TEXTS = (
    "text/",
    "application/json",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/graphql",
)
_QUIET = TraceFlags(0)


class _HeadGetter(Getter[Head]):
    def get(self, carrier: Head, key: str) -> list[str] | None:
        value = carrier.header(key.lower())
        return [value] if value else None

    def keys(self, carrier: Head) -> list[str]:
        return list(carrier.headers)


_GETTER = _HeadGetter()


class Body:
    """How long a body was, and as much of it as is wanted."""

    __slots__ = ("kept", "length", "wanted")

    def __init__(self, wanted: int) -> None:
        self.wanted, self.length, self.kept = wanted, 0, b""

    def add(self, part: Any) -> None:
        """Note a part of it."""
        self.length += len(part)
        if len(self.kept) < self.wanted:
            self.kept += bytes(part[: self.wanted - len(self.kept)])


class Exchange:
    """Begins when the server hands the request over, and is over when the response is.

    Its integration calls :meth:`enter`, tells what it sees, then :meth:`describe`, :meth:`tell` and :meth:`leave`.

    Where the framework makes its own span and figures (``own`` is False) only what that lacks is added to them.

    Attributes:
        head: the request's.
        route: the pattern that the path matched, where one did.
        prefix: of the applications that the one with the route is mounted in.
        status: of the response, 0 while there is none.
        error: what went wrong at the server.
        raised: an exception that left the route; the reason of a 5xx, should it become one.
        request, response: the bodies.
        disconnected: the client left before the response was complete.
        late_ids: ids that were bound in the course of the request.
        excluded: the path has no spans.
        is_handed_on: an application of another kind inside serves it, by a bridge.
        seconds: from begin to end, 0 while it goes on.
    """

    __slots__ = (
        "_attached", "_begun", "_begun_ids", "_bound", "_gather", "_given", "_ids", "_kinds", "_over", "_scope",
        "_serving", "_span", "_told", "_web", "disconnected", "error", "excluded", "head", "is_handed_on",
        "is_websocket", "late_ids", "own", "prefix", "raised", "request", "response", "response_headers", "route",
        "seconds", "status",
    )  # fmt: skip

    def __init__(self, head: Head, *, own: bool, websocket: bool = False, scope: Scope = OURS) -> None:
        web = self._web = current()
        self.head, self.own, self.is_websocket, self._scope = head, own, websocket, scope
        self.route, self.prefix, self.status = "", "", 0
        self.error: BaseException | None = None
        self.raised: BaseException | None = None
        self.seconds = 0.0
        self.disconnected = self.is_handed_on = self._over = self._told = False
        self.late_ids: dict[str, Any] = {}
        self._kinds: dict[str, Any] = {}
        self.request, self.response = Body(web.body_bytes), Body(web.body_bytes)
        self.response_headers: dict[str, str] = {}
        self.excluded = web.excludes(head.path)
        self._ids = request_ids(head.header)
        if web.user_id or web.session_id:
            self._ids.update(_identities(web, head))
        self._given = _common(head, websocket)
        self._begun = perf_counter()

    # -- the time of the request

    def enter(self) -> None:
        """Let the span be current and the ids hold, in this contextvars context."""
        self._bound = bind(**self._ids)
        self._bound.__enter__()
        self._serving = serving.set(self)
        self._gather = gather()
        self._gather.__enter__()
        self._attached: Any = None
        try:
            self._start()
        except Exception:
            self.leave()
            raise

    def _start(self) -> None:
        self._begun_ids = bound_ids()
        if not self.own:
            self._span = trace.get_current_span()
            self._span.set_attributes({**_details(self.head), **self._begun_ids})
            return
        parent = propagate.extract(self.head, getter=_GETTER)
        self._span = self._started(parent)
        if not self.is_websocket:
            figures(self._scope).begin(self._given[semconv.HTTP_REQUEST_METHOD], self.head.scheme)
        self._attached = otel_context.attach(trace.set_span_in_context(self._span, parent))

    def _started(self, parent: Context) -> Span:
        if self.excluded:
            # Not sampled, so that what the request asks of others makes no trace either.
            return NonRecordingSpan(SpanContext(random_bits(128), random_bits(64), False, _QUIET))
        given = {**self._given, **_places(self.head), **_details(self.head)}
        return tracer().start_span(self._method(), context=parent, kind=SpanKind.SERVER, attributes=given)

    def leave(self) -> None:
        """Undo :meth:`enter`, in the same contextvars context."""
        with suppress(ValueError):  # a coroutine that was closed in another contextvars context
            serving.reset(self._serving)
            if self._attached is not None:
                otel_context._RUNTIME_CONTEXT.detach(self._attached)
        self.raised = None
        self._gather.__exit__()
        self._bound.__exit__(None, None, None)

    # -- what is seen meanwhile

    def matched(self, route: str) -> None:
        """The path matched this route; at once in the span's name, for whoever looks at it meanwhile."""
        self.route = route
        if self.own and self._span.is_recording():
            self._span.update_name(f"{self._method()} {route}")
            self._span.set_attribute(semconv.HTTP_ROUTE, route)

    def answered(self, status: int, headers: dict[str, str]) -> None:
        """The response begins."""
        self.status, self.response_headers = status, headers
        if status >= 500:
            self.handled()

    def handled(self) -> None:
        """The application answers an exception that is being handled with a 5xx; that is its reason."""
        self.error = self.error or sys.exc_info()[1] or self.raised

    def failed(self, error: BaseException) -> None:
        """An exception left the application."""
        if isinstance(error, Exception):
            self.error = error
        elif type(error).__name__ == "CancelledError":
            self.disconnected = self.disconnected or not self._over
            if not self._over:
                self._span.set_attribute(semconv.EVENT_CANCELLED, True)

    @property
    def wants_headers(self) -> bool:
        """Whether anybody reads the response's headers here."""
        return bool(self._web.response_headers or self._web.body_bytes)

    def new_headers(self, present: Any) -> list[tuple[str, str]]:
        """Headers that the response gets: the ids, where the application has not set them.

        Args:
            present: lower-case names of those that it has.
        """
        return [(name, self._ids[key]) for key, name in _RESPONSE_IDS if name not in present]

    # -- its end

    def describe(self) -> None:
        """The response is complete: figures, and what the span lacks. The span is ended where it is ours."""
        if self._over:
            return
        self._over = True
        self.seconds = perf_counter() - self._begun
        for step in (self._describe, self._finish):
            try:
                step()
            except Exception as error:
                _guard.contained("instrument.http", error)

    def tell(self) -> None:
        """The access log record, after :meth:`describe`."""
        if self._web.access_log and not self._told:
            self._told = True
            try:
                _access.tell(self, perf_counter() - self._begun, self.excluded)
            except Exception as error:
                _guard.contained("instrument.http", error)

    def _describe(self) -> None:
        kinds = self._kinds = self._outcome()
        # What the application did not read has a length all the same.
        self.request.length = self.request.length or _number(self.head.header("content-length"))
        if self.head.method == "HEAD":
            self.response = Body(0)  # the server keeps it to itself
        self._span.set_attributes(self._late())
        if self.own or self.is_websocket:  # of which FastAPI does not say how the handshake went
            self._span.set_attributes(kinds)
        if self.own and semconv.ERROR_TYPE in kinds:
            self._span.set_status(StatusCode.ERROR, _sentence(self.error))
        if self.error is not None:
            place = place_of(self.error)
            self._span.set_attributes(place)
            if self.own:
                _note(self._span, self.error, place)
            elif 0 < self.status < 500:
                # It broke off, which the framework does not see where a middleware completes the response.
                self._span.set_status(StatusCode.ERROR, _sentence(self.error))

    def _finish(self) -> None:
        if self.own:
            self._span.end()
        if not self.is_websocket:
            self._count(self.seconds, _counted(*self._given.items(), *self._kinds.items()))

    def _outcome(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.route:
            found[semconv.HTTP_ROUTE] = self.route
        if self.status:
            found[semconv.HTTP_RESPONSE_STATUS_CODE] = self.status
        if self.error is not None:
            found[semconv.ERROR_TYPE] = _type_name(self.error)
        elif self.status >= 500:
            found[semconv.ERROR_TYPE] = str(self.status)
        return found

    def _count(self, seconds: float, attributes: dict[str, Any]) -> None:
        instruments = figures(self._scope)
        if self.own:
            instruments.duration.record(seconds, attributes)
            instruments.begin(self._given[semconv.HTTP_REQUEST_METHOD], self.head.scheme, -1)
        if self.request.length:
            instruments.request_size.record(self.request.length, attributes)
        instruments.response_size.record(self.response.length, attributes)

    def _late(self) -> dict[str, Any]:
        ids = self.late_ids = self._new_ids()
        if self._web.user_id or self._web.session_id:
            ids.update(self._identified_late())
        late: dict[str, Any] = dict(ids)
        if self.request.length:
            late[semconv.HTTP_REQUEST_BODY_SIZE] = self.request.length
        if self.response.length:
            late[semconv.HTTP_RESPONSE_BODY_SIZE] = self.response.length
        if self.disconnected:
            late[semconv.HTTP_DISCONNECTED] = True
        if self._web.request_headers:
            late.update(_headers("request", self._web.request_headers, self.head.headers))
        if self._web.response_headers:
            late.update(_headers("response", self._web.response_headers, self.response_headers))
        if self._web.body_bytes:
            late.update(_bodies(self))
        return late

    def _new_ids(self) -> dict[str, Any]:
        """What was bound since the span began, which has the others already."""
        bound, gathered = bound_ids(), self._gather.attributes()
        if bound is self._begun_ids and not gathered:
            return {}
        now = {**bound, **gathered}
        return {name: value for name, value in now.items() if self._begun_ids.get(name) != value}

    def _identified_late(self) -> dict[str, str]:
        """Who it was may be known only now: a framework's own middlewares found it out."""
        missing = {"user_id", "session_id"} - self._ids.keys()
        late = _identities(self._web, self.head) if missing else {}
        names = {"user_id": semconv.USER_ID, "session_id": semconv.SESSION_ID}
        return {names[name]: late[name] for name in missing if name in late}

    # -- facts

    @property
    def is_over(self) -> bool:
        """Whether the response was complete, or given up."""
        return self._over

    @property
    def age(self) -> float:
        """Seconds since it began, also when it is over: work may follow the response."""
        return perf_counter() - self._begun

    @property
    def outcome(self) -> dict[str, Any]:
        """Route, status and error, as the metrics have them."""
        return self._kinds

    @property
    def span(self) -> Span:
        """The server's span."""
        return self._span

    def _method(self) -> str:
        if self.is_websocket:
            return "WS"
        return self.head.method if self.head.method in METHODS else "HTTP"

    @property
    def title(self) -> str:
        """The span's name: ``GET /orders/{id}``."""
        return f"{self._method()} {self.route}" if self.route else self._method()


serving: ContextVar[Exchange | None] = ContextVar("otel_kit.serving", default=None)
"""The request that is served here."""

_RESPONSE_IDS = (("request_id", "x-request-id"), ("correlation_id", "x-correlation-id"))


@lru_cache(maxsize=1024)
def _counted(*pairs: tuple[str, Any]) -> Facts:
    """What the metrics of one route are told; the same object for the same facts."""
    return Facts(dict(pairs))


def _common(head: Head, websocket: bool) -> dict[str, Any]:
    """What span and metrics share."""
    if websocket:
        return {semconv.URL_SCHEME: head.scheme, semconv.NETWORK_PROTOCOL_NAME: "websocket"}
    method = head.method if head.method in METHODS else "_OTHER"
    found = {semconv.HTTP_REQUEST_METHOD: method, semconv.URL_SCHEME: head.scheme}
    if head.protocol:
        found[semconv.NETWORK_PROTOCOL_VERSION] = head.protocol
    return found


def _places(head: Head) -> dict[str, Any]:
    found: dict[str, Any] = {semconv.URL_PATH: head.path}
    if head.query:
        found[semconv.URL_QUERY] = head.query
    address, port = head.server
    if address:
        found[semconv.SERVER_ADDRESS] = address
        if port is not None:
            found[semconv.SERVER_PORT] = port
    if head.method not in METHODS:
        found[semconv.HTTP_REQUEST_METHOD_ORIGINAL] = head.method
    return found


def _details(head: Head) -> dict[str, Any]:
    """What frameworks that make their own span leave out."""
    found = {}
    if head.client:
        found[semconv.CLIENT_ADDRESS] = head.client
    if agent := head.header("user-agent"):
        found[semconv.USER_AGENT_ORIGINAL] = agent
    return found


def _identities(web: Web, head: Head) -> dict[str, str]:
    found = {}
    for name, source in (("user_id", web.user_id), ("session_id", web.session_id)):
        if source is not None and (value := _identity(source, head)):
            found[name] = value
    return found


def _identity(source: Identity, head: Head) -> str:
    if isinstance(source, str):
        return head.header(source.lower())
    try:
        value = source(head) if source else None
        return "" if value is None else str(value)
    except Exception as error:
        # The user's function: one that fails must not fail the request.
        _guard.contained("instrument.identity", error)
        return ""


def _headers(side: str, wanted: tuple[str, ...], headers: Any) -> dict[str, Any]:
    pattern = header_pattern(wanted)
    return {
        f"http.{side}.header.{name}": [value] for name, value in headers.items() if pattern.fullmatch(name)
    }


def _bodies(exchange: Exchange) -> dict[str, str]:
    sides = (
        (semconv.HTTP_REQUEST_BODY, exchange.request, exchange.head.header),
        (semconv.HTTP_RESPONSE_BODY, exchange.response, lambda name: exchange.response_headers.get(name, "")),
    )
    return {
        name: body.kept.decode("utf-8", "replace")
        for name, body, header in sides
        # What is compressed is no text, and redaction sees nothing in it.
        if body.kept and header("content-type").lower().startswith(_TEXTS) and not header("content-encoding")
    }


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _sentence(error: BaseException | None) -> str | None:
    if error is None:
        return None
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__


def _note(span: Span, error: BaseException, place: dict[str, Any]) -> None:
    """An event, unless a span inside has it already, which another SDK's span does not know."""
    if callable(note := getattr(span, "note_exception", None)):
        note(error)
    else:
        span.record_exception(error, place)


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 20 else 0
