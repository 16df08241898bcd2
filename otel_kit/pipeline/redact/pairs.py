"""Keys with their values in a text, in every notation that separates the two.

``key=value``, ``key: value``, ``"key": "value"`` at any depth of escaping, ``key=>value``, ``--key value``, ``<key>value</key>``,
``{"name": key, "value": value}``, ``("key", "value")``, ``PASSWORD 'value'``, ``set_password("value")``. The verdict on the key
is the same as for an attribute's key.
"""

# ruff: noqa: E501  (a branch of an expression is a line)

from __future__ import annotations

import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.cookies import cookies
from otel_kit.pipeline.redact.expression import any_of, expression, word_set
from otel_kit.pipeline.redact.finding import Budget, Finding, Findings
from otel_kit.pipeline.redact.keys import Asks, Verdict, judge, phrase_at_end, words_of
from otel_kit.pipeline.redact.values import (
    Span,
    goes_on,
    passphrase,
    refers,
    value_at,
    withheld,
)
from otel_kit.pipeline.redact.vocabulary import QUERY_NAMES

MOST_CANDIDATES = 1_000
# A look into brackets costs as much as this many candidates; so far is looked for their end, and for that of a header.
COST_OF_BRACKETS, CHARACTERS_OF_A_CANDIDATE = 8, 256
BRACKETS_REACH, HEADER_REACH = 1_024, 8_192
# The letters that a key must contain before it is read as words at all.
STEMS = word_set(
    """
    pass pwd psw pw secret tok key auth cred cooki sess sid sig csrf xsrf jwt bearer otp pin cvv cvc csc cvn card
    pan code salt pepper psk pat sas tan puk mnemonic phrase seed assert saml verifier ticket nonce hmac mdp motde
    mot_de mot-de kenn clave contras geheim zugang jeton senha wacht haslo hasło losen lösen parol parool kodeord
    adgang segred sekret hemlig schl schlüssel cle clé chiave chave llave sleutel segret salas heslo sifre şifre
    jelsz geslo lozink fernet( magic remember hook license licence hash answer community kata parrot salaus конт парол
    секрет ключ лозинк 密 口令 パス 秘密 シーク 暗証 비밀 암호 cc bind serial identified input_value verification webhook digest tgt
    kek dek karte tarjeta carte login( log_in( signin( sign_in( connect( macaroon userinfo
    """
)
STEM = expression(any_of(STEMS))
KEY = r"(?<![\w.])(?<!\w-)(\w++(?:[.\-]\w++)*+)"
_CLOSE = r"(?:\\{0,7}[\"'`]|\]|%22|%5[dD]|&quot;|\\u0022|\*\*|\)(?=\s?=)|</b>|[?!]){0,3}"
_PAIR = expression(
    rf"{KEY}({_CLOSE})[ \t]{{0,16}}(=>|:=|==|!=|<>|::?(?!//)|=|->|→|%3[dDaA]|\\u003d)[ \t]{{0,16}}(?:\r?\n[ \t]{{1,8}}(?=[\"'])){{0,1}}"
)
STRING = expression(
    r"(?<![\w\\])[bBrRuUfFN]{0,2}\"([^\"\\\n]{0,400})\"|(?<![\w\\])[bBrRuUfFN]{0,2}'([^'\\\n]{0,400})'"
)
_BARE_ITEM = expression(r"[\[(]([^\s,\]\[(){}\"']{3,512})[\])]")
_SCHEME = expression(r"([A-Za-z][A-Za-z0-9_\-]{1,30})[ \t]{1,4}(?=\S)")
_BOUND_BY = {'"': '"', "'": "'", "`": "`"}


