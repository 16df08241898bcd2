"""What keeps a connection from being made costs time, and no item."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import otel_kit
from otel_kit import _guard
from otel_kit.export import batch
from tests.conftest import RunProgram
from tests.receiver import Receiver, make_certificates, receiving

PROTOCOLS = ("http/protobuf", "grpc")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "FIRST_BACKOFF", 0.1)
    monkeypatch.setattr(batch, "LONGEST_BACKOFF", 0.2)


def test_no_file_descriptor_left_at_the_first_delivery_loses_nothing(
    run_program: RunProgram, receiver: Receiver
) -> None:
    """A program that is out of file descriptors for a moment loses what it emitted then as unencodable."""
    done = run_program(
        """
        import os, resource, sys, time
        import otel_kit
        telemetry = otel_kit.init_telemetry(
            "shop", endpoint=sys.argv[1], console="off", instrument=(), process_metrics=False
        )
        log = telemetry.logger
        log.info("started")  # what a first call imports in the program's thread is here
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        taken = []
        try:
            while True:
                taken.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            pass
        log.info("card charged")
        telemetry.tracer.start_span("step").end()
        assert not telemetry.force_flush(1)
        print(telemetry.stats()["traces"]["dropped"], telemetry.stats()["logs"]["dropped"])
        for each in taken:
            os.close(each)
        """,
        receiver.http,
    )
    assert (done.returncode, done.stdout) == (0, "{} {}\n"), done.stderr
    assert receiver.wait_for(spans=1, logs=2)
    assert "cannot deliver to" in done.stderr
    assert "not delivered" not in done.stderr


@pytest.mark.parametrize(
    ("proxy", "words"),
    [
        ("garbage://user:{}@proxy.test", "the proxy that the environment names cannot be used"),
        ("socks5://user:{}@proxy.test:1080", "the proxy that the environment names cannot be used"),
        ("http://user:{}@127.0.0.1:9", "the proxy fails (ConnectionRefusedError)"),
        ("127.0.0.1:9", "the proxy fails (ConnectionRefusedError)"),
        ("http://user:{}@proxy.test:port", "the proxy that the environment names cannot be used"),
    ],
)
def test_an_unusable_proxy_loses_nothing_and_tells_no_password(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], proxy: str, words: str
) -> None:
    """A proxy that cannot be used has items counted as unencodable, or its password shows on stderr."""
    monkeypatch.setenv("http_proxy", proxy.format("hush"))
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint="http://collector.test:4318", console="off", instrument=(), process_metrics=False
    )
    telemetry.tracer.start_span("step").end()
    err, deadline = "", time.monotonic() + 20
    while words not in err and time.monotonic() < deadline:
        assert not telemetry.force_flush(0.5)
        err += capfd.readouterr().err
    books = telemetry.stats()["traces"]
    assert (books["waiting"], books["dropped"]) == (1, {})
    assert words in err
    assert "hush" not in err


def test_a_proxy_named_without_a_scheme_is_used(monkeypatch: pytest.MonkeyPatch, receiver: Receiver) -> None:
    """A proxy that curl and requests use is none for the delivery."""
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{receiver.http_port}")
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint="http://collector.test:4318", console="off", instrument=(), process_metrics=False
    )
    telemetry.tracer.start_span("step").end()
    assert telemetry.force_flush(5)
    assert len(receiver.spans) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_certificate_that_vanishes_for_a_while_loses_nothing(
    tmp_path: Path, protocol: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A certificate's file that is just being replaced has items counted as unencodable."""
    files = make_certificates(tmp_path)
    with receiving((files["server"], files["server_key"], files["ca"])) as receiver:
        telemetry = otel_kit.init_telemetry(
            "shop",
            endpoint=receiver.url(protocol),
            protocol=protocol,
            certificate=str(files["ca"]),
            console="off",
            instrument=(),
            process_metrics=False,
        )
        files["ca"].rename(tmp_path / "away.pem")
        telemetry.tracer.start_span("step").end()
        assert not telemetry.force_flush(0.5)
        assert telemetry.stats()["traces"]["dropped"] == {}
        assert "FileNotFoundError (No such file or directory" in capfd.readouterr().err
        (tmp_path / "away.pem").rename(files["ca"])
        assert receiver.wait_for(spans=1)


def test_whatever_a_transport_raises_is_no_fault_of_the_items(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An error of the connection that nobody thought of counts as unencodable."""
    from otel_kit.export.http import HttpTransport

    _guard.reset()
    real = HttpTransport.post

    def broken(*_: object) -> None:
        monkeypatch.setattr(HttpTransport, "post", real)
        raise RuntimeError("no idea")

    monkeypatch.setattr(HttpTransport, "post", broken)
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint=receiver.http, console="off", instrument=(), process_metrics=False
    )
    telemetry.tracer.start_span("step").end()
    telemetry.force_flush(0.05)
    assert receiver.wait_for(spans=1)
