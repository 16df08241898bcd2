"""Each signal over each protocol reaches a real receiver, whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import otel_kit
from tests.receiver import Receiver, attributes, make_certificates, receiving

PROTOCOLS = ("http/protobuf", "grpc")


def emit_one_of_each(telemetry: otel_kit.Telemetry) -> None:
    counter = telemetry.meter.create_counter("shop.orders", unit="{order}")
    with telemetry.tracer.start_as_current_span("charge card"):
        telemetry.logger.info("card charged", amount=12.5)
        counter.add(1, {"method": "card"})


def arrived(receiver: Receiver) -> tuple[list[str], list[str], bool]:
    bodies = [record.body.string_value for record in receiver.logs]
    return [span.name for span in receiver.spans], bodies, "shop.orders" in receiver.metrics


WHOLE = (["charge card"], ["card charged"], True)


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_three_signals_arrive(receiver: Receiver, protocol: str, compression: str) -> None:
    """A signal does not arrive over this protocol."""
    telemetry = otel_kit.init_telemetry(
        "shop",
        endpoint=receiver.url(protocol),
        protocol=protocol,
        compression=compression,
        headers={"x-team": "checkout"},
    )
    emit_one_of_each(telemetry)

    assert telemetry.shutdown(5)
    assert arrived(receiver) == WHOLE
    assert {request.protocol for request in receiver.requests} == {protocol}
    assert {request.headers["x-team"] for request in receiver.requests} == {"checkout"}
    assert {resource["service.name"] for resource in receiver.resources} == {"shop"}


def test_deflate_is_understood(receiver: Receiver) -> None:
    """A request compressed with deflate cannot be read."""
    telemetry = otel_kit.init_telemetry("shop", endpoint=receiver.http, compression="deflate")
    emit_one_of_each(telemetry)

    assert telemetry.shutdown(5)
    assert arrived(receiver) == WHOLE


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return make_certificates(tmp_path_factory.mktemp("certificates"))


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_tls_with_an_authority_and_a_client_certificate(certificates: dict[str, Path], protocol: str) -> None:
    """A collector with a private authority that demands client certificates cannot be reached."""
    files = (certificates["server"], certificates["server_key"], certificates["ca"])
    with receiving(files, client_certificates=True) as receiver:
        telemetry = otel_kit.init_telemetry(
            "shop",
            endpoint=receiver.url(protocol),
            protocol=protocol,
            certificate=str(certificates["ca"]),
            client_certificate=str(certificates["client"]),
            client_key=str(certificates["client_key"]),
        )
        emit_one_of_each(telemetry)
        assert telemetry.shutdown(5)
        assert arrived(receiver) == WHOLE


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_foreign_certificate_is_not_trusted(
    certificates: dict[str, Path], protocol: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Items are sent to a server whose certificate no known authority has signed."""
    with receiving((certificates["server"], certificates["server_key"], certificates["ca"])) as receiver:
        telemetry = otel_kit.init_telemetry(
            "shop", endpoint=receiver.url(protocol), protocol=protocol, process_metrics=False
        )
        telemetry.logger.info("secret")
        assert not telemetry.shutdown(1)
        assert not receiver.requests
    assert "cannot deliver to https://localhost" in capfd.readouterr().err


def test_several_endpoints_get_everything_and_keep_their_own_books(receiver: Receiver) -> None:
    """A second endpoint gets nothing, or one that is down takes the other's items along."""
    with receiving() as second:
        telemetry = otel_kit.init_telemetry("shop", endpoint=[receiver.http, second.http])
        emit_one_of_each(telemetry)
        assert telemetry.force_flush(5)
        assert arrived(receiver) == arrived(second) == WHOLE
    telemetry.logger.info("only the first is up")
    assert not telemetry.force_flush(5)
    books = telemetry.stats()["logs"]["endpoints"]
    assert books[receiver.http]["waiting"] == 0
    assert books[second.http]["waiting"] == 1


def test_the_resource_and_the_scope_are_the_same_for_all_signals(receiver: Receiver) -> None:
    """Signals of one process tell different things about it."""
    telemetry = otel_kit.init_telemetry("shop", endpoint=receiver.http, service_version="1.2")
    emit_one_of_each(telemetry)

    assert telemetry.shutdown(5)
    first, *others = receiver.resources
    assert first["service.version"] == "1.2"
    assert len(others) == 2
    assert all(other == first for other in others)


def test_a_log_record_carries_its_span_and_its_types(receiver: Receiver) -> None:
    """A record loses the span that it was emitted in, or the type of a value."""
    telemetry = otel_kit.init_telemetry("shop", endpoint=receiver.http)
    values: dict[str, Any] = {
        "amount": 12.5,
        "count": 3,
        "paid": True,
        "items": ["a", "b"],
        "to": {"city": "x"},
    }
    with telemetry.tracer.start_as_current_span("charge card"):
        telemetry.logger.info("card charged", **values)

    assert telemetry.shutdown(5)
    (record,), (span,) = receiver.logs, receiver.spans
    assert (record.trace_id, record.span_id) == (span.trace_id, span.span_id)
    assert attributes(record).items() >= values.items()
