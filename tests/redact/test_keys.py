"""What keys say about their values."""

from __future__ import annotations

import pytest

from otel_kit.pipeline.redact import Redactor
from otel_kit.pipeline.redact.keys import Asks, judge, words_of

SECRET_KEYS = """
password userPwd DB_PASS clientSecret apikey x-api-key refresh_token otp_code PHPSESSID Authorization
csrfmiddlewaretoken password_confirmation passwort mot_de_passe contraseña пароль パスワード dbpassword authtoken
cvv pin card_number AccountKey api_key_prod password2 user[password] hashed_password
"""
HARMLESS_KEYS = """
tokenizer token_count max_tokens author passenger secretary keyboard monkey primary_key public_key sort_key
cache_key password_changed_at password_policy.min_length has_secret api_key_count session.id auth.method
pinned opinion compass bypass.enabled discard_reason signal cardinality secret_name token_type next_page_token
partition_key
"""
SAYS_NOTHING = (Asks.TEXT, Asks.QUANTITY)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("clientSecret", ["client", "secret"]),
        ("CLIENT-SECRET", ["client", "secret"]),
        ("http.request.header.x-api-key", ["http", "request", "header", "x", "api", "key"]),
        ("APIKey2", ["api", "key", "2"]),
        ("contraseña", ["contrasena"]),
    ],
)
def test_keys_are_split_into_words(key: str, words: list[str]) -> None:
    """A key in camel case, with dashes, dots or accents is not read as its words."""
    assert words_of(key) == words


@pytest.mark.parametrize("key", SECRET_KEYS.split())
def test_a_key_that_names_a_secret_asks(key: str) -> None:
    """A key that names a secret is taken for an ordinary one."""
    assert judge(key).asks not in SAYS_NOTHING


@pytest.mark.parametrize("key", HARMLESS_KEYS.split())
def test_a_key_that_only_sounds_like_one_does_not(key: str) -> None:
    """A harmless key is taken for one that names a secret."""
    assert judge(key).asks in SAYS_NOTHING


@pytest.mark.parametrize(
    "value", [True, False, None, 3.5, "", "********", "expired", "${DB_PASSWORD}", "<hidden>", "%s"]
)
def test_what_stands_for_a_secret_stays(value: object) -> None:
    """A boolean, a state or a placeholder under a secret's key is withheld."""
    assert Redactor().value("password", value) == value


def test_a_key_that_holds_a_secret_is_replaced_and_stays_distinct() -> None:
    """A secret inside of a key leaves, or two such keys become one."""
    redactor = Redactor()
    one, other = redactor.key("password=abcDEF123!x"), redactor.key("password=ghiJKL456!y")
    assert "abcDEF123" not in one
    assert one != other
    assert redactor.key("user.name") == "user.name"
