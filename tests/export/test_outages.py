"""What becomes of items when the receiver is down, slow, or refuses them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit import _guard
from otel_kit.export import batch
from otel_kit.export.outcome import REASONS
from tests.receiver import Receiver

PROTOCOLS = ("http/protobuf", "grpc")


@pytest.fixture(autouse=True)
def quick_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "FIRST_BACKOFF", 0.1)
    monkeypatch.setattr(batch, "LONGEST_BACKOFF", 0.3)


def started(receiver: Receiver, protocol: str = "http/protobuf", **settings: Any) -> otel_kit.Telemetry:
    options = {"process_metrics": False, "console": "off", "instrument": (), **settings}
    return otel_kit.init_telemetry("shop", endpoint=receiver.url(protocol), protocol=protocol, **options)


def books(telemetry: otel_kit.Telemetry, signal: str = "traces") -> dict[str, Any]:
    found: dict[str, Any] = telemetry.stats()[signal]
    assert found["accepted"] == found["delivered"] + found["waiting"] + sum(found["dropped"].values())
    return found


def emit_spans(telemetry: otel_kit.Telemetry, count: int, name: str = "step") -> None:
    for _ in range(count):
        telemetry.tracer.start_span(name).end()


def settled(telemetry: otel_kit.Telemetry, timeout: float = 15.0) -> bool:
    deadline = time.monotonic() + timeout
    while books(telemetry)["waiting"]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_nothing_is_lost_in_an_outage_that_the_queue_can_hold(
    receiver: Receiver, protocol: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Spans that are emitted while the collector is down are lost or doubled after it is back."""
    telemetry = started(receiver, protocol, traces_queue_size=6000)
    emit_spans(telemetry, 1000)
    assert telemetry.force_flush(5)
    receiver.stop()
    emit_spans(telemetry, 4000)
    assert not telemetry.force_flush(5)
    assert books(telemetry)["waiting"] == 4000
    receiver.start()

    assert settled(telemetry)
    assert books(telemetry)["dropped"] == {}
    assert len(receiver.spans) == len({span.span_id for span in receiver.spans}) == 5000
    lines = capfd.readouterr().err.splitlines()
    first, second = [line for line in lines if line.startswith("otel_kit: ")]  # gRPC's own library talks, too
    assert "cannot deliver to" in first
    assert "again after" in second


def test_a_full_queue_drops_the_oldest_and_counts_them(receiver: Receiver) -> None:
    """A full queue blocks, raises, or loses without counting, or not the oldest."""
    telemetry = started(receiver, traces_queue_size=100)
    receiver.behave(hang=30)
    emit_spans(telemetry, 1, "under way")
    assert telemetry.force_flush(0.3) is False
    emit_spans(telemetry, 50, "old")
    emit_spans(telemetry, 100, "new")
    assert books(telemetry)["dropped"] == {"queue_full": 51}
    receiver.behave()

    assert settled(telemetry)
    assert {span.name for span in receiver.spans} == {"under way", "new"}
    assert books(telemetry)["delivered"] == 100


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_hung_collector_keeps_neither_flush_nor_shutdown(receiver: Receiver, protocol: str) -> None:
    """With three signals and a collector that does not answer, a call takes longer than its timeout, or says True."""
    telemetry = started(receiver, protocol)
    receiver.behave(hang=30)
    with telemetry.tracer.start_as_current_span("step"):
        telemetry.logger.info("done")
        telemetry.meter.create_counter("steps").add(1)

    for call in (telemetry.force_flush, telemetry.shutdown):
        began = time.monotonic()
        assert call(1) is False
        assert time.monotonic() - began < 1.3
    for signal in ("traces", "logs", "metrics"):
        assert books(telemetry, signal)["delivered"] == 0
    receiver.behave()
    assert settled(telemetry)
    assert books(telemetry)["dropped"] == {"unreachable": 1}


@pytest.mark.parametrize("status", [429, 502, 503, 504])
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_refusal_for_now_is_retried(receiver: Receiver, protocol: str, status: int) -> None:
    """An answer that asks for a later attempt loses the batch."""
    telemetry = started(receiver, protocol)
    receiver.behave(status=status)
    emit_spans(telemetry, 3)
    assert telemetry.force_flush(0.5) is False
    receiver.behave()

    assert settled(telemetry)
    assert len(receiver.spans) == 3


def test_a_cut_connection_is_retried(receiver: Receiver) -> None:
    """A connection that is reset in the middle of a request loses the batch."""
    telemetry = started(receiver)
    receiver.behave(reset=True)
    emit_spans(telemetry, 3)
    assert telemetry.force_flush(0.5) is False
    receiver.behave()

    assert settled(telemetry)
    assert len(receiver.spans) == 3


