"""The collector's redaction: what it must mask and what it must leave, read from its file and seen through it.

The secrets here are made of parts, so that no scanner takes them for real ones.
"""

from __future__ import annotations

import re
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from deploy.stack.processes import Stack
from deploy.stack.services import address
from tests.stack.apis import Jaeger, Logs, wait_for
from tests.stack.otlp import attributes, log, post, span, traces

CONFIG = yaml.safe_load((Path(__file__).resolve().parents[2] / "collector-config.yaml").read_text())
FENCE = CONFIG["processors"]["redaction"]
MASK = "****"

SECRET_KEYS = [
    "password",
    "db.password",
    "userPassword",
    "password_hash",
    "token",
    "access_token",
    "refreshToken",
    "client_secret",
    "api_key",
    "apiKey",
    "x-api-key",
    "private_key",
    "card_number",
    "http.request.header.authorization",
    "http.request.header.cookie",
    "http.response.header.set_cookie",
    "aws.secret_access_key",
    "x-amz-signature",
]
PLAIN_KEYS = [
    "token_count",
    "max_tokens",
    "gen_ai.usage.input_tokens",
    "gen_ai.token.type",
    "password_policy",
    "password_changed_at",
    "session.id",
    "request.id",
    "cookie_consent",
    "secret_count",
    "author",
    "tokenizer",
    "db.query.text",
    "messaging.kafka.message.key",
    "monkey",
    "signature_count",
]
LETTERS = "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"
SECRET_VALUES = {
    "card": "paid with " + " ".join(["4111"] + ["1111"] * 3),
    "card, dashes": "paid with " + "-".join(["5500", "0000", "0000", "0004"]),
    "card, bare": "3782" + "822463" + "10005",
    "bearer": "sent Bearer " + LETTERS,
    "basic": "Authorization: Basic " + LETTERS,
    "jwt": "got eyJ" + LETTERS + ".eyJ" + LETTERS + "." + LETTERS,
    "cloud key": "AKIA" + "ABCDEFGHIJKLMNOP",
    "hosting key": "gh" + "p_" + LETTERS,
    "payment key": "sk" + "_live_" + LETTERS,
    "model key": "sk" + "-" + LETTERS,
    "chat key": "xox" + "b-1234567890-" + LETTERS,
    "url login": "postgresql://shop:" + "hunter22" + "@db:5432/shop",
    "url parameter": "https://shop.example/reset?user=7&token=" + LETTERS,
    "text": "password=" + "hunter22" + " given",
    "json": '{"user": "ada", "password": "' + "hunter22" + '"}',
    "pem": "-----BEGIN PRIVATE " + "KEY-----\n" + LETTERS + "\n-----END PRIVATE " + "KEY-----",
}
PLAIN_VALUES = {
    "trace id": "4bf92f3577b34da6a3ce929d0e0e4736",
    "uuid": "4111aaaa-1111-4111-8111-111111111111",
    "nanoseconds": "1795313175833000000",
    "address": "http://127.0.0.1:4318/v1/traces",
    "sql": "SELECT token_count FROM usage WHERE id = ?",
    "sentence": "the bearer of this letter reset a password",
    "query": "page=2&sort=name&tokens=12",
    "order": "order 41 of 5500 shipped",
}


def by_the_file(key: str, value: str) -> str:
    """What the patterns of collector-config.yaml make of an attribute, in Python's dialect of them."""
    if any(re.search(pattern, key) for pattern in FENCE["blocked_key_patterns"]):
        return MASK
    for pattern in FENCE["blocked_values"]:
        value = re.sub(pattern, MASK, value)
    return value


@pytest.mark.parametrize("key", SECRET_KEYS)
def test_secret_keys_are_blocked(key: str) -> None:
    """The value of a key that ends with a secret's name is masked."""
    assert by_the_file(key, "anything") == MASK


@pytest.mark.parametrize("key", PLAIN_KEYS)
def test_plain_keys_pass(key: str) -> None:
    """A key that only looks like a secret's keeps its value."""
    assert by_the_file(key, "anything") == "anything"


@pytest.mark.parametrize("kind", SECRET_VALUES)
def test_secret_values_are_masked(kind: str) -> None:
    """A secret is masked wherever it stands in a value."""
    text = by_the_file("note", SECRET_VALUES[kind])
    assert MASK in text
    assert LETTERS not in text
    assert "hunter22" not in text


@pytest.mark.parametrize("kind", PLAIN_VALUES)
def test_plain_values_pass(kind: str) -> None:
    """What has a secret's length or words, but is none, is left alone."""
    assert by_the_file("note", PLAIN_VALUES[kind]) == PLAIN_VALUES[kind]


@pytest.mark.stack
@pytest.mark.timeout(90, func_only=True)
def test_stores_hold_what_the_file_says(stack: Stack, jaeger: Jaeger, logs: Logs) -> None:
    """What goes past the SDK's redaction is masked before Jaeger and the log store, exactly as the file says."""
    sent = dict.fromkeys(SECRET_KEYS + PLAIN_KEYS, "anything")
    sent |= {f"secret {kind}": value for kind, value in SECRET_VALUES.items()}
    sent |= {f"plain {kind}": value for kind, value in PLAIN_VALUES.items()}
    trace_id, collector = uuid4().hex, address(stack.ports, "OTLP_HTTP")
    post(collector, "traces", traces("fence", [span(trace_id, attributes=attributes(sent))]))
    post(collector, "logs", log("fence", trace_id, SECRET_VALUES["card"], sent))

    expected = {key: by_the_file(key, value) for key, value in sent.items()}
    (stored,) = wait_for(lambda: jaeger.trace(trace_id), "the span in Jaeger")
    assert {key: stored.attributes.get(key) for key in sent} == expected
    (found,) = wait_for(lambda: logs.find(f'trace_id:="{trace_id}"'), "the record in the log store")
    assert {key: found.get(key) for key in sent} == expected
    assert found["_msg"] == by_the_file("body", SECRET_VALUES["card"])
