"""OTLP/HTTP with protobuf bodies: one POST, one answer. This file is imported at the first request, and urllib3 with it."""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.request import getproxies, proxy_bypass

import urllib3

from otel_kit.export.answer import Answer, asked
from otel_kit.export.deadline import Deadline, pools, secured

USER_AGENT = "otel-kit OTel-OTLP-Exporter-Python"
# https://opentelemetry.io/docs/specs/otlp/#failures-1; any other answer but 2xx is final, redirects included.
RETRYABLE = frozenset({429, 502, 503, 504})
TOO_LARGE = 413
LONGEST_ANSWER = 65_536
_HINTS = {
    400: "is this an OTLP/HTTP endpoint?",
    401: "check the headers setting",
    403: "check the headers setting",
    404: "is this an OTLP/HTTP endpoint? gRPC's port is 4317, HTTP's 4318",
    415: "is this an OTLP/HTTP endpoint?",
}


class HttpTransport:
    """One connection to one URL.

    Args:
        target: the endpoint; see :class:`otel_kit.export.otlp.Target`.
        method: unused here; gRPC's counterpart needs it.
    """

    def __init__(self, target: Any, method: str = "") -> None:
        self._target = target
        self._headers = {
            "User-Agent": USER_AGENT,
            **dict(target.headers or {}),
            "Content-Type": "application/x-protobuf",
        }
        if target.compression in ("gzip", "deflate"):
            self._headers["Content-Encoding"] = target.compression
        self._compress = _compressor(target.compression)
        self._deadline = Deadline()
        self._pool = _pool_for(target, self._deadline)
        "localhost".encode("idna")  # a codec of many modules, imported here and not by the first request

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send one request; every failure becomes an answer."""
        self._deadline.at = time.monotonic() + min(timeout, self._target.timeout)
        try:
            response = self._pool.request(
                "POST",
                self._target.url,
                body=self._compress(body),
                headers=self._headers,
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return _unreachable(error)
        return _classified(response.status, response.headers, _body_of(response))

    def renew(self) -> None:
        """In a forked child the pool is dropped: closing it would end the parent's TLS session."""

    def close(self) -> None:
        """Close the connection."""
        self._pool.clear()


def _body_of(response: Any) -> bytes:
    """What can be read of the answer: the status alone says whether the request was accepted."""
    try:
        body: bytes = response.read(LONGEST_ANSWER)
        return body
    except Exception:  # cut off, badly encoded, too late: sending again would double what was accepted
        return b""
    finally:
        if not response.closed:  # not read to the end: the connection is of no more use
            response.close()
        response.release_conn()


def _compressor(name: str) -> Callable[[bytes], bytes]:
    if name == "none":
        return lambda body: body
    import gzip
    import zlib

    return gzip.compress if name == "gzip" else zlib.compress


def _pool_for(target: Any, deadline: Deadline) -> Any:
    """A pool of one connection, through the proxy that the environment names, if any."""
    parts = urllib3.util.parse_url(target.url)
    options: dict[str, Any] = {"maxsize": 1}
    if parts.scheme == "https":
        options["ssl_context"] = secured(_tls(target), deadline)
    proxy = getproxies().get(parts.scheme or "http")
    if proxy and parts.host and not proxy_bypass(parts.host):
        manager = _proxied(proxy, options, deadline)
    else:
        manager = urllib3.PoolManager(**options)
    manager.pool_classes_by_scheme = pools(deadline)
    return manager


def _proxied(proxy: str, options: dict[str, Any], deadline: Deadline) -> urllib3.PoolManager:
    """Through a proxy; ``http://`` may be left out, as elsewhere.

    Raises:
        OSError: it is no address of a proxy. What it is is not told: it may hold a password.
    """
    url = proxy if "://" in proxy else f"http://{proxy}"
    try:
        context = secured(_trusting(None), deadline) if url.startswith("https:") else None
        return urllib3.ProxyManager(url, proxy_ssl_context=context, **options)
    except Exception as error:
        trouble = f"the proxy that the environment names cannot be used ({type(error).__name__})"
        raise OSError(errno.EINVAL, trouble) from None