@pytest.mark.parametrize("status", [301, 302, 400, 401, 403, 404, 500])
def test_a_final_refusal_is_counted_and_said(
    receiver: Receiver, status: int, capfd: pytest.CaptureFixture[str]
) -> None:
    """An answer that is no success counts as one, is repeated for ever, or is not told."""
    telemetry = started(receiver, metrics_exporter="none")
    receiver.behave(status=status, headers={"Location": "http://localhost:9/"})
    emit_spans(telemetry, 3)

    assert telemetry.force_flush(5) is False
    assert books(telemetry)["dropped"] == {"rejected": 3}
    assert receiver.now.seen == 1
    assert f"HTTP {status}" in capfd.readouterr().err


@pytest.mark.parametrize("call", ["force_flush", "shutdown"])
def test_what_was_rejected_before_the_call_is_answered_for_once(receiver: Receiver, call: str) -> None:
    """A flush that comes after the receiver's no says that everything was acknowledged, or says no for ever."""
    telemetry = started(receiver, traces_batch_delay=0.01)
    receiver.behave(status=401)
    emit_spans(telemetry, 3)
    assert settled(telemetry)
    receiver.behave()
    emit_spans(telemetry, 1)

    assert getattr(telemetry, call)(5) is False
    assert len(receiver.spans) == 1
    assert telemetry.force_flush(5) is (call == "force_flush")


def test_retry_after_is_waited_for(receiver: Receiver) -> None:
    """The next attempt comes sooner than the collector asked for, though a flush is wanted."""
    telemetry = started(receiver, metrics_exporter="none")
    receiver.behave(status=503, headers={"Retry-After": "1"})
    emit_spans(telemetry, 1)
    began = time.monotonic()
    assert telemetry.force_flush(0.3) is False
    assert receiver.now.seen == 1
    receiver.behave()
    assert telemetry.force_flush(5)
    assert time.monotonic() - began > 0.95