def pairs(text: str, lower: str) -> Findings:
    """Every value whose key asks for it."""
    if not STEM.search(lower) and "?" not in text:
        return
    budget = Budget(MOST_CANDIDATES)
    done = 0
    for match in _PAIR.finditer(text):
        if match.start() < done:
            continue
        # "https://auth:8080/", "https://token:…@host": the userinfo or host of a URL is not a key.
        if text.startswith("://", match.start() - 3) and match.start() >= 3 and match.group(3) == ":":
            continue
        # "arn:aws:secretsmanager:…:secret:name" is one name.
        if (
            match.start()
            and text[match.start() - 1] == ":"
            and match.group(3) == ":"
            and match.end() == match.end(3)
        ):
            continue
        verdict = _verdict(text, match, lower)
        if verdict is None:
            continue
        header = verdict.carrier in ("authorization", "cookie")
        budget.spend(COST_OF_BRACKETS if header or text[match.end() : match.end() + 1] in ("[", "(") else 1)
        if header:
            done = min(_header_end(text, match.start(), match.end()), match.end() + HEADER_REACH)
        for finding in valued(
            text, match.group(1), match.start(), match.end(), verdict, match.group(3), match.group(2), budget
        ):
            yield finding
            done = max(done, finding.end)


def _verdict(text: str, match: re.Match[str], lower: str) -> Verdict | None:
    key = match.group(1)
    if _in_query(text, match):
        rule = QUERY_NAMES.get(key.lower())
        if rule == "oauth_code" and _one_time(text, lower, match):
            return Verdict(Asks.DIGITS, "otp")
        if rule:
            return Verdict(Asks.RANDOM, rule)
    if len(key) > 200:
        key = key[-200:]
    if not STEM.search(lower, match.start(1), match.end(1)):
        return None
    verdict = judge(key)
    if verdict.asks is not Asks.NOTHING and match.start() and text[match.start() - 1] == " ":
        verdict = _with_words_before(lower, match, key) or verdict
    return None if verdict.asks in (Asks.TEXT, Asks.QUANTITY) and not verdict.carrier else verdict


# "/otp?code=390542", not "/login/error?code=1042".
_ONE_TIME = expression(
    r"(?<![a-z])(?:otp|totp|mfa|2fa|sms|verif\w*|confirm\w*|passcode|one-time)(?![a-z])(?!.*error)"
)
_DIGITS = expression(r"\d{4,8}(?!\w)")


def _one_time(text: str, lower: str, match: re.Match[str]) -> bool:
    """Whether the path in front of a query says that its code is a number that was sent to somebody."""
    said = _ONE_TIME.search(lower, max(0, match.start() - 80), match.start())
    return said is not None and _DIGITS.match(text, match.end()) is not None


_BEFORE = expression(r"(?:[a-z0-9\-]{2,16}[ ]){1,3}\Z")


def _with_words_before(lower: str, match: re.Match[str], key: str) -> Verdict | None:
    """``Bitlocker recovery key: …``: a key of several words, as prose writes them."""
    before = _BEFORE.search(lower, max(0, match.start() - 40), match.start())
    return phrase_at_end(before.group().split() + words_of(key)) if before else None


def _in_query(text: str, match: re.Match[str]) -> bool:
    return (
        match.group(3) == "="
        and (
            text[match.start() - 1] in "?&#"
            if match.start()
            else "&" in text[match.end() : match.end() + 512]
        )
        and not match.group(2)
    )


