"""OTLP/gRPC: one unary call, one answer. grpc is imported at the first request."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from otel_kit.export.answer import Answer, asked

# https://opentelemetry.io/docs/specs/otlp/#failures; any other code is final.
RETRYABLE = frozenset(
    {
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "RESOURCE_EXHAUSTED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
    }
)


class GrpcTransport:
    """One channel to one endpoint.

    Args:
        target: the endpoint; see :class:`otel_kit.export.otlp.Target`.
        method: the full name of the export method.
    """

    def __init__(self, target: Any, method: str) -> None:
        import grpc  # type: ignore[import-untyped]

        self._target = target
        parts = urlsplit(target.url if "//" in target.url else f"//{target.url}")
        options = [
            ("grpc.primary_user_agent", "otel-kit"),
            ("grpc.enable_retries", 0),  # retrying is the batcher's business
            (
                "grpc.initial_reconnect_backoff_ms",
                500,
            ),  # and a call fails at once while the channel backs off
            ("grpc.min_reconnect_backoff_ms", 500),
            ("grpc.max_reconnect_backoff_ms", 2000),
        ]
        compression = (
            grpc.Compression.Gzip if target.compression == "gzip" else grpc.Compression.NoCompression
        )
        address = parts.netloc.rpartition("@")[2] or parts.path
        if parts.scheme == "https" or (not parts.scheme and not target.insecure):
            self._channel = grpc.secure_channel(address, _tls(target), options, compression)
        else:
            self._channel = grpc.insecure_channel(address, options, compression)
        self._metadata = tuple((name.lower(), value) for name, value in dict(target.headers or {}).items())
        self._call = self._channel.unary_unary(method)

    def post(self, body: bytes, timeout: float) -> Answer:
        """Send one request; every failure becomes an answer."""
        import grpc

        try:
            answer = self._call(
                body,
                timeout=min(timeout, self._target.timeout),
                metadata=self._metadata,
                wait_for_ready=False,
            )
        except grpc.RpcError as error:
            return _classified(error)
        return Answer(answer)

    def renew(self) -> None:
        """In a forked child the channel is dropped; gRPC's threads stayed with the parent."""

    def close(self) -> None:
        """Close the channel."""
        self._channel.close()


def _tls(target: Any) -> Any:
    import grpc

    return grpc.ssl_channel_credentials(
        root_certificates=_bytes_of(target.certificate),
        private_key=_bytes_of(target.client_key),
        certificate_chain=_bytes_of(target.client_certificate),
    )


def _bytes_of(path: str | None) -> bytes | None:
    return Path(path).read_bytes() if path else None


def _classified(error: Any) -> Answer:
    code, details = error.code().name, (error.details() or "")
    trouble = f"gRPC {code}: {details[:160]}"
    if code == "RESOURCE_EXHAUSTED" and "larger than max" in details:
        return Answer(trouble=trouble, too_large=True)
    if code not in RETRYABLE:
        return Answer(trouble=trouble)
    if code == "UNAVAILABLE" and (known := _known_trouble(details.lower())):
        return Answer(trouble=known, retry=True, refused=True, unsure=known != "connection refused")
    return Answer(trouble=trouble, retry=True, after=_retry_after(error))


HTTP_PORT = "this looks like an HTTP port: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf, or use the gRPC port, usually 4317"


def _known_trouble(details: str) -> str:
    """What gRPC says only in words, and differently in each version."""
    if "connection refused" in details:
        return "connection refused"
    if "dns" in details or "resolution" in details or "resolving" in details:
        return "the host name is not found"
    if "http1" in details or "http/1" in details or "failed parsing http/2" in details:
        return f"the answer is not gRPC; {HTTP_PORT}"
    if "certificate_verify_failed" in details or "peer certificate" in details:
        return "its certificate is not trusted; see OTEL_EXPORTER_OTLP_CERTIFICATE"
    if "ssl" in details or "tls" in details or "handshake" in details:
        return "TLS failed: does that port speak plain http://?"
    return ""


def _retry_after(error: Any) -> float | None:
    """The seconds of a RetryInfo among the status' details, if there is one that can be read."""
    from google.rpc.error_details_pb2 import RetryInfo  # type: ignore[import-untyped]
    from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]

    details = [value for key, value in error.trailing_metadata() or () if key == "grpc-status-details-bin"]
    info = RetryInfo()
    try:
        found = any(detail.Unpack(info) for value in details for detail in Status.FromString(value).details)
    except Exception:  # whatever protobuf raises on bytes that are no message
        return None
    return asked(info.retry_delay.seconds + info.retry_delay.nanos / 1e9) if found else None
