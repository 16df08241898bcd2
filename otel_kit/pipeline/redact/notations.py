"""Keys with values where no separator joins the two: lists, options, tags, calls, literals of SQL beside their word.

``("key", "value")``, ``--key value``, ``<key>value</key>``, ``{"name": key, "value": value}``, ``PASSWORD 'value'``,
``set_password("value")``, a part of a form, a field of a JSON web key.
"""

from __future__ import annotations

import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import MOST_MATCHES, Budget, Finding, Findings, TooMuchWork, bounded
from otel_kit.pipeline.redact.keys import Asks, judge
from otel_kit.pipeline.redact.pairs import BRACKETS_REACH, KEY, STEM, STRING, valued
from otel_kit.pipeline.redact.values import goes_on, value_at, withheld

MOST_CALLS = 150
_PART = expression(
    r"form-data;[^\r\n]{0,80}\bname=\\?\"([\w.\-\[\]]{1,80})\\?\"[^\r\n\\]{0,200}(?:(?:\r?\n|\\r\\n|\\n)[A-Za-z\-]{1,40}:[^\r\n]{0,200})?"
    r"(?:\r?\n|\\r\\n|\\n){2}([^\r\n\\]{1,4096})",
    re.I,
)
# variable "db_password" { default = "…" }
_BLOCK = expression(
    r"[a-z]\w{1,30}[ ]{1,2}\"([\w.\-]{2,80})\"[ ]{0,2}\{[^{}]{0,400}?\b(?:default|value)[ ]{0,20}=[ ]{0,2}(?=\")"
)
_COMPARED = expression(
    r"([\"'])([^\"'\n]{3,128})\1[ ]{1,2}(?:==|!=|is not|is)[ ]{1,2}((?:\w{1,40}\.){0,4}\w{2,40})(?![\w(])"
)
# The private members of RFC 7517's keys: "k" of a symmetric one, "d", "p", "q" of an asymmetric one.
# A property list of Apple's.
_PLIST = expression(r"<key>([\w.\- ]{2,80})</key>\s{0,20}<(?:string|data)>\s{0,20}([^<>]{1,4096}?)\s{0,20}</")
# An identifier, a blank, and something that is no word: "change_password ann Xy…" without ann, ":_authToken Xy…".
_NEXT = expression(
    r"(?<![\w.])((?:\w{1,40}[_\-]\w{1,40}|_?[a-z]{1,20}[A-Z]\w{1,40}|_\w{2,40}))[ ]{1,2}(?:[a-z]{1,16}[ ])?"
    r"([^\s\"'<>(){}\[\],;|=]{8,512})(?![\w(=])"
)
# ArcSight's custom fields, and rows of settings in SQL.
_LABELLED = expression(r"\b([a-zA-Z]{2,12}\d{1,2})Label=([\w.\-]{2,40})[ ][^\n]{0,200}?\b\1=([^\s]{3,256})")
_SETTING = expression(
    r"\bvalue[ ]{0,2}=[ ]{0,2}'([^'\n]{3,256})'[^;\n]{0,80}\b(?:name|key|setting|param\w*)[ ]{0,2}=[ ]{0,2}'([\w.\-]{2,80})'",
    re.I,
)
# A row of a data frame, printed one field to a line.
_ALIGNED = expression(r"(?m)^[ \t]{0,8}([\w.\-]{2,80})[ ]{2,40}(\S{4,256})[ ]{0,4}$")
_JWK = expression(r"\\{0,3}[\"'](?:d|p|q|dp|dq|qi|k)\\{0,3}[\"']\s{0,4}:\s{0,4}\\{0,3}[\"']([\w\-]{16,2048})")
_LISTED = expression(
    r"[\[(,]\s{0,8}b?\\{0,3}[\"']([\w.\-]{2,80})\\{0,3}[\"']\s{0,2},\s{0,8}(?=b?\\{0,3}[\"'])"
)
_FLAG = expression(r"(?<![\w\-])(?:--?|/)([A-Za-z]\w*+(?:[.\-]\w++)*+)(?:[ \t]{1,4}|[\"'],\s{0,8})(?![-<>|])")
_SET = expression(r"\b(?:[Ss]et|SET|setx|setenv)[ \t]{1,4}([\w.\-]{3,80})[ \t]{1,4}([^\s\"'=]{6,512})")
_NAMED = expression(
    r"""(?<![\w])(?:name|key|id|field|header|headername|param|parameter|attribute|k|variable|env)\\{0,3}["']?\s{0,3}[=:]\s{0,3}\\{0,3}["']?
        ([\w.\-]{2,80})\\{0,3}["']?(?:[,;\s][^<>{}]{0,120}?|,)?[\s,;"'\\]\s{0,20}\\{0,3}["']?
        (?:value|val|v|content|contents|data|default|stringvalue|string_value)\\{0,3}["']?\s{0,3}[=:]\s{0,3}""",
    re.VERBOSE | re.IGNORECASE,
)  # fmt: skip
_NAMED_AFTER = expression(
    r"""["']?\b(?:value|val|v|content)\\{0,3}["']?\s{0,3}[=:]\s{0,3}\\{0,3}(["'])([^"'\\\n]{3,512})\\{0,3}\1,?\s{1,8}\\{0,3}["']?
        (?:name|key|header|field|k)\\{0,3}["']?\s{0,3}[=:]\s{0,3}\\{0,3}["']([\w.\-]{2,80})\\{0,3}["']""",
    re.VERBOSE | re.IGNORECASE,
)  # fmt: skip
_TAG = expression(
    r"<(?:\w{1,30}:)?([\w.\-]{2,80})(?:\s[^<>]{0,200})?>\s{0,20}(?:<!\[CDATA\[)?([^<>]{1,16384}?)(?:\]\]>)?\s{0,20}</"
)
_TAG_NAMED = expression(
    r"<\w{1,40}\s[^<>]{0,80}?\b(?:name|key)=[\"']([\w.\-]{2,80})[\"'][^<>]{0,120}>\s{0,20}(?:<value>)?([^<>]{1,4096}?)\s{0,20}</",
    re.I,
)
_BESIDE = expression(
    rf"{KEY}[ \t]{{1,4}}(?:BY[ \t]{{1,4}}|by[ \t]{{1,4}}|VALUES?[ \t]{{1,4}})?(?=[NEne]?\\{{0,3}}['\"])"
)
_IDENTIFIED = expression(
    r"\bpragma[ \t]{1,4}(?:\w+\.)?(?:re|hex|hexre)?key[ \t]{0,4}=[ \t]{0,4}"
    r"|\bas[ \t]{1,4}\w{1,40}[ \t]{1,4}key[ \t]{1,4}"
    r"|\bset[ \t]{1,4}password[ \t]{1,4}for[ \t]{1,4}[^\s=]{1,80}[ \t]{0,4}(?:=|to)[ \t]{0,4}(?:password\()?"
    r"|\bidentified[ \t]{1,4}(?:with[ \t]{1,4}[\w\"'`]{1,40}[ \t]{1,4})?(?:by|as)[ \t]{1,4}(?:password[ \t]{1,4})?",
    re.I,
)
_CALLEE = expression(r"(?<![\w])([A-Za-z_][\w.]{1,80})\(")
_SIGNS_IN = expression(
    r"(?:log_?in|sign_?in|authenticate|(?:http)?_?(?:basic|digest|proxy)_?auth|\.auth|(?:create|add|new|set)_?user|jw[ts]\.(?:en|de)code|pbkdf2\w*|hkdf|scrypt|fernet|hmac\.new|(?:aes\w*|cipher)\.new|bind|simple_bind_s?|set_auth|credentials|starttls|connect)$",
    re.I,
)
_INPUT_VALUE = expression(
    r"(?:^|(?<=\\n))[ \t]{0,8}([\w.\-]{1,120}?)[ \t]*(?:\r?\n|\\n)[ \t]+[^\n]{0,400}?\binput_value=",
    re.MULTILINE,
)