def _tls(target: Any) -> ssl.SSLContext:
    context = _trusting(target.certificate)
    if target.client_certificate:
        context.load_cert_chain(target.client_certificate, target.client_key or None)
    return context


def _trusting(certificate: str | None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=certificate or None)
    if not certificate:
        import certifi  # slim images carry no certificates of their own

        context.load_verify_locations(certifi.where())
    return context


def _classified(status: int, headers: Any, body: bytes) -> Answer:
    if 200 <= status < 300:
        return Answer(body)
    hint = _HINTS.get(status, "")
    trouble = f"HTTP {status}" + (f" ({hint})" if hint else "")
    if status in RETRYABLE:
        return Answer(trouble=trouble, retry=True, after=_retry_after(headers.get("Retry-After")))
    return Answer(trouble=trouble, too_large=status == TOO_LARGE)


def _retry_after(value: str | None) -> float | None:
    """Seconds, from either form of the header: https://www.rfc-editor.org/rfc/rfc9110#field.retry-after."""
    if value is None:
        return None
    try:
        return asked(float(value))
    except ValueError:
        pass
    try:
        return asked(parsedate_to_datetime(value).timestamp() - time.time())
    except (ValueError, TypeError, OverflowError):
        return None


GRPC_PORT = (
    "this looks like a gRPC port: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc, or use the HTTP port, usually 4318"
)
_NO_TLS_THERE = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH", "UNKNOWN_PROTOCOL")


def _unreachable(error: BaseException) -> Answer:
    """Connection, timeout, TLS: all may pass."""
    chain = list(_causes(error))
    if isinstance(error, urllib3.exceptions.ProxyError):
        return _proxy_answer(chain)
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return Answer(trouble="connection refused", retry=True, refused=True)
    if any(isinstance(cause, TimeoutError) for cause in chain):
        return Answer(trouble="no answer in time", retry=True)
    trouble = ""
    for cause in chain:
        if isinstance(cause, socket.gaierror):
            trouble = f"the host name is not found ({cause.strerror})"
        elif isinstance(cause, ssl.SSLError):
            trouble = _tls_trouble(cause)
        elif isinstance(cause, http.client.BadStatusLine) and "\\x00" in ascii(str(cause)):
            trouble = f"the answer is not HTTP; {GRPC_PORT}"
    if trouble:
        return Answer(trouble=trouble, retry=True, refused=True, unsure=True)
    return Answer(trouble=f"{type(error).__name__}: {_plain(error)}", retry=True)


def _proxy_answer(chain: list[BaseException]) -> Answer:
    """Named by its type, or by the proxy's status: the text may hold the proxy's password."""
    nobody = any(isinstance(cause, ConnectionRefusedError | socket.gaierror) for cause in chain)
    status = re.search(r"Tunnel connection failed: (\d{3})", str(chain[-1]))
    why = f"HTTP {status[1]}" if status else type(chain[-1]).__name__
    return Answer(trouble=f"the proxy fails ({why})", retry=True, refused=nobody, unsure=nobody)


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and what it came from; urllib3 hands some on as arguments only."""
    while error is not None:
        yield error
        yield from (argument for argument in error.args if isinstance(argument, BaseException))
        error = error.__cause__ or error.__context__


def _tls_trouble(error: Any) -> str:
    reason = str(error.reason or error)
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        why = getattr(error, "verify_message", "") or reason
        return f"its certificate is not trusted ({why[:100]}); see OTEL_EXPORTER_OTLP_CERTIFICATE"
    if any(name in reason for name in _NO_TLS_THERE):
        return f"TLS failed ({reason[:100]}): does that port speak plain http://?"
    return f"TLS failed ({reason[:100]})"


def _plain(error: BaseException) -> str:
    """urllib3's messages begin with the repr of an object, and may hold the URL with its query."""
    text = str(error).rpartition(">: ")[2] or str(error)
    return text[:160]
