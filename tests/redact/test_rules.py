"""What users add, take out, hide; and what is refused."""

# ruff: noqa: E501  (an example, or a line of a page, is a line)

from __future__ import annotations

import json
import pickle
import re
import time

import pytest
from pydantic import BaseModel, SecretStr

from otel_kit.errors import SettingError
from otel_kit.redact import Redactor, Rules, Secret

VALUE = "Hunter2x9Q"


def test_actions_by_key_in_any_spelling() -> None:
    """A user's action for a key is not taken, or only for one spelling."""
    redactor = Redactor(
        Rules(
            keys={"customer ref": "hash", "iban": "mask", "internal_note": "drop", "badge": "replace"},
            hash_key="k",
        )
    )
    hashed = redactor.value("customerRef", "C-1001")
    assert hashed.startswith("[hash:")
    assert (
        hashed == redactor.value("order.customer_ref", "C-1001") != redactor.value("customer-ref", "C-1002")
    )
    assert redactor.value("IBAN", "XX00123456781234") == "****1234"
    assert redactor.value("badge", 17) == "[redacted:custom]"
    assert redactor.value("x", {"internal_note": "a", "ok": 1}) == {"ok": 1}


def test_a_hash_without_a_key_of_its_own_differs_between_redactors() -> None:
    """A hash can be looked up in a table made elsewhere."""
    rules = Rules(keys={"ref": "hash"})
    assert Redactor(rules).value("ref", "a") != Redactor(rules).value("ref", "a")


def test_exempted_keys_and_values_stay() -> None:
    """What a user exempts is redacted nevertheless."""
    redactor = Redactor(Rules(keys={"session token": "keep"}, exempt_values=["integration-test-pw1"]))
    assert redactor.value("session_token", "q7AbCdEfGhIjKlMn99") == "q7AbCdEfGhIjKlMn99"
    assert redactor.value("password", "integration-test-pw1") == "integration-test-pw1"
    assert redactor.text("password=integration-test-pw1 ok") == "password=integration-test-pw1 ok"
    personal = Redactor(Rules(mode="secrets+personal", exempt_values=["help@shop.test"]))
    assert personal.text("from help@shop.test to ann@a.test") == "from help@shop.test to [redacted:email]"


def test_patterns_are_replaced_everywhere_by_their_first_group() -> None:
    """A user's pattern is not looked for in short texts, values or keys that were seen before."""
    redactor = Redactor(Rules(patterns={"badge": r"B-\d{4}", "case": re.compile(r"case (\d+)")}))
    assert redactor.text("B-1234") == "[redacted:badge]"
    assert redactor.text("see case 42") == "see case [redacted:case]"
    assert redactor.value("note", ["B-1234"]) == ["[redacted:badge]"]


@pytest.mark.parametrize(
    "pattern", [r"(a+)+$", r"(a|a)*b", r"(\w+\s?)*$", r"(.*a){20}", r"(x+x+)+y", r"([a-z]+)*\d", r"(a|aa)+$", r"^(\d+)*z", r".*.*.*=x", r"\s+\s+\s+$"]
)  # fmt: skip
def test_a_pattern_that_backtracks_is_refused_quickly(pattern: str) -> None:
    """A pattern that can take seconds is accepted, or trying it takes seconds."""
    start = time.thread_time()
    with pytest.raises(SettingError, match="bad"):
        Rules(patterns={"bad": pattern})
    assert time.thread_time() - start < 3


@pytest.mark.parametrize(
    "pattern",
    [
        r"B-\d{4}",
        r"\bEMP[0-9]{6}\b",
        r"[A-Z]{2}\d{2}(?:[ ]?\d{4}){3}",
        r"internal-[a-z0-9-]+\.corp",
        r"(?i)project\s+(\w+)",
        r"(?:\w+\.)+corp",
        r"\w+@corp\.test",
    ],
)
def test_an_ordinary_pattern_is_accepted(pattern: str) -> None:
    """A harmless pattern is refused."""
    assert Rules(patterns={"good": pattern})


@pytest.mark.parametrize(
    "rules", [{"mode": "all"}, {"keys": {"a": "burn"}}, {"patterns": {"x": "("}}, {"patterns": {"x": "a*"}}, {"patterns": {"x": "a" * 2_000}}]
)  # fmt: skip
def test_a_rule_that_cannot_be_is_refused(rules: dict[str, object]) -> None:
    """A wrong rule is accepted and does nothing."""
    with pytest.raises(SettingError):
        Rules(**rules)  # type: ignore[arg-type]


def test_a_pattern_is_found_in_a_long_text() -> None:
    """A user's pattern is not found behind the first window of a long text."""
    redactor = Redactor(Rules(patterns={"badge": r"B-\d{4}"}))
    shown = redactor.text(("word " * 203 + "B-1234 ") * 20)
    assert shown.count("[redacted:badge]") == 20
    assert "B-1234" not in shown


def test_off_is_off() -> None:
    """With redaction off something is redacted."""
    redactor = Redactor(Rules(mode="off"))
    assert redactor.text("password=Hunter2x9Q") == "password=Hunter2x9Q"
    assert redactor.value("password", VALUE) == VALUE


def test_a_secret_never_shows() -> None:
    """A Secret's value shows in a text, a format, a traceback of its own, a pickle or in telemetry."""
    secret = Secret(VALUE)
    assert VALUE not in f"{secret} {secret!r} {secret!s:>30} {[secret]} {secret.__class__}"
    assert secret.reveal() == VALUE
    assert secret == Secret(VALUE)
    assert secret != VALUE
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert VALUE not in str(Redactor().value("anything", {"a": [secret]}))


class Settings(BaseModel):
    key: SecretStr


def test_pydantic_secrets_never_show() -> None:
    """The value of a SecretStr shows in telemetry."""
    redactor = Redactor()
    assert redactor.value("anything", SecretStr(VALUE)) == "[redacted:secret]"
    assert VALUE not in str(redactor.value("anything", Settings(key=SecretStr(VALUE))))


def test_the_rules_do_not_show_their_hash_key() -> None:
    """The key of the hashes is printed with the rules."""
    assert VALUE not in repr(Rules(hash_key=VALUE))
