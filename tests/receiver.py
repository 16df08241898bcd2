"""A real OTLP receiver for tests: HTTP and gRPC, TLS on request, and switches to misbehave.

Use the fixture ``receiver``::

    def test_something(receiver):
        otel_kit.init_telemetry("shop", endpoint=receiver.http)
        ...
        assert receiver.wait_for(spans=1)
        assert receiver.spans[0].name == "charge card"
"""

from __future__ import annotations

import contextlib
import datetime
import gzip
import socket
import ssl
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

MESSAGES: dict[str, tuple[Any, Any]] = {
    "traces": (trace_service_pb2.ExportTraceServiceRequest, trace_service_pb2.ExportTraceServiceResponse),
    "metrics": (
        metrics_service_pb2.ExportMetricsServiceRequest,
        metrics_service_pb2.ExportMetricsServiceResponse,
    ),
    "logs": (logs_service_pb2.ExportLogsServiceRequest, logs_service_pb2.ExportLogsServiceResponse),
}
REJECTED = {"traces": "rejected_spans", "metrics": "rejected_data_points", "logs": "rejected_log_records"}
SERVICES = {"trace": "traces", "metrics": "metrics", "logs": "logs"}


@dataclass(frozen=True)
class Request:
    """One accepted request.

    Attributes:
        signal: traces, metrics or logs.
        protocol: http/protobuf or grpc.
        headers: names in lower case.
        message: the decoded protobuf.
        size: bytes of the body before decompression (0 for gRPC).
    """

    signal: str
    protocol: str
    headers: dict[str, str]
    message: Any
    size: int = 0


@dataclass
class Behaviour:
    """What the receiver does with the next requests.

    Attributes:
        status: the HTTP status that is answered; a gRPC call gets the counterpart.
        grpc_status: the gRPC code's name, when it is to be another one.
        headers: added to the HTTP answer, such as Retry-After.
        rejected: so many items are reported as rejected by partial_success.
        hang: seconds before the answer.
        reset: the connection is cut instead of an answer.
        seen: how many requests came, answered in whichever way.
    """

    status: int = 200
    grpc_status: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    rejected: int = 0
    hang: float = 0.0
    reset: bool = False
    seen: int = 0


class Receiver:
    """Receives on two loopback ports until :meth:`stop`.

    Args:
        tls: paths of certificate, key and CA; None for plain connections.
        client_certificates: demand a certificate of that CA.
    """

    def __init__(
        self, tls: tuple[Path, Path, Path] | None = None, *, client_certificates: bool = False
    ) -> None:
        self._tls, self._client_certificates = tls, client_certificates
        self._lock = threading.Condition()
        self.requests: list[Request] = []
        self.now = Behaviour()
        self._released = threading.Event()
        self.http_port, self.grpc_port = _free_port(), _free_port()
        self.start()

    # -- addresses

    @property
    def http(self) -> str:
        """The base URL for OTLP/HTTP."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.http_port}"

    @property
    def grpc(self) -> str:
        """The URL for OTLP/gRPC."""
        return f"{'https' if self._tls else 'http'}://localhost:{self.grpc_port}"

    def url(self, protocol: str) -> str:
        """The endpoint setting for a protocol."""
        return self.grpc if protocol == "grpc" else self.http

    # -- life

    def start(self) -> None:
        """Listen, on the same ports as before."""
        self._released.clear()
        receiver = self

        class Handler(_Handler):
            owner = receiver

        self._server = _Server(("127.0.0.1", self.http_port), Handler)
        if self._tls:
            self._server.socket = self._server_context().wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        self._grpc = grpc.server(
            ThreadPoolExecutor(4),
            options=[("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", 4 << 20)],
        )
        self._grpc.add_generic_rpc_handlers((_GrpcHandler(self),))
        address = f"127.0.0.1:{self.grpc_port}"
        if self._tls:
            self._grpc.add_secure_port(address, self._grpc_credentials())
        else:
            self._grpc.add_insecure_port(address)
        self._grpc.start()

    def stop(self) -> None:
        """Listen no more: connections are refused; hanging requests are let go."""
        self._released.set()
        self._server.shutdown()
        self._server.close_connections()
        self._server.server_close()
        self._grpc.stop(0).wait(5)

    def behave(self, **changes: Any) -> None:
        """From now on behave like this (see :class:`Behaviour`); nothing given: take everything."""
        self._released.set()
        self._released = threading.Event()
        self.now = Behaviour(**changes)

    def _server_context(self) -> ssl.SSLContext:
        assert self._tls
        certificate, key, authority = self._tls
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        if self._client_certificates:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(authority)
        return context

    def _grpc_credentials(self) -> Any:
        assert self._tls
        certificate, key, authority = (path.read_bytes() for path in self._tls)
        needed = self._client_certificates
        return grpc.ssl_server_credentials([(key, certificate)], authority if needed else None, needed)

    # -- what came

    def _take(self, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
            self._lock.notify_all()

    def clear(self) -> None:
        """Forget what came."""
        with self._lock:
            self.requests.clear()

    def _of(self, signal: str) -> list[Any]:
        with self._lock:
            return [request.message for request in self.requests if request.signal == signal]

    @property
    def spans(self) -> list[Any]:
        """All spans that came, as protobuf messages."""
        return [
            span
            for message in self._of("traces")
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    @property
    def logs(self) -> list[Any]:
        """All log records that came."""
        return [
            record
            for message in self._of("logs")
            for resource in message.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]

    @property
    def metrics(self) -> dict[str, Any]:
        """The newest value of each metric that came, by its name."""
        return {
            metric.name: metric
            for message in self._of("metrics")
            for resource in message.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    @property
    def resources(self) -> list[dict[str, Any]]:
        """The resource attributes of each request, in order."""
        with self._lock:
            messages = [request.message for request in self.requests]
        return [
            attributes(entry.resource)
            for message in messages
            for name in ("resource_spans", "resource_logs", "resource_metrics")
            for entry in getattr(message, name, ())
        ]

    def wait_for(self, timeout: float = 10.0, **counts: int) -> bool:
        """Wait until so many have come: ``wait_for(spans=3, logs=1)``; False when the time is over."""
        deadline = time.monotonic() + timeout
        while any(len(getattr(self, name)) < count for name, count in counts.items()):
            with self._lock:
                if not self._lock.wait(min(0.05, max(0.0, deadline - time.monotonic()))) and (
                    time.monotonic() >= deadline
                ):
                    return False
        return True

    def wait_for_attempts(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until so many requests have come since :meth:`behave`, whatever they were answered."""
        deadline = time.monotonic() + timeout
        while self.now.seen < count:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.01)
        return True

    def answer_to(self, signal: str) -> Any:
        """The response message, with the rejections that :meth:`behave` asks for."""
        answer = MESSAGES[signal][1]()
        if self.now.rejected:
            setattr(answer.partial_success, REJECTED[signal], self.now.rejected)
            answer.partial_success.error_message = "too old"
        return answer


