"""OTLP/HTTP with protobuf bodies: one POST, one answer. urllib3 and ssl are imported at the first request."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from otel_kit.export.answer import Answer, asked

if TYPE_CHECKING:
    import ssl

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
        self._pool = _pool_for(target)
        "localhost".encode("idna")  # a codec of many modules, imported here and not by the first request

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send one request; every failure becomes an answer."""
        import urllib3

        try:
            response = self._pool.request(
                "POST",
                self._target.url,
                body=self._compress(body),
                headers=self._headers,
                timeout=urllib3.Timeout(total=min(timeout, self._target.timeout)),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as error:
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


def _pool_for(target: Any) -> Any:
    """A pool of one connection, through the proxy that the environment names, if any."""
    from urllib.request import getproxies, proxy_bypass

    import urllib3

    parts = urllib3.util.parse_url(target.url)
    options: dict[str, Any] = {"maxsize": 1, "ssl_context": _tls(target) if parts.scheme == "https" else None}
    proxy = getproxies().get(parts.scheme or "http")
    if proxy and parts.host and not proxy_bypass(parts.host):
        return urllib3.ProxyManager(proxy, **options)
    return urllib3.PoolManager(**options)


def _tls(target: Any) -> ssl.SSLContext:
    import ssl

    context = ssl.create_default_context(cafile=target.certificate or None)
    if not target.certificate:
        import certifi  # slim images carry no certificates of their own

        context.load_verify_locations(certifi.where())
    if target.client_certificate:
        context.load_cert_chain(target.client_certificate, target.client_key or None)
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
    from email.utils import parsedate_to_datetime

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
    import http.client
    import socket
    import ssl

    chain = list(_causes(error))
    if any(isinstance(cause, ConnectionRefusedError) for cause in chain):
        return Answer(trouble="connection refused", retry=True, refused=True)
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
