"""Where one signal is sent to: the OTLP settings worked out to final addresses."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import SplitResult, unquote

from otel_kit.setup.urls import masked_url, split_url
from otel_kit.setup.values import Headers

if TYPE_CHECKING:
    from otel_kit.setup.config import Settings

Signal = Literal["traces", "metrics", "logs"]
DEFAULT_ENDPOINTS = {"http/protobuf": "http://localhost:4318", "grpc": "http://localhost:4317"}
PER_TARGET = (
    "protocol",
    "headers",
    "timeout",
    "compression",
    "certificate",
    "client_key",
    "client_certificate",
    "insecure",
)


class OtlpTarget(NamedTuple):
    """One address that one signal is sent to.

    Attributes:
        signal: traces, metrics or logs.
        url: the final URL without user and password; for http with its path, for grpc scheme, host and port.
        protocol: ``http/protobuf`` or ``grpc``.
        headers: for each request, names in lower case; a user and password of the URL are in ``authorization``.
        timeout: longest time of one request, in seconds.
        compression: ``none``, ``gzip`` or, with http, ``deflate``.
        certificate, client_key, client_certificate: paths of PEM files.
        insecure: no TLS.
    """

    signal: Signal
    url: str
    protocol: str
    headers: Mapping[str, str]
    timeout: float
    compression: str
    certificate: str | None
    client_key: str | None
    client_certificate: str | None
    insecure: bool

    def __repr__(self) -> str:
        return f"OtlpTarget({self.signal}, {masked_url(self.url)}, {self.protocol})"


def http_url(parts: SplitResult, signal: str, is_base: bool) -> str:
    """The URL of a signal: the base gets ``/v1/<signal>``, a signal's own URL stays as it is."""
    path = f"{parts.path.rstrip('/')}/v1/{signal}" if is_base else parts.path or "/"
    return f"{parts.scheme}://{host_of(parts)}{path}" + (f"?{parts.query}" if parts.query else "")


def grpc_url(parts: SplitResult, insecure: bool) -> str:
    """Scheme, host and port; the scheme decides about TLS, without one the setting ``insecure`` does."""
    scheme = parts.scheme or ("http" if insecure else "https")
    return f"{scheme}://{host_of(parts)}"


def host_of(parts: SplitResult) -> str:
    return parts.netloc.rpartition("@")[2]


def with_user(headers: Mapping[str, str], parts: SplitResult) -> Headers:
    """The headers, with user and password of the URL as basic authorization where none is given."""
    result = Headers(headers)
    if parts.username is not None and "authorization" not in result:
        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        result["authorization"] = f"Basic {b2a_base64(login.encode(), newline=False).decode()}"
    return result


def targets_of(signal: Signal, settings: Settings) -> tuple[OtlpTarget, ...]:
    """All addresses of a signal, as the settings say."""
    own = {name: getattr(settings, f"{signal}_{name}") for name in PER_TARGET}
    endpoints = getattr(settings, f"{signal}_endpoint")
    protocol = own["protocol"]
    bases = settings.endpoint or (DEFAULT_ENDPOINTS[protocol],)
    result = []
    for endpoint in endpoints or bases:
        parts = split_url(endpoint)
        is_grpc = protocol == "grpc"
        url = grpc_url(parts, own["insecure"]) if is_grpc else http_url(parts, signal, not endpoints)
        changes = {"headers": with_user(own["headers"], parts), "insecure": url.startswith("http://")}
        result.append(OtlpTarget(signal, url, **{**own, **changes}))
    return tuple(result)
