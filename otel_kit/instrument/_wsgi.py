"""A WSGI application as a server sees it: requests, until the last part of the response or its close.

Each request runs in a contextvars context of its own: ids that are bound in it hold while the response is made, part by
part, and never reach the next request of the thread.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from otel_kit import _guard
from otel_kit.instrument._exchange import KEY, Body, Exchange, serving
from otel_kit.instrument._head import WsgiHead
from otel_kit.instrument._web import current
from otel_kit.signals.logs import access

Environ = dict[str, Any]
App = Callable[[Environ, Any], Iterable[bytes]]


def is_request(environ: Environ) -> bool:
    """Whether this is a request that nobody watches. A program may have the same environ served once more."""
    exchange = environ.get(KEY) or _handed_on(environ)
    return exchange is None or exchange.is_over


def _handed_on(environ: Environ) -> Exchange | None:
    """The request of an ASGI application that has this one inside, which a bridge between them hands on in other words."""
    exchange = serving.get()
    if exchange is None:
        return None
    here, there = WsgiHead(environ), exchange.head
    same = (here.method, here.path, here.query) == (there.method, there.path, there.query)
    if not same or here.header("host") != there.header("host"):
        return None
    environ[KEY] = exchange
    exchange.is_handed_on = True
    return exchange


def serve(app: App, environ: Environ, start_response: Any, *, own: bool = True) -> Iterable[bytes]:
    """Have the application serve a request, and tell about it.

    Args:
        app: the application.
        environ, start_response: what WSGI hands over.
        own: make the span and the figures; otherwise another integration does.
    """
    if current().access_log:
        access.begin()  # outside of the request's own context: some servers write their line after it
    context = contextvars.copy_context()
    exchange = context.run(_begun, environ, own)
    if exchange is None:
        return app(environ, start_response)
    try:
        parts = context.run(app, environ, _starter(exchange, start_response))
    except BaseException as error:
        context.run(_end, exchange, error)
        raise
    watched: Iterable[bytes] = _watched(parts, exchange, context, environ.get("wsgi.file_wrapper"))
    return watched


def watch(
    call: Callable[[Environ], Any], environ: Environ, answer: Callable[[Any], tuple[int, dict[str, str], int]]
) -> Any:
    """The same for a test client, which calls without a server and gets the framework's own response.

    Args:
        call: has the request served.
        environ: the request.
        answer: tells a response's status, its headers by lower-case names, and its length.
    """
    exchange = _begun(environ, own=True)
    if exchange is None:
        return call(environ)
    error: BaseException | None = None
    try:
        response = call(environ)
        status, headers, exchange.response.length = answer(response)
        exchange.answered(status, headers)
        for name, value in exchange.new_headers(headers):
            response[name] = value
        return response
    except BaseException as raised:
        error = raised
        raise
    finally:
        _end(exchange, error)
        exchange.leave()


def _begun(environ: Environ, own: bool) -> Exchange | None:
    try:
        exchange = Exchange(WsgiHead(environ), own=own)
        exchange.enter()
        environ[KEY] = exchange
        if exchange.request.wanted and "wsgi.input" in environ:
            environ["wsgi.input"] = _Input(environ["wsgi.input"], exchange.request)
        return exchange
    except Exception as error:
        _guard.contained("instrument.wsgi", error)
        return None


def _end(exchange: Exchange, error: BaseException | None = None) -> None:
    try:
        if error is not None:
            exchange.failed(error)
            if not exchange.response.length:
                # Servers send the status with the first part: they answer by themselves now.
                exchange.status = 0
        # A middleware such as werkzeug's ProxyFix may have learned who it really was.
        exchange.head.client = exchange.head.raw.get("REMOTE_ADDR") or exchange.head.client
        exchange.describe()
        exchange.tell()
    except Exception as failure:
        _guard.contained("instrument.wsgi", failure)


def _starter(exchange: Exchange, start_response: Any) -> Any:
    def start(status: str, headers: list[tuple[str, str]], *rest: Any, **named: Any) -> Any:
        try:
            headers = [*headers, *_answered(exchange, status, headers)]
        except Exception as error:
            _guard.contained("instrument.wsgi", error)
        write = start_response(status, headers, *rest, **named)

        def counted(part: bytes) -> object:
            _note(exchange, part)
            return write(part)

        return counted if write is not None else write

    return start


def _note(exchange: Exchange, part: bytes) -> None:
    try:
        exchange.response.add(part)
    except Exception as error:  # it is no bytes, which the server says better
        _guard.contained("instrument.wsgi", error)


def _answered(exchange: Exchange, status: str, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    present = {name.lower(): value for name, value in headers}
    exchange.answered(int(status[:3]), present)
    return exchange.new_headers(present)


def _watched(parts: Any, exchange: Exchange, context: contextvars.Context, file_wrapper: Any) -> Any:
    if isinstance(file_wrapper, type) and type(parts) is file_wrapper:
        # The server sends the file by itself if it gets its own wrapper; all that is seen of it is the close.
        try:
            exchange.response.length = int(exchange.response_headers.get("content-length", "0"))
            close = getattr(parts, "close", None)
            setattr(parts, "close", lambda: _closed(exchange, context, close))  # noqa: B010
        except Exception:
            context.run(_end, exchange)
        return parts
    return (_Sized if hasattr(parts, "__len__") else _Response)(parts, exchange, context)


def _closed(exchange: Exchange, context: contextvars.Context, close: Any) -> None:
    try:
        if close is not None:
            context.run(close)
    finally:
        context.run(_end, exchange)


class _Response:
    """The parts of a response, each made in the request's own context."""

    __slots__ = ("_context", "_exchange", "_is_closed", "_next", "_parts")

    def __init__(self, parts: Any, exchange: Exchange, context: contextvars.Context) -> None:
        self._parts, self._exchange, self._context = parts, exchange, context
        self._next: Callable[[], bytes] | None = None
        self._is_closed = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __del__(self) -> None:
        """Nobody closed it, as test clients do not: a generator that is left would end outside of its context, and fail."""
        if not self._is_closed:
            with contextlib.suppress(Exception):
                self.close()

    def __next__(self) -> bytes:
        try:
            if self._next is None:
                self._next = self._context.run(iter, self._parts).__next__
            part: bytes = self._context.run(self._next)
        except StopIteration:
            self._context.run(_end, self._exchange)
            raise
        except BaseException as error:
            self._context.run(_end, self._exchange, error)
            raise
        _note(self._exchange, part)
        if not self._exchange.is_over and self._is_complete():
            # Known already: some servers, and test clients, neither ask for more nor close.
            self._context.run(_end, self._exchange)
        return part

    def close(self) -> None:
        """The server is done, with all parts or, where the client has left, before."""
        self._is_closed = True
        try:
            if not self._exchange.is_over and not self._is_complete():
                self._exchange.disconnected = True
            if (close := getattr(self._parts, "close", None)) is not None:
                self._context.run(close)
        finally:
            self._context.run(_end, self._exchange)

    def _is_complete(self) -> bool:
        """Some servers stop where Content-Length is reached, or ask for no part of an answer to HEAD."""
        length = self._exchange.response_headers.get("content-length", "")
        return self._exchange.head.method == "HEAD" or length == str(self._exchange.response.length)


class _Sized(_Response):
    """Of an application that says how many parts there are: a server can tell the length of a single one."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(self._parts)


class _Input:
    """The request's body, which is noted as the application reads it."""

    def __init__(self, stream: Any, body: Body) -> None:
        self._stream, self._body = stream, body

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        return self._into(found) if name == "readinto" else found

    def _into(self, readinto: Callable[[Any], int]) -> Callable[[Any], int]:
        """Only some servers' streams have it."""

        def noted(buffer: Any) -> int:
            size = readinto(buffer)
            self._noted(bytes(memoryview(buffer)[:size]))
            return size

        return noted

    def read(self, *size: Any) -> bytes:
        """As the server's."""
        return self._noted(self._stream.read(*size))

    def readline(self, *size: Any) -> bytes:
        """As the server's."""
        return self._noted(self._stream.readline(*size))

    def readlines(self, *hint: Any) -> list[bytes]:
        """As the server's."""
        return [self._noted(line) for line in self._stream.readlines(*hint)]

    def __iter__(self) -> Iterator[bytes]:
        return map(self._noted, self._stream)

    def _noted(self, part: bytes) -> bytes:
        self._body.add(part)
        return part
