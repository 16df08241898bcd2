"""What a key says about its value, read as words: ``aws_secret_access_key`` names a secret, ``token_count`` a number."""

from __future__ import annotations

import re
import unicodedata
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, word_set
from otel_kit.pipeline.redact.vocabulary import (
    ALWAYS_PHRASES,
    CARD_PHRASES,
    GLUE,
    METADATA,
    NEUTRAL,
    PASSWORDS,
    PERSONAL_PHRASES,
    PLAIN_PHRASES,
    QUANTITIES,
    QUESTIONS,
    RANDOM_PHRASES,
    RULE_OF_WORD,
    SECRETS,
    STEMS,
)

LONGEST_KEY, MOST_LETTERS = 256, 4_096


def fold(text: str) -> str:
    """The text without accents: ``contraseña`` is ``contrasena``."""
    if text.isascii():
        return text
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(c for c in decomposed if not unicodedata.combining(c)).replace("ß", "ss").replace("ł", "l")


class _Flat(dict[int, str]):
    """Of each character its lower case without accents, one for one; ``ł`` and ``：`` have an ASCII form too."""

    def __missing__(self, code: int) -> str:
        letter = chr(code).lower()[:1]
        plain = {"ß": "s", "ł": "l", "ø": "o", "đ": "d", "ı": "i"}.get(letter)
        base = plain or unicodedata.normalize("NFKD", letter)[:1]
        shown = base if base.isascii() and base else letter
        if len(self) < MOST_LETTERS:
            self[code] = shown
        return shown


_FLAT = _Flat()


def flat(text: str) -> str:
    """The text in lower case and without accents, of the same length."""
    return text.translate(_FLAT)


_PASSWORDS, _SECRETS = frozenset(map(fold, PASSWORDS)), frozenset(map(fold, SECRETS))


class Asks(Enum):
    """What a key asks of its value before the value is withheld."""

    NOTHING = "nothing: withhold any value"
    WORDLESS = "not to be made of words"
    RANDOM = "to be a long random token"
    DIGITS = "to be a few digits"
    CARD = "to have the digits of a card"
    TEXT = "the text may hold secrets, the key says nothing"
    QUANTITY = "the key names a number or a time: digits are no card"


class Verdict(NamedTuple):
    """What a key asks of its value, and the rule that is named in its place."""

    asks: Asks
    rule: str = ""
    carrier: str = ""