def notations(text: str, lower: str) -> Findings:
    """Every value that its key stands beside, around or in front of."""
    if STEM.search(lower):
        yield from _keyed(text, _LISTED)
        if "-" in text or "/" in text:
            yield from _flags(text)
        if "val" in lower or "content" in lower or "data" in lower:
            yield from _keyed(text, _NAMED)
            yield from _value_first(text)
        if "set" in lower:
            yield from _set(text)
        if "</" in text:
            yield from _tags(text)
        if "identified" in lower or "pragma" in lower or "attach" in lower or "set password" in lower:
            yield from _identified(text)
        if '"' in text or "'" in text:
            yield from _beside(text)
            if "(" in text:
                yield from _calls(text)
        if "input_value=" in text:
            yield from _validation(text)
        if "form-data" in lower:
            yield from _judged(text, _PART, 1, 2)
        if "{" in text:
            yield from _keyed(text, _BLOCK)
        if "= " in text or " is" in text:
            yield from _compared(text)
        yield from _judged(text, _NEXT, 1, 2, strong=True)
        if "  " in text and "\n" in text:
            yield from _judged(text, _ALIGNED, 1, 2, strong=True)
        if "</key>" in text:
            yield from _judged(text, _PLIST, 1, 2)
        if "label=" in lower:
            yield from _judged(text, _LABELLED, 2, 3)
        if "value" in lower and "'" in text:
            yield from _judged(text, _SETTING, 2, 1)
    if "kty" in lower:
        for match in _JWK.finditer(text):
            yield Finding(match.start(1), match.end(1), "private_key")


def _keyed(text: str, pattern: re.Pattern[str]) -> Findings:
    budget = Budget()
    for match in pattern.finditer(text):
        key = match.group(1)
        verdict = judge(key)
        if verdict.asks not in (Asks.TEXT, Asks.QUANTITY) or verdict.carrier in ("authorization", "cookie"):
            yield from valued(text, key, match.start(1), match.end(), verdict, "=", "", budget)