def valued(
    text: str,
    key: str,
    start: int,
    position: int,
    verdict: Verdict,
    separator: str,
    close: str,
    budget: Budget,
) -> Findings:
    """The findings in the value behind a key."""
    if verdict.carrier in ("authorization", "cookie"):
        yield from _header(text, start, position, verdict)
        return
    span = value_at(text, position)
    if verdict.rule == "signature" and span is not None and not span.quoted:
        # "t=1795300000,v1=…": the parameters of a signature go together.
        span = span._replace(end=_token_end(text, span.start))
    if span is None:
        yield from _strings_in_brackets(text, position, verdict)
        return
    if separator == "=" and not span.quoted and text[start - 1 : start] == ",":
        span = _option(text, span)
    value = text[span.start : span.end]
    budget.spend(len(value) // CHARACTERS_OF_A_CANDIDATE)
    if separator in ("==", "!=", "<>") and not span.quoted:
        return
    if key.lower() in ("pwd", "oldpwd") and _DIRECTORY.match(value) and looks.wordy(value):
        return
    seed = "phrase" in key.lower() or "mnemonic" in key.lower()
    if (
        not span.quoted
        and (seed or verdict.rule == "password")
        and (stop := passphrase(text, span, seed=seed))
    ):
        yield Finding(span.start, stop, verdict.rule)
        return
    # "pass=12 fail=0", "--- PASS: TestToken (0.00s)": the outcome of tests.
    if (
        key.lower() == "pass"
        and not span.quoted
        and (looks.numeric(value) or text.startswith("--- ", start - 4))
    ):
        return
    # "self.secret = secret": source code that hands a variable on.
    if not span.quoted and "." in key and value == key.rpartition(".")[2]:
        return
    if not withheld(verdict, value) or (not span.quoted and _not_a_value(text, span, separator, verdict)):
        return
    end = _codes_end(text, span) if verdict.rule == "otp" and not span.quoted else span.end
    quote = '"' if not span.quoted and close[:1] == '"' and separator == ":" else ""
    yield Finding(span.start, end, verdict.rule, None, quote)
    if (
        span.quoted
        and (after := _AND_THEN.match(text, span.stop))
        and (next_one := value_at(text, after.end()))
    ):
        yield Finding(next_one.start, next_one.end, verdict.rule)


# Terraform's plan shows what was and what will be: "old" -> "new".
_AND_THEN = expression(r"[ \t]{0,4}(?:->|=>|→)[ \t]{0,4}(?=[\"'])")
_CODES = expression(
    r"(?:[,;]?[ ]{1,2}(?=[a-z\-]{0,9}\d)[A-Za-z0-9]{3,10}(?:-[A-Za-z0-9]{3,10}){0,3}(?![\w:=.]))++"
)


def _codes_end(text: str, span: Span) -> int:
    """The end of a list of codes that are all for one key."""
    match = _CODES.match(text, span.end)
    return match.end() if match else span.end


def _not_a_value(text: str, span: Span, separator: str, verdict: Verdict) -> bool:
    if refers(text, span):
        return True
    return separator in (":", "->", "→") and goes_on(text, span)


_TOKEN_END = expression(r"[^\s\"'<>&)\]}]{0,4096}")


def _token_end(text: str, start: int) -> int:
    match = _TOKEN_END.match(text, start)
    return match.end() if match else start


_NEXT_OPTION = expression(r",(?:[a-z][a-z_\-]{0,15}(?=[,\s\"']|$))")


def _option(text: str, span: Span) -> Span:
    """Options with commas between them, as mount has them: ``username=ann,password=…,ro``."""
    following = _NEXT_OPTION.search(text, span.start, span.end)
    return span._replace(end=following.start()) if following else span


# A shell's PWD is where it is.
_DIRECTORY = expression(r"[/~]|[A-Za-z]:\\")


def _header(text: str, start: int, position: int, verdict: Verdict) -> Findings:
    """The value of an Authorization or Cookie header: the scheme and the names stay."""
    span = value_at(text, position)
    if span is not None and span.quoted:
        first, last = span.start, span.end
    elif text[position : position + 1] in ("[", "("):
        yield from _header_list(text, position, verdict)
        return
    else:
        first, last = position, _header_end(text, start, position)
    if verdict.carrier == "cookie":
        yield from cookies(text, first, last)
    else:
        yield from authorization(text, first, last)


def _header_list(text: str, position: int, verdict: Verdict) -> Findings:
    close = {"[": "]", "(": ")"}[text[position]]
    end = text.find(close, position, position + BRACKETS_REACH)
    for match in STRING.finditer(
        text, position, end if end > 0 else min(len(text), position + BRACKETS_REACH)
    ):
        group = 1 if match.group(1) is not None else 2
        reader = cookies if verdict.carrier == "cookie" else authorization
        yield from reader(text, match.start(group), match.end(group))


def _header_end(text: str, start: int, position: int) -> int:
    """The end of the line, or the quote that was opened just before the header's name."""
    reach = position + HEADER_REACH
    end = text.find("\n", position, reach)
    end = min(len(text), reach) if end < 0 else end
    for literal in ("\\n", "\\r"):
        at = text.find(literal, position, end)
        end = at if at >= 0 else end
    quote = _BOUND_BY.get(text[start - 1 : start]) if start else None
    for closing in (quote,) if quote else ('"', "'"):
        at = text.find(closing, position, end)
        # Digest has quotes of its own; without an opening quote they belong to it when an equals sign stands before them.
        if at >= 0 and (quote or (text[at - 1] not in "=\\" and not _in_parameters(text, position, at))):
            end = at
    return end


def _in_parameters(text: str, position: int, at: int) -> bool:
    return '="' in text[position:at]


_ONE_WORD = ("bearer", "basic", "negotiate", "ntlm", "apikey")


def authorization(text: str, start: int, end: int) -> Findings:
    """The credentials of an Authorization header, behind its scheme."""
    scheme = _SCHEME.match(text, start, end)
    if scheme:
        start = scheme.end()
    value = text[start:end].rstrip()
    bare = value_at(text, start)
    if not value or looks.placeholder(value):
        return
    one = scheme and scheme.group(1).lower() in _ONE_WORD
    if scheme and not one and "=" in value.rstrip("=") and "," in value:
        yield from _credentials(text, scheme.group(1).lower(), start, start + len(value))
        return
    word_end = min(end, bare.end if bare and bare.end > start else start + len(value))
    word = text[start:word_end].rstrip(",;")
    word_end = start + len(word)
    if looks.placeholder(word) or (looks.wordy(word) and (" " in value or not scheme)):
        return
    yield Finding(start, word_end, "authorization")


# Schemes whose parameters tell who signed what, and how, beside the signature.
_SIGNED = ("digest", "oauth", "aws4-", "signature", "hawk")
_PARAMETER = expression(r"([\w\-]{1,40})=(?:\"([^\"\\]*+)\"|([^\",\s\\]*+))(?:[,\s]++|$)")


def _credentials(text: str, scheme: str, start: int, end: int) -> Findings:
    """The parameters of a scheme: those that are words stay, all go together where they are no list of ``name="value"``."""
    at, found = start, []
    while scheme.startswith(_SIGNED) and at < end and (match := _PARAMETER.match(text, at, end)):
        at, group = match.end(), 2 if match.group(2) is not None else 3
        value = match.group(group)
        if not looks.wordy(value) or withheld(judge(match.group(1)), value):
            found.append(Finding(match.start(group), match.end(group), "authorization"))
    yield from found if at >= end else [Finding(start, end, "authorization")]


def _strings_in_brackets(text: str, position: int, verdict: Verdict) -> Findings:
    """The strings of a list or tuple behind a key: ``tokens=['…', '…']``."""
    head = text[position : position + 1]
    if head not in ("[", "("):
        return
    bare = _BARE_ITEM.match(text, position)
    if bare and withheld(verdict, bare.group(1)) and not bare.group(1).startswith("redacted:"):
        yield Finding(bare.start(1), bare.end(1), verdict.rule)
    end = text.find({"[": "]", "(": ")"}[head], position, position + BRACKETS_REACH)
    strings = list(
        STRING.finditer(text, position, end if end > 0 else min(len(text), position + BRACKETS_REACH))
    )
    for number, match in enumerate(strings):
        group = 1 if match.group(1) is not None else 2
        value = match.group(group)
        # auth=("ann", "…"): the first of two is the user.
        user = verdict.rule == "token" and number == 0 and len(strings) == 2 and looks.wordy(value)
        asked = verdict if verdict.asks is not Asks.WORDLESS else verdict._replace(asks=Asks.NOTHING)
        if not user and (withheld(asked if number else verdict, value)):
            yield Finding(match.start(group), match.end(group), verdict.rule)
