"""Secrets at some distance from the noun that names them: "the password for ann is …", "das Passwort von ann lautet …"."""

# ruff: noqa: E501  (a branch of an expression is a line)

from __future__ import annotations

import re
from functools import lru_cache

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, holds, longest_of
from otel_kit.pipeline.redact.finding import MOST_MATCHES, Finding, Findings, TooMuchWork
from otel_kit.pipeline.redact.prefilter import has_digit
from otel_kit.pipeline.redact.sentences import STEMS_OF_NOUNS, trimmed
from otel_kit.pipeline.redact.vocabulary import METADATA, PASSWORDS, QUANTITIES

REACH, MOST_TRIES = 90, 4
# In the languages whose endings change the noun (lösenordet, passordet, heslem) a few letters may follow it.
_NOUN = expression(
    r"(?<![\w.\-/])(?:(?P<password>(?:"
    + longest_of(word for word in PASSWORDS if word.isascii() and len(word) > 4 and word not in ("parole", "clave"))
    + r"|mots? de passe|(?:security|secret) (?:question|answer)|clave|пароль|пароля|пароли|парол\w{1,3})(?!less|\w{4})\w{0,3})"
    r"|(?P<crypto>(?:(?<=crypt )|(?<=crypted )|(?<=crypting ))(?:with|using|by)[ ](?:the[ ])?key|(?:master|aes|hmac|encryption|private|signing|data|wrapping|session|root)[ ]key(?:[ ]material)?|hmac|signature)|(?P<key>(?:api|access|secret|private|signing|encryption|recovery|setup|licen[cs]e|product|activation|wi-?fi|wlan|wpa|network|master|account|storage|deploy|ssh|stream|unlock|service|client)[ -](?:key|secret|token)"
    r"|token|macaroon|credentials?|seed|session|passphrase|secret|(?:with|using|by|invalid|wrong|bad|unknown) key))(?![\w-])"
)  # fmt: skip
# CJK has no spaces: the noun stands against its neighbours.
_JOINED = expression(
    r"(?:密码|密碼|口令|パスワード|暗証番号|비밀번호|암호)[^\s:=]{0,12}?(?:は|が|是|为|設|设为|는|은|를|:|=)[ ]{0,2}[「“\"']?(?P<value>[\x21-\x7e]{4,128})"
)
_COPULA = expression(
    r"(?:[ ](?:is|was|are|ist|war|lautet|lauten|est|es|era|sera|e|ar|er|este|jest|je|bol|bylo|to|now|nu|zu|auf|as|becomes?|value)|[:=])"
    r"[ ]{1,2}(?:now[ ]|set[ ]to[ ])?[\"'`«„“]?(?P<value>[^\s\"'`<>«»„“”]{4,256})"
)
_WORD_BEFORE = expression(r"[\w'’@.+\-]{1,40}[ ]{0,2}\Z")
_GROUPS = expression(r"(?:[a-zA-Z2-7]{4}[ -]){3,15}[a-zA-Z2-7]{2,4}\b")
_ABOUT = (METADATA | QUANTITIES | {"host", "node", "job", "task", "order", "line", "ip", "pod", "path", "from", "at", "see"}) - {
    "user", "users", "username", "login", "value", "new", "one", "set", "email", "reset", "updated", "changed", "created", "generated",
    "text", "default", "on", "session", "account",
}  # fmt: skip
_PLACE = expression(
    r"(?:\d{1,3}\.){3}\d{1,3}\S*|[~/][\w./~\-]*|[\w.+\-]+@[\w\-]+\.[\w.\-]+|[a-z][\w+.\-]*://.*|#?\d[\d.:,\-/TZ]*%?"
)


_STEMS = (
    *STEMS_OF_NOUNS,
    "question",
    "hmac",
    "macaroon",
    "signature",
    "product",
    "recovery",
    "licen",
    "stream",
    "setup",
)


def spoken(text: str, lower: str) -> Findings:
    """Secrets that a sentence names further away."""
    done = seen = 0
    for match in _NOUN.finditer(lower) if holds(lower, _STEMS) else ():
        if match.start() >= done:
            seen += 1
            if seen > MOST_MATCHES:
                raise TooMuchWork
            end = lower.find("\n", match.end(), match.end() + REACH)
            done = end if end >= 0 else min(len(lower), match.end() + REACH)
            found = _value(text, lower, match, done)
            if found:
                yield found
                done = found.end
    if not lower.isascii():
        for match in _JOINED.finditer(lower):
            value = trimmed(text[match.start("value") : match.end("value")])
            if looks.secretish(value) and not looks.placeholder(value):
                yield Finding(match.start("value"), match.start("value") + len(value), "password")


def _value(text: str, lower: str, noun: re.Match[str], end: int) -> Finding | None:
    """The first value behind a copula or a colon that looks like what the noun names."""
    password = noun.group("password") is not None
    if noun.group("crypto") and (number := _NUMBER.match(text, noun.end())):
        return Finding(number.start(1), number.end(1), "private_key")
    groups = None if password else _GROUPS.search(text, noun.end(), min(end, noun.end() + 20) + 80)
    if groups and has_digit(groups.group()) and not looks.wordy(groups.group()):
        return Finding(groups.start(), groups.end(), "otp")
    for tries, match in enumerate(_COPULA.finditer(lower, noun.end(), end + 40)):
        if tries >= MOST_TRIES or match.start("value") > end:
            break
        start = match.start("value")
        value = trimmed(text[start : match.end("value")])
        before = _WORD_BEFORE.search(lower, max(noun.end(), match.start() - 40), match.start())
        word = before.group().strip(" '") if before else ""
        if word in _ABOUT and word not in noun.group():
            continue
        if _fits(value, password):
            return Finding(start, start + len(value), "password" if password else "token")
    return _opaque_behind(text, lower, noun, end) if not password else None


_NUMBER = expression(
    r"[ ]?(?:\(\w{1,10}\))?[ ]?(?:is|=|:|->)?[ ]{0,2}[\"'`]?(?:sha\d{1,3}=)?((?:0x)?[0-9a-fA-F]{32,256})(?![\w])"
)
_BEHIND = expression(r"[ ]{1,2}['\"(]?(?P<value>(?![a-z]{2,8}_)[\w+/=\-]{20,512})")


def _opaque_behind(text: str, lower: str, noun: re.Match[str], end: int) -> Finding | None:
    """``invalid session cdJU… for user 7``: a token right behind its noun."""
    match = _BEHIND.match(text, noun.end())
    if not match or not _fits(match.group("value"), password=False):
        return None
    return Finding(match.start("value"), match.end("value"), "token")


@lru_cache(maxsize=1024)
def _fits(value: str, password: bool) -> bool:
    if looks.placeholder(value) or looks.uuid(value) or _PLACE.fullmatch(value) or "redacted:" in value:
        return False
    if password:
        return (
            len(value) >= 5
            and looks.secretish(value)
            and not looks.hexadecimal(value)
            and "=" not in value[:-2]
        )
    return not looks.wordy(value) and (looks.opaque(value, 16) or (looks.strong(value) and len(value) >= 10))