def _flags(text: str) -> Findings:
    for match in bounded(_FLAG, text):
        # "-phM37kPw…" is a password glued to its option, not an option.
        if len(match.group(1)) >= 12 and looks.random_looking(match.group(1)):
            continue
        verdict = judge(match.group(1))
        if verdict.asks in (Asks.TEXT, Asks.QUANTITY, Asks.CARD):
            continue
        span = value_at(text, match.end())
        if span is None:
            continue
        value = text[span.start : span.end]
        # "GET /reset-password 302" is no option of Windows.
        if match.group()[0] == "/" and value.isdigit():
            continue
        if not span.quoted and value.isupper() and value.strip("[]<>").replace("_", "").isalpha():
            continue  # the stand-in of a usage line: --password PASSWORD
        if withheld(verdict, value) and not (not span.quoted and goes_on(text, span)):
            yield Finding(span.start, span.end, verdict.rule)


def _set(text: str) -> Findings:
    """``configure set aws_secret_access_key …``, ``setx TOKEN …``: a key and a value as two words of a command."""
    for match in _SET.finditer(text):
        verdict, value = judge(match.group(1)), match.group(2)
        if (
            verdict.asks not in (Asks.TEXT, Asks.QUANTITY)
            and withheld(verdict, value)
            and looks.strong(value)
        ):
            yield Finding(match.start(2), match.end(2), verdict.rule)


def _judged(text: str, pattern: re.Pattern[str], key: int, value: int, *, strong: bool = False) -> Findings:
    """Matches whose one group is a key and another its value."""
    for match in pattern.finditer(text):
        verdict = judge(match.group(key))
        if withheld(verdict, match.group(value)) and (not strong or looks.strong(match.group(value))):
            yield Finding(match.start(value), match.end(value), verdict.rule)


def _compared(text: str) -> Findings:
    """``assert 'hunter2' == user.password``: the value stands first."""
    for match in _COMPARED.finditer(text):
        verdict = judge(match.group(3).rpartition(".")[2])
        if withheld(verdict, match.group(2)) and looks.secretish(match.group(2)):
            yield Finding(match.start(2), match.end(2), verdict.rule)


def _value_first(text: str) -> Findings:
    for match in _NAMED_AFTER.finditer(text):
        verdict = judge(match.group(3))
        if withheld(verdict, match.group(2)):
            yield Finding(match.start(2), match.end(2), verdict.rule)


def _tags(text: str) -> Findings:
    for pattern in (_TAG, _TAG_NAMED):
        for match in pattern.finditer(text):
            verdict = judge(match.group(1))
            if withheld(verdict, match.group(2)):
                yield Finding(match.start(2), match.end(2), verdict.rule)


def _beside(text: str) -> Findings:
    """A key with nothing but white space before a quoted value: SQL's ``PASSWORD '…'``."""
    for match in _BESIDE.finditer(text):
        verdict = judge(match.group(1))
        if verdict.asks in (Asks.TEXT, Asks.QUANTITY):
            continue
        span = value_at(text, match.end())
        if span is not None and span.quoted:
            value = text[span.start : span.end]
            if (
                " " not in value
                and withheld(verdict, value)
                and (verdict.asks is not Asks.NOTHING or _a_value(text, match, value))
            ):
                yield Finding(span.start, span.end, verdict.rule)


def _identified(text: str) -> Findings:
    """SQL's clauses that say what somebody is identified by."""
    for match in _IDENTIFIED.finditer(text):
        span = value_at(text, match.end())
        if span is not None and not looks.placeholder(text[span.start : span.end]):
            yield Finding(span.start, span.end, "password")


def _a_value(text: str, match: re.Match[str], value: str) -> bool:
    """Upper case is SQL; in prose ``the password "Email" field`` names a thing."""
    return match.group(1).isupper() or looks.secretish(value)


def _calls(text: str) -> Findings:
    """Arguments of functions that take a secret: ``set_password("…")``, ``login("ann", "…")``."""
    calls = strings = done = 0
    for match in _CALLEE.finditer(text):
        if match.start() < done:
            continue
        name = match.group(1)
        signs_in = _SIGNS_IN.search(name) is not None
        verdict = judge(name)
        if not signs_in and verdict.asks is not Asks.NOTHING:
            continue
        calls += 1
        if calls > MOST_CALLS:
            raise TooMuchWork
        end = text.find(")", match.end(), match.end() + BRACKETS_REACH)
        done = end if end > 0 else match.end() + 512
        for string in STRING.finditer(
            text, match.end(), end if end > 0 else min(len(text), match.end() + 512)
        ):
            group = 1 if string.group(1) is not None else 2
            value = string.group(group)
            strings += 1
            if strings > MOST_MATCHES:
                raise TooMuchWork
            if looks.strong(value) or (
                not signs_in and looks.secretish(value) and " " not in value and not looks.wordy(value)
            ):
                yield Finding(string.start(group), string.end(group), verdict.rule or "password")


def _validation(text: str) -> Findings:
    """A field's name on one line, its bad input on the next, as pydantic prints them."""
    for match in _INPUT_VALUE.finditer(text):
        verdict = judge(match.group(1))
        span = value_at(text, match.end())
        if span is not None and withheld(verdict, text[span.start : span.end]):
            yield Finding(span.start, span.end, verdict.rule)
