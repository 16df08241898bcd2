"""OTLP: items → protobuf → one request → a precise outcome, over HTTP or gRPC."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from otel_kit import _guard
from otel_kit._imports import importing
from otel_kit.export.outcome import PARTIAL_SUCCESS, REJECTED, TOO_LARGE, UNENCODABLE, Outcome

if TYPE_CHECKING:  # a Protocol costs a start-up a millisecond, and is nothing at run time
    from otel_kit.export.answer import Answer

    class Target(Protocol):
        """Where to deliver one signal, and how: ``setup.config.OtlpTarget``."""

        @property
        def signal(self) -> str: ...
        @property
        def url(self) -> str: ...
        @property
        def protocol(self) -> str: ...
        @property
        def headers(self) -> Any: ...
        @property
        def timeout(self) -> float: ...
        @property
        def compression(self) -> str: ...
        @property
        def certificate(self) -> Any: ...
        @property
        def client_key(self) -> Any: ...
        @property
        def client_certificate(self) -> Any: ...
        @property
        def insecure(self) -> Any: ...

    class Transport(Protocol):
        """One connection: :class:`otel_kit.export.http.HttpTransport` or :class:`otel_kit.export.grpc.GrpcTransport`."""

        def post(self, body: bytes, timeout: float) -> Answer: ...
        def renew(self) -> None: ...
        def close(self) -> None: ...


# gRPC servers refuse messages above 4 MiB unless told otherwise, the Collector's HTTP receiver above 20 MiB.
MAX_REQUEST_BYTES = 3_900_000


_TRANSPORTS = {
    "grpc": ("otel_kit.export.grpc", "GrpcTransport"),
    "http/protobuf": ("otel_kit.export.http", "HttpTransport"),
}


def connect(target: Target, method: str) -> Transport:
    """The transport that the target names."""
    module, name = _TRANSPORTS[target.protocol]
    transport: Transport = getattr(import_module(module), name)(target, method)
    return transport


class Wire(NamedTuple):
    """One signal's encoder and answer, imported when first needed: protobuf costs a start-up 28 ms."""

    encode: Callable[[Any], Any]
    answer: Any
    method: str
    rejected: str


# signal → (module of the encoder, its name, service of the proto package, message, method, field of the count)
_SIGNALS = {
    "traces": ("trace_encoder", "encode_spans", "trace", "Trace", "rejected_spans"),
    "metrics": ("metrics_encoder", "encode_metrics", "metrics", "Metrics", "rejected_data_points"),
    "logs": ("_log_encoder", "encode_logs", "logs", "Logs", "rejected_log_records"),
}


def load_wire(signal: str) -> Wire:
    """Import what encodes one signal."""
    module, function, folder, service, rejected = _SIGNALS[signal]
    encoders = import_module(f"opentelemetry.exporter.otlp.proto.common.{module}")
    messages = import_module(f"opentelemetry.proto.collector.{folder}.v1.{folder}_service_pb2")
    return Wire(
        encode=getattr(encoders, function),
        answer=getattr(messages, f"Export{service}ServiceResponse"),
        method=f"/opentelemetry.proto.collector.{folder}.v1.{service}Service/Export",
        rejected=rejected,
    )


def address_of(url: str) -> str:
    """The URL as it may be shown: without user, password, path and query."""
    from urllib.parse import urlsplit

    parts = urlsplit(url if "//" in url else f"//{url}")
    host = parts.netloc.rpartition("@")[2]
    return f"{parts.scheme}://{host}" if parts.scheme else host


