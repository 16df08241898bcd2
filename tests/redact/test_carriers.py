"""Secrets of random alphabets in random places: found in all of them, with what is around them kept."""

# ruff: noqa: E501  (an example, or a line of a page, is a line)

from __future__ import annotations

import json
import string
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_kit.pipeline.redact import Redactor

REDACTOR = Redactor()
PASSWORDS = st.text(alphabet=string.ascii_letters + string.digits, min_size=9, max_size=24).map(
    lambda text: f"q7{text}Z"
)
SIGNED = st.text(alphabet=string.ascii_letters + string.digits + "!#$*.-_+", min_size=9, max_size=24).map(
    lambda text: f"q7{text.strip('.-_+')}Zk"
)
PLACES = (
    "password={}",
    "user=ann password={} ok",
    "user=ann&password={}&x=1",
    'password="{}" and more',
    "{{'password': '{}', 'n': 1}}",
    '{{"password": "{}", "n": 1}}',
    "--password {} --verbose",
    "--password={} --verbose",
    "PASSWORD={}\nHOME=/root",
    "db:\n  password: {}\n  port: 1",
    "https://ann:{}@host.test/path",
    "the password is {} now",
    "connect(user='ann', password='{}')",
    "UPDATE u SET password = '{}' WHERE id = 1",
    "<password>{}</password>",
    "Server=h;Password={};Database=d",
    "X-Api-Key: {}",
    "Authorization: Bearer {}",
    "curl -u ann:{} https://host.test",
    "{{name: 'password', value: '{}'}}",
    "password => {}, host => h",
    "[('password', '{}')]",
)


@pytest.mark.parametrize("place", PLACES)
@settings(max_examples=25, deadline=None)
@given(secret=PASSWORDS)
def test_a_secret_is_found_in_every_notation(place: str, secret: str) -> None:
    """A secret leaves in some notation of a key with its value."""
    shown = REDACTOR.text(place.format(secret))
    assert secret not in shown
    assert "[redacted:" in shown


@settings(max_examples=60, deadline=None)
@given(secret=SIGNED, depth=st.integers(0, 3))
def test_a_secret_is_found_under_layers_of_encoding(secret: str, depth: int) -> None:
    """A secret leaves because its JSON was put into JSON, or its URL into a URL."""
    text, url = json.dumps({"password": secret}), f"https://a.test/?token={quote(secret, safe='')}"
    for _ in range(depth):
        text = json.dumps({"body": text})
    for _ in range(min(depth, 2)):
        url = f"https://b.test/?next={quote(url, safe='')}"
    assert secret not in REDACTOR.text(text)
    assert quote(secret, safe="") not in REDACTOR.text(url)


@settings(max_examples=60, deadline=None)
@given(
    secret=PASSWORDS,
    data=st.recursive(st.just("leaf"), lambda inner: st.dictionaries(st.sampled_from(("a", "items", "config")), inner, min_size=1) | st.lists(inner, min_size=1)),
)  # fmt: skip
def test_a_secret_is_found_in_nested_data(secret: str, data: object) -> None:
    """A secret leaves because it is deep inside of lists and mappings."""
    shown = REDACTOR.value(
        "input",
        {"tree": data, "login": {"user": "ann", "password": secret, "list": [{"client_secret": secret}]}},
    )
    assert secret not in json.dumps(shown)
    assert "ann" in json.dumps(shown)


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=300))
def test_any_text_comes_back_as_a_text(text: str) -> None:
    """Some text makes the redactor raise."""
    assert isinstance(REDACTOR.text(text), str)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql://shop:Hunter2x9Q@db/shop", "postgresql://shop:[redacted:dsn]@db/shop"),
        ("GET /cb?token=q7AbCdEfGhIjKlMn99&x=1", "GET /cb?token=[redacted:token]&x=1"),
        ('{"pin": 1234, "n": 1}', '{"pin": "[redacted:pin]", "n": 1}'),
        ("Cookie: theme=dark; sessionid=abc123def456", "Cookie: theme=dark; sessionid=[redacted:session]"),
        ("password=Hunter2x9Q, user=ann", "password=[redacted:password], user=ann"),
    ],
)
def test_the_value_alone_is_replaced(text: str, shown: str) -> None:
    """More than the secret is replaced, or the rule is not named."""
    assert Redactor().text(text) == shown


def test_parameters_are_judged_by_the_columns_they_go_to() -> None:
    """A parameter that is bound by position to a password's column leaves."""
    statement, parameters = Redactor().statement(
        "UPDATE users SET name = ?, password = ? WHERE id = ?", ["ann", "Hunter2x9Q", 7]
    )
    assert parameters == ["ann", "[redacted:password]", 7]
    assert statement == "UPDATE users SET name = ?, password = ? WHERE id = ?"


def test_a_printed_row_of_a_data_frame() -> None:
    """A password leaves because a row of a table was printed one field to a line."""
    secret = "hunter2" + "Xy9Qk"
    shown = Redactor().text(f"name         ann\npassword    {secret}\nName: 0, dtype: object")
    assert secret not in shown
    assert "name         ann" in shown