def test_a_retry_after_of_a_year_is_no_error(receiver: Receiver) -> None:
    """A long Retry-After overflows the wait, or drops the batch before the end."""
    telemetry = started(receiver)
    receiver.behave(status=429, headers={"Retry-After": "31536000000"})
    emit_spans(telemetry, 1)
    assert telemetry.force_flush(0.3) is False
    assert books(telemetry)["waiting"] == 1
    receiver.behave()
    assert telemetry.shutdown(5), "the last attempt is worth more than the wish"
    assert len(receiver.spans) == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_partial_success_is_counted(
    receiver: Receiver, protocol: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """What the collector rejects of an accepted request counts as delivered."""
    telemetry = started(receiver, protocol)
    receiver.behave(rejected=2)
    emit_spans(telemetry, 5)

    assert telemetry.force_flush(5) is False
    found = books(telemetry)
    assert (found["delivered"], found["dropped"]) == (3, {"partial_success": 2})
    assert "rejected 2 items: too old" in capfd.readouterr().err


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_batch_that_is_too_large_is_split(receiver: Receiver, protocol: str) -> None:
    """Large items that fit one by one are lost together."""
    telemetry = started(receiver, protocol, redact="off")  # which takes its time for megabytes
    for number in range(100):
        attributes = {f"key{n}": "x" * 60_000 for n in range(2)}
        telemetry.tracer.start_span(f"step {number}", attributes=attributes).end()

    assert telemetry.force_flush(15)
    assert len(receiver.spans) == 100


def test_one_item_that_is_too_large_costs_itself(receiver: Receiver) -> None:
    """An item above the limit takes others along, or is tried for ever."""
    telemetry = started(receiver, redact="off")
    emit_spans(telemetry, 50)
    attributes = {f"key{n}": "x" * 60_000 for n in range(80)}
    telemetry.tracer.start_span("huge", attributes=attributes).end()
    emit_spans(telemetry, 50)

    assert telemetry.force_flush(15) is False
    assert len(receiver.spans) == 100
    assert books(telemetry)["dropped"] == {"too_large": 1}


def test_a_receiver_with_a_smaller_limit_gets_smaller_batches(receiver: Receiver) -> None:
    """HTTP 413 loses the batch."""
    telemetry = started(receiver, metrics_exporter="none")
    receiver.behave(status=413)
    emit_spans(telemetry, 4)

    assert telemetry.force_flush(5) is False
    assert receiver.now.seen == 7, "4, then 2 + 2, then 1 + 1 + 1 + 1"
    assert books(telemetry)["dropped"] == {"too_large": 4}


def test_an_item_that_the_encoder_refuses_costs_itself(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One item that cannot be encoded takes its batch along."""
    _guard.reset()
    telemetry = started(receiver)
    monkeypatch.setattr("otel_kit.export.spans.LONGEST_NAME", 10**6)
    emit_spans(telemetry, 50)
    poison = telemetry.tracer.start_span("poison")
    poison.end()
    object.__setattr__(poison, "_kind", "no kind at all")
    emit_spans(telemetry, 50)

    telemetry.force_flush(5)
    assert len([span for span in receiver.spans if span.name == "step"]) == 100
    books(telemetry)


def test_the_delivering_thread_survives_whatever_a_sender_raises() -> None:
    """SystemExit out of an exporter ends the delivery for good."""
    from otel_kit.export.ledger import Ledger
    from otel_kit.export.outage import Outage
    from otel_kit.export.outcome import DELIVERED, Outcome

    _guard.reset()
    taken: list[Any] = []

    class Sender:
        encoding = False

        def send(self, items: list[Any], timeout: float) -> Outcome:
            if "poison" in items:
                raise SystemExit(1)
            taken.extend(items)
            return DELIVERED

        def renew(self) -> None: ...
        def close(self) -> None: ...

    batcher: batch.Batcher[str] = batch.Batcher(
        "test", Sender(), Ledger(), Outage("test"), capacity=100, batch_size=10, delay=60, timeout=1
    )
    for item in ["a", "poison", "b", "poison", "c"]:
        batcher.put(item)
    assert batcher.flush(time.monotonic() + 5) is False
    assert taken == ["a", "b", "c"]
    assert batcher.ledger.snapshot()["dropped"] == {"unencodable": 2}
    batcher.put("d")
    assert batcher.close(time.monotonic() + 5)
    assert _guard.contained_counts() == {"test.send": 2}


def test_the_own_requests_leave_no_signal_behind(receiver: Receiver) -> None:
    """A delivery makes spans or log records of its own, which make a delivery."""
    import logging

    telemetry = started(receiver, log_level="trace", instrument="auto")
    logging.getLogger("urllib3").setLevel(logging.DEBUG)
    emit_spans(telemetry, 1)
    assert telemetry.force_flush(5)
    assert telemetry.force_flush(5)
    assert books(telemetry)["accepted"] == 1
    assert books(telemetry, "logs")["accepted"] == 0


NOWHERE = "http://no-such-host.invalid:4318"


@pytest.mark.parametrize(
    ("protocol", "where", "words"),
    [
        ("http/protobuf", "unknown", "host name is not found"),
        ("grpc", "unknown", "host name is not found"),
        ("http/protobuf", "grpc", "this looks like a gRPC port: set OTEL_EXPORTER_OTLP_PROTOCOL=grpc"),
        ("grpc", "http", "this looks like an HTTP port: set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
        ("http/protobuf", "tls", "does that port speak plain http://?"),
        ("grpc", "tls", "does that port speak plain http://?"),
    ],
)
def test_a_wrong_address_is_explained_and_costs_the_exit_nothing(
    receiver: Receiver, protocol: str, where: str, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """A name that is not found or the other protocol's port holds up the exit, or is told in riddles."""
    places = {
        "unknown": NOWHERE,
        "grpc": receiver.grpc,
        "http": f"http://127.0.0.1:{receiver.http_port}",  # localhost has two addresses, and gRPC tells of the last one only
        "tls": receiver.url(protocol).replace("http", "https"),
    }
    telemetry = otel_kit.init_telemetry(
        "shop", endpoint=places[where], protocol=protocol, console="off", instrument=(), process_metrics=False
    )
    emit_spans(telemetry, 1)
    began = time.monotonic()
    assert telemetry.shutdown(10) is False
    assert time.monotonic() - began < 5
    err = capfd.readouterr().err
    assert words in err
    assert "docker compose" not in err


def test_an_answer_that_takes_nothing_is_said_so(
    receiver: Receiver, capfd: pytest.CaptureFixture[str]
) -> None:
    """A refusal of everything is told as one of a part."""
    telemetry = started(receiver)
    receiver.behave(status=501)
    emit_spans(telemetry, 3)
    telemetry.force_flush(5)
    assert "took nothing of what it was sent: HTTP 501" in capfd.readouterr().err


def test_the_own_requests_do_not_show_on_the_program_s_handlers(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    """A program with basicConfig(level=DEBUG) sees the lines of our export among its own."""
    import logging

    caplog.set_level(logging.DEBUG)
    telemetry = started(receiver)
    emit_spans(telemetry, 1)
    assert telemetry.force_flush(5)
    logging.getLogger("urllib3").debug("the program's own")
    assert [made.getMessage() for made in caplog.records if made.name.startswith("urllib3")] == [
        "the program's own"
    ]


def test_each_reason_of_a_loss_is_in_the_docs() -> None:
    """A program reads a reason in the books that no page explains."""
    page = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text(encoding="utf-8")
    assert [reason for reason in REASONS if f"| `{reason}` |" not in page] == []