class OtlpSender:
    """Delivers one signal to one endpoint.

    Args:
        target: where and how.
        clean: makes an item fit for the encoder; what it raises costs that item alone.
        weigh: what an item counts in the ledger.
        pack: makes what the encoder takes of a list of items.
    """

    def __init__(
        self,
        target: Target,
        clean: Callable[[Any], Any],
        weigh: Callable[[Any], int],
        pack: Callable[[Sequence[Any]], Any],
    ) -> None:
        self._target, self._clean, self._weigh, self._pack = target, clean, weigh, pack
        self._wire: Wire | None = None
        self._transport: Transport | None = None
        self.encoding = False

    def renew(self) -> None:
        """Forget the parent's connection without closing it: the parent still uses its socket."""
        if self._transport is not None:
            self._transport.renew()
        self._transport, self.encoding = None, False

    def close(self) -> None:
        """Close the connection; a later send opens a new one."""
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close()

    def send(self, items: Sequence[Any], timeout: float) -> Outcome:
        """Encode and deliver the items."""
        self.encoding = True
        try:
            return self._send(items, timeout)
        finally:
            self.encoding = False

    def _send(self, items: Sequence[Any], timeout: float) -> Outcome:
        try:
            wire = self._connected()
        except (
            Exception
        ) as error:  # no file descriptors left to import with, a proxy's address, a certificate's file
            return Outcome(retry=True, trouble=_named(error))
        good = [item for item in map(self._cleaned, items) if item is not None]
        bad = sum(map(self._weigh, items)) - sum(map(self._weigh, good))
        dropped = {UNENCODABLE: bad} if bad else {}
        if not good:
            return Outcome(dropped)
        try:
            body = wire.encode(self._pack(good)).SerializeToString()
        except Exception as error:
            return self._one_too_many(len(items), good, dropped, UNENCODABLE, _one_line(error))
        if len(body) > MAX_REQUEST_BYTES:
            return self._one_too_many(len(items), good, dropped, TOO_LARGE, f"{len(body)} bytes")
        return self._post(body, len(items), good, dropped, timeout)

    def _connected(self) -> Wire:
        """What encodes, with a connection beside it. What was made before a failure is kept for the next attempt."""
        if self._wire is None or self._transport is None:
            with importing():
                self._wire = self._wire or load_wire(self._target.signal)
                self._transport = connect(self._target, self._wire.method)
        return self._wire

    def _cleaned(self, item: Any) -> Any:
        try:
            return self._clean(item)
        except Exception as error:
            _guard.contained(f"{self._target.signal}.clean", error)
            return None

    def _one_too_many(
        self, count: int, good: Sequence[Any], dropped: dict[str, int], reason: str, trouble: str
    ) -> Outcome:
        if count > 1:
            return Outcome(split=True)
        return Outcome({**dropped, reason: sum(map(self._weigh, good))}, trouble=f"{reason}: {trouble}")

    def _post(
        self, body: bytes, count: int, good: Sequence[Any], dropped: dict[str, int], timeout: float
    ) -> Outcome:
        assert self._transport is not None
        self.encoding = False
        try:
            answer = self._transport.post(body, timeout)
        except Exception as error:  # only an encoder's failure is a fault of the items
            return Outcome(retry=True, trouble=_named(error))
        if answer.retry:
            return Outcome(
                retry=True,
                refused=answer.refused,
                unsure=answer.unsure,
                after=answer.after,
                trouble=answer.trouble,
            )
        if answer.too_large:
            return self._one_too_many(count, good, dropped, TOO_LARGE, answer.trouble)
        if answer.trouble:
            return Outcome({**dropped, REJECTED: sum(map(self._weigh, good))}, trouble=answer.trouble)
        return self._accepted(answer.body, dropped)

    def _accepted(self, body: bytes, dropped: dict[str, int]) -> Outcome:
        rejected, message = self._partial_success(body)
        if rejected:
            return Outcome(
                {**dropped, PARTIAL_SUCCESS: rejected}, trouble=f"rejected {rejected} items: {message[:200]}"
            )
        return Outcome(dropped)

    def _partial_success(self, body: bytes) -> tuple[int, str]:
        """How many items the answer rejects, and why; an unreadable answer rejects none."""
        assert self._wire is not None
        try:
            partial = self._wire.answer.FromString(body).partial_success
        except Exception:  # a proxy's page, JSON: the status said success
            return 0, ""
        return max(0, getattr(partial, self._wire.rejected)), partial.error_message


def _named(error: BaseException) -> str:
    """The error's type, and what the system says of it; other texts may hold credentials."""
    if not isinstance(error, OSError) or not error.strerror:
        return type(error).__name__
    file = f": {error.filename}" if isinstance(error.filename, str) else ""
    return f"{type(error).__name__} ({error.strerror}{file})"


def _one_line(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"[:200]