def attributes(holder: Any) -> dict[str, Any]:
    """The attributes of a protobuf span, record, point, scope or resource as plain Python."""
    return {pair.key: plain(pair.value) for pair in holder.attributes}


def plain(value: Any) -> Any:
    """A protobuf AnyValue as plain Python."""
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [plain(v) for v in value.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in value.kvlist_value.values}
    return None if kind is None else getattr(value, kind)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, *args: Any) -> None:
        self._open: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def close_connections(self) -> None:
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: cut connections and failed handshakes are what tests are about."""


class _Handler(BaseHTTPRequestHandler):
    owner: Receiver
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_POST(self) -> None:
        owner, now = self.owner, self.owner.now
        now.seen += 1
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        size = len(body)
        released = owner._released
        if now.hang:
            released.wait(now.hang)
        if now.reset or (released.is_set() and now.hang):
            self._reset()
            return
        signal = self.path.rpartition("/")[2]
        if now.status != 200 or signal not in MESSAGES:
            self._reply(now.status if now.status != 200 else 404, b"", now.headers)
            return
        body = _decompressed(body, self.headers.get("Content-Encoding", ""))
        message = MESSAGES[signal][0].FromString(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        owner._take(Request(signal, "http/protobuf", headers, message, size))
        self._reply(200, owner.answer_to(signal).SerializeToString(), now.headers)

    def _reply(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/x-protobuf")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing on stderr."""


def _decompressed(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(body)
    return zlib.decompress(body) if encoding == "deflate" else body


class _GrpcHandler(grpc.GenericRpcHandler):  # type: ignore[misc]
    def __init__(self, owner: Receiver) -> None:
        self._owner = owner

    def service(self, details: Any) -> Any:
        # /opentelemetry.proto.collector.trace.v1.TraceService/Export
        signal = SERVICES[details.method.split(".")[3]]
        return grpc.unary_unary_rpc_method_handler(
            lambda request, context: self._export(signal, request, context),
            request_deserializer=MESSAGES[signal][0].FromString,
            response_serializer=MESSAGES[signal][1].SerializeToString,
        )

    def _export(self, signal: str, message: Any, context: Any) -> Any:
        owner, now = self._owner, self._owner.now
        now.seen += 1
        released = owner._released
        if now.hang:
            released.wait(now.hang)
        if now.reset or (now.hang and released.is_set()):
            context.abort(grpc.StatusCode.UNAVAILABLE, "cut")
        if now.status != 200 or now.grpc_status:
            code = now.grpc_status or (
                "UNAVAILABLE" if now.status in (429, 502, 503, 504) else "INVALID_ARGUMENT"
            )
            context.abort(grpc.StatusCode[code], "as told")
        headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        owner._take(Request(signal, "grpc", headers, message))
        return owner.answer_to(signal)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def receiving(
    tls: tuple[Path, Path, Path] | None = None, *, client_certificates: bool = False
) -> Iterator[Receiver]:
    """A receiver for the time of a block."""
    receiver = Receiver(tls, client_certificates=client_certificates)
    try:
        yield receiver
    finally:
        receiver.stop()


def make_certificates(folder: Path) -> dict[str, Path]:
    """A CA of its own, a server's certificate for localhost, and a client's: paths of PEM files by name.

    Names: ``ca``, ``server``, ``server_key``, ``client``, ``client_key``.
    """
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    now = datetime.datetime.now(datetime.UTC)

    def issue(name: str, issuer: tuple[Any, Any] | None) -> tuple[Any, Any]:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        signer = issuer[1] if issuer else key
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer[0].subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(minutes=5))
            .not_valid_after(now + datetime.timedelta(days=1))
            .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
            )
        )
        if issuer is None:
            usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False
            )
        return builder.sign(signer, hashes.SHA256()), key

    authority = issue("test authority", None)
    server, client = issue("localhost", authority), issue("test client", authority)
    files: dict[str, Path] = {}

    def write(name: str, data: bytes) -> None:
        files[name] = folder / f"{name}.pem"
        files[name].write_bytes(data)

    pem = serialization.Encoding.PEM
    write("ca", authority[0].public_bytes(pem))
    for name, (certificate, key) in {"server": server, "client": client}.items():
        write(name, certificate.public_bytes(pem))
        write(
            f"{name}_key",
            key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
    return files
