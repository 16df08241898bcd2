"""Secrets stay home: planted on every surface of all three signals, and looked for in every byte that leaves."""

from __future__ import annotations

import pytest

# Each secret is made of parts at run time: nothing in this file looks like one.
PROGRAM = """
import logging, sys
from dataclasses import dataclass
import otel_kit
from opentelemetry import trace, baggage, propagate
from opentelemetry.context import attach

planted = []
def secret():
    planted.append("Zq7" + "wX" * 4 + format(len(planted), "03d") + "bN9")
    return planted[-1]

@dataclass
class Account:
    name: str
    password: str

telemetry = otel_kit.init_telemetry(
    "checkout", console="json", resource_attributes={"deploy.token": secret()}, carry_threads=False
)
log, tracer = otel_kit.get_logger("shop"), otel_kit.get_tracer("shop")
meter = otel_kit.get_meter("shop")
log.info(f"connected with password={secret()}", api_key=secret(), account=Account("ann", secret()),
         nested={"user": [{"name": "password", "value": secret()}]}, url=f"https://u:{secret()}@db/x?token={secret()}")
logging.getLogger("lib").warning("token=%s", secret(), extra={"authorization": f"Bearer {secret()}"})
otel_kit.get_logger(f"pool token={secret()}").info("named")
log.info("statement", sql=f"update t set password = '{secret()}' where id = 1", event_name=f"login token={secret()}")
with otel_kit.bind(session_token=secret()), tracer.start_as_current_span(f"GET /x?access_token={secret()}",
        attributes={"http.request.header.cookie": f"session={secret()}"}) as span:
    span.set_attribute("client_secret", secret())
    span.add_event(f"retry password={secret()}", {"api_key": secret()})
    span.add_link(trace.SpanContext(1, 1, True), {"secret": secret()})
    span.set_status(trace.StatusCode.ERROR, f"login failed for password={secret()}")
    meter.create_counter("logins").add(1, {"password": secret()})
    meter.create_histogram("times").record(1.5, {"route": f"/x?token={secret()}"})
    attach(baggage.set_baggage("password", secret()))
    sent = {}
    propagate.inject(sent)
    print(sent)
try:
    with tracer.start_as_current_span("login"):
        raise ValueError(f"cannot log in with password={secret()}")
except ValueError:
    log.exception("it failed")
telemetry.force_flush(10)
print("PLANTED", *planted)
"""


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_no_planted_secret_leaves_the_process(run_program, receiver, protocol: str) -> None:  # type: ignore[no-untyped-def]
    """A secret is in what was sent, on the console, in a header of an outgoing call or on stderr."""
    done = run_program(
        PROGRAM,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url(protocol), "OTEL_EXPORTER_OTLP_PROTOCOL": protocol},
    )
    assert done.returncode == 0, done.stderr
    shown, _, names = done.stdout.partition("PLANTED ")
    planted = names.split()
    assert len(planted) > 20
    assert receiver.wait_for(spans=2, logs=6)
    sent = "\n".join(str(request.message) for request in receiver.requests)
    assert not [secret for secret in planted if secret in sent]
    assert not [secret for secret in planted if secret in shown + done.stderr]
    assert "redacted" in sent


def test_what_is_harmless_survives(run_program, receiver) -> None:  # type: ignore[no-untyped-def]
    """Redaction destroys more than the secret."""
    run_program(
        """
        import otel_kit
        with otel_kit.init_telemetry("checkout", console="off"):
            otel_kit.get_logger("shop").info("ready", dsn="postgresql://shop:" + "hunter" * 2 + "@db/shop", max_tokens=512)
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert receiver.wait_for(logs=1)
    sent = "\n".join(str(request.message) for request in receiver.requests)
    assert "postgresql://shop:[redacted:dsn]@db/shop" in sent
    assert "512" in sent


def test_redaction_that_is_off_says_so_once(run_program) -> None:  # type: ignore[no-untyped-def]
    """Redaction is turned off without a word, or with a word at each call."""
    done = run_program(
        """
        import otel_kit
        for _ in range(2):
            otel_kit.init_telemetry("checkout", redact="off", console="json", logs_exporter="none")
        otel_kit.get_logger("shop").info("ready", password="hunter" * 2)
        """,
        env={"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none"},
    )
    assert done.stderr.count("redaction is off") == 1
    assert "hunterhunter" in done.stderr


def test_redactions_are_counted_by_rule_and_surface(run_program, receiver) -> None:  # type: ignore[no-untyped-def]
    """An operator cannot see which rule caught what, and where."""
    done = run_program(
        """
        import otel_kit
        telemetry = otel_kit.init_telemetry("checkout", console="off", process_metrics=True)
        otel_kit.get_logger("shop").info("ready", password="hunter" * 2)
        print(telemetry.stats()["redacted"])
        """,
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.http},
    )
    assert done.stdout.strip() == "{'password': {'log.attributes': 1}}"
    assert receiver.metrics["otel_kit.redactions"]


def test_a_users_rules_hold() -> None:
    """A key that the user named keeps its value, or one that the user exempted loses it."""
    import otel_kit
    from otel_kit.testing import capture

    rules = {"keys": {"customer ref": "mask", "pin": "keep"}, "patterns": {"ticket": r"TCK-\d{6}"}}
    with capture(redact_rules=rules) as seen:
        otel_kit.get_logger("shop").info("sold TCK-123456", customer_ref="AB-1234567", pin="north gate")
    record = seen.logs[0]
    assert record.body == "sold [redacted:ticket]"
    assert record.attributes["customer_ref"] == "****4567"
    assert record.attributes["pin"] == "north gate"