PLAIN = Verdict(Asks.TEXT)
# "authenticatorCode", "verify_code": a code that lets somebody in.
_CODES = ("auth", "verif", "confirm", "secur", "otp", "mfa", "totp", "recover", "unlock", "passc", "onetime")
# Spoken of ("jwt: malformed") as often as shown.
_SPOKEN_OF = frozenset(("jwt", "csrf", "xsrf", "bearer"))
QUANTITY = Verdict(Asks.QUANTITY)
_HEADER = expression(
    r"^(?:https?|rpc|grpc|messaging|aws)\.(?:request|response|[\w.]*)\.?(?:header|headers|metadata)\.(.+)$",
    re.I,
)
_SEPARATED = expression(r"[_.\-\[\]:/ ]")
_SPLIT = expression(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+|[^\W\d_A-Za-z]+")
_CARRIERS = {
    "cookie": "cookie", "cookies": "cookie", "set cookie": "cookie", "set cookies": "cookie",
    "authorization": "authorization", "proxy authorization": "authorization", "x authorization": "authorization",
    "x forwarded authorization": "authorization", "auth header": "authorization", "authorization header": "authorization",
    "query": "query", "url query": "query", "query string": "query", "querystring": "query", "request body": "form",
    "command args": "arguments", "command line": "arguments", "argv": "arguments", "args": "arguments", "cmdline": "arguments",
    "command": "arguments", "cmd": "arguments",
    "query text": "sql", "db statement": "sql", "statement": "sql", "sql": "sql", "query summary": "sql",
}  # fmt: skip
# The semantic conventions' own id of a session is told apart from a cookie: it opens nothing.
_EXACT = {
    "session.id": PLAIN,
    "session.previous_id": PLAIN,
    "enduser.pseudo.id": PLAIN,
    "feature_flag.key": PLAIN,
    "messaging.kafka.message.key": PLAIN,
    "gen_ai.token.type": PLAIN,
    "aws.s3.key": PLAIN,
    "aws.request_id": PLAIN,
    "tls.client.hash.sha256": PLAIN,
    "process.executable.build_id.htlhash": PLAIN,
}


def words_of(key: str) -> list[str]:
    """The words of a key, folded to plain lower case: ``clientSecret`` and ``CLIENT-SECRET`` are ``client secret``."""
    return [word.lower() for word in _SPLIT.findall(fold(key))]


@lru_cache(maxsize=4096)
def judge(key: str) -> Verdict:
    """What a key says about its value. Pure, and cached for 4,096 keys."""
    if key in _EXACT:
        return _EXACT[key]
    # A token in a list of texts is no name, whatever letters meet in it.
    if len(key) >= 16 and looks.opaque(key) and not _SEPARATED.search(key):
        return PLAIN
    header = _HEADER.match(key)
    words = words_of((header.group(1) if header else key)[-LONGEST_KEY:])
    if not words:
        return PLAIN
    carrier = _carrier(words)
    verdict = _judge_words(words)
    return verdict._replace(carrier=carrier) if carrier else verdict


def _carrier(words: list[str]) -> str:
    return _CARRIERS.get(" ".join(words[-2:])) or _CARRIERS.get(words[-1], "")


def _judge_words(words: list[str]) -> Verdict:
    if words == ["code"]:
        return Verdict(Asks.RANDOM, "oauth_code")
    verdict = _judge_end(words)
    if verdict is not None:
        return verdict
    trimmed = _trim(words)
    if len(trimmed) < len(words) and (verdict := _judge_end(trimmed)):
        return verdict
    last = trimmed[-1]
    if words[0] in QUESTIONS and len(words) > 1:
        # "enable_secret" may hold it, "has_secret" tells of it.
        if words[0] in ("enable", "use", "set", "force") and (last in _PASSWORDS or last in _SECRETS):
            return Verdict(Asks.WORDLESS, RULE_OF_WORD.get(last, "secret"))
        return QUANTITY if last in QUANTITIES else PLAIN
    if last in METADATA:
        return QUANTITY if last in QUANTITIES or last in ("id", "ids") else PLAIN
    return _judge_anywhere(trimmed) or PLAIN


def _trim(words: list[str]) -> list[str]:
    """Without the words at the end that change nothing, but never without all words."""
    end = len(words)
    while end > 1 and (words[end - 1].isdigit() or words[end - 1] in NEUTRAL):
        end -= 1
    return words[:end]


def _judge_end(words: list[str]) -> Verdict | None:
    """By the longest phrase at the end, glued words taken apart."""
    if words[0] in QUESTIONS and len(words) > 1:
        return None
    for size in range(min(5, len(words)), 0, -1):
        phrase = " ".join(words[-size:])
        if phrase in PLAIN_PHRASES:
            return PLAIN
        if phrase in ALWAYS_PHRASES:
            return _always(ALWAYS_PHRASES[phrase])
        if phrase in CARD_PHRASES:
            return Verdict(Asks.CARD, "card")
        if phrase in RANDOM_PHRASES:
            return _random(phrase, RANDOM_PHRASES[phrase])
    if len(words) > 1 and words[-1] in ("code", "codes", "number") and words[-2].startswith(_CODES):
        return Verdict(Asks.DIGITS, "otp")
    return _judge_word(words[-1])


def phrase_at_end(words: list[str]) -> Verdict | None:
    """The verdict on a listed phrase of several words at the end, or None."""
    for size in range(min(4, len(words)), 1, -1):
        phrase = " ".join(words[-size:])
        if phrase in PLAIN_PHRASES:
            return None
        if phrase in ALWAYS_PHRASES:
            return _always(ALWAYS_PHRASES[phrase])
    return None


def _always(rule: str) -> Verdict:
    if rule == "signature":
        return Verdict(Asks.RANDOM, rule)
    return Verdict(Asks.DIGITS if rule in ("pin", "cvv", "otp") else Asks.NOTHING, rule)


def _random(phrase: str, rule: str) -> Verdict:
    return Verdict(
        Asks.WORDLESS if phrase in ("token", "auth", "userinfo") or rule == "hash" else Asks.RANDOM, rule
    )


def _judge_word(word: str) -> Verdict | None:
    """By one word: a secret noun, or words glued into one that end in a secret noun."""
    if word in _PASSWORDS:
        return Verdict(Asks.NOTHING, "password")
    if word in _SECRETS:
        verdict = _always(RULE_OF_WORD.get(word, "secret"))
        return verdict._replace(asks=Asks.WORDLESS) if word in _SPOKEN_OF else verdict
    parts = unglue(word)
    return _judge_end(parts) if len(parts) > 1 else _judge_stem(word)


_PASSES = word_set(
    """
    bypass compass encompass trespass surpass overpass underpass multipass subpass lowpass highpass bandpass allpass singlepass
    twopass prepass postpass firstpass secondpass lastpass onepass gyrocompass
    """
)


def _judge_stem(word: str) -> Verdict | None:
    if len(word) > 6:
        if word.endswith(("pass", "passwd", "pwd")) and word not in _PASSES:
            return Verdict(Asks.NOTHING, "password")
        for stem in STEMS:
            if word.endswith((stem, stem + "s")):
                return judge(stem)
    return None


def _judge_anywhere(words: list[str]) -> Verdict | None:
    """A secret noun in front of words that we know nothing about: ``password_for_billing``, ``token_stripe``."""
    for word in words:
        if word in _PASSWORDS and word != "pass":
            return Verdict(Asks.NOTHING, "password")
        if word in _SECRETS:
            return Verdict(Asks.WORDLESS, RULE_OF_WORD.get(word, "secret"))
    for size in (3, 2):
        for start in range(len(words) - size):
            rule = ALWAYS_PHRASES.get(" ".join(words[start : start + size]))
            if rule:
                return Verdict(Asks.WORDLESS, rule)
    return Verdict(Asks.RANDOM, "token") if "token" in words else None


@lru_cache(maxsize=2048)
def unglue(word: str) -> list[str]:
    """The known words that a glued word is made of, or the word alone: ``dbpassword`` is ``db password``."""
    if not 5 <= len(word) <= 32 or word in GLUE or word in METADATA or word in PLAIN_PHRASES:
        return [word]
    return _glued(word) or [word]


def _glued(word: str) -> list[str] | None:
    """Left to right, the longest known word first, with at most one way kept per position."""
    best: list[list[str] | None] = [None] * (len(word) + 1)
    best[0] = []
    for end in range(1, len(word) + 1):
        for start in range(max(0, end - 16), end):
            front, part = best[start], word[start:end]
            if (
                front is not None
                and (part in GLUE or part in _PASSWORDS or part in _SECRETS)
                and len(part) > 1
            ):
                best[end] = [*front, part]
                break
    return best[-1]


@lru_cache(maxsize=2048)
def personal(key: str) -> str:
    """The rule of personal data that a key names, or an empty string."""
    words = words_of(key[-LONGEST_KEY:])
    for size in range(min(4, len(words)), 1, -1):
        if rule := PERSONAL_PHRASES.get(" ".join(words[-size:])):
            return rule
    if words and words[-1] in (
        "count",
        "enabled",
        "verified",
        "type",
        "hash",
        "id",
        "domain",
        "template",
        "sent",
        "status",
    ):
        return ""
    return PERSONAL_PHRASES.get(words[-1], "") if words else ""
