"""Secrets that prove themselves: a structure or a checksum says what they are, whatever the key is called."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, holds
from otel_kit.pipeline.redact.finding import Finding, Findings, bounded

_PEM_BEGIN = expression(r"-{4,5} ?BEGIN[ +]([A-Z0-9 +]{0,40}?) ?-{4,5}")
_PEM_SECRET = expression(r"PRIVATE[ +]KEY|SECRET|PGP MESSAGE")
_PEM_END = expression(r"-{4,5} ?END[ +]")
_JWT = expression(
    r"(?<![\w\-])eyJ[\w\-]{6,}+=*\.(?:[\w\-]*+=*\.){1,3}[\w\-]*+=*|(?<![\w\-])eyJ[\w\-]{6,}+=*\.[\w\-]{8,}+",
    re.ASCII,
)
_HASHES = expression(
    r"""
    \$(?:2[abxy]?|1|5|6|7|y|gy|apr1|md5|sha1|sm3|scrypt|argon2(?:id|i|d)|pbkdf2[\w\-]*|bcrypt[\w\-]*|s0|P|H|S)\$
      [A-Za-z0-9./+=,$\-]{12,}+
    | (?<![\w$])(?:pbkdf2_sha(?:256|1)|pbkdf2:sha\d+(?::\d+)?|scrypt:\d+:\d+:\d+|bcrypt_sha256|argon2|scrypt)\$[\w./+=,$\-]{16,}+
    | \{(?:S?SHA(?:256|384|512)?|S?MD5|CRYPT|PBKDF2[\w\-]*|ARGON2)\}[A-Za-z0-9./+=$]{12,}+
    | SCRAM-SHA-(?:1|256)\$\d+:[A-Za-z0-9+/=]+\$[A-Za-z0-9+/=:]+
    """,
    re.VERBOSE,
)
_HASH_MARKS = ("$", "{sha", "{ssha", "{md5", "{smd5", "{crypt", "{pbkdf2", "{argon2")
_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_BASE58_RUN = expression(
    rf"(?<![\w+/=])(?:[5KLc9][{_BASE58}]{{50,51}}|[xyztuv]prv[{_BASE58}]{{100,112}})(?![\w+/=])"
)
_BASIC = expression(r"\b[Bb][Aa][Ss][Ii][Cc][ \t]{1,4}([A-Za-z0-9+/_\-]{6,}+={0,2})")
_BEARER = expression(r"\b(?:[Bb]earer|BEARER)(?:[ \t]{1,4}|%20|\+)([\w\-.~+/%]{6,}+=*)")
_SCHEMES = expression(
    r"\b(?:Negotiate|NTLM|Kerberos|ApiKey|GenieKey|Splunk|DPoP|Token|GoogleLogin)[ \t]{1,4}([A-Za-z0-9+/_\-.]{20,}+={0,2})"
)
_SCHEME_NAMES = (
    "Negotiate",
    "NTLM",
    "Kerberos",
    "ApiKey",
    "GenieKey",
    "Splunk",
    "DPoP",
    "Token",
    "GoogleLogin",
)
_DUMPS = expression(
    r"(?P<ntlm>:[0-9a-fA-F]{32}:(?P<n>[0-9a-fA-F]{32})(?=:::|\b))|\bkey \(0x(?P<k>[0-9a-fA-F]{32,128})\)"
    r"|\bresponse=\"?(?P<r>[0-9a-f]{32,64})\b"
)
_BASE64_RUN = expression(r"(?<![\w+/\-])[A-Za-z0-9+/_\-]{16,}+={0,2}")
# A file of several lines, too.
_READABLE = expression(r"[\t\n\r -~]*")
_USER_PASSWORD = expression(r"[\w.@+\-\\]{0,64}:[\x21-\x7e]{6,}")
_AWS_SECRET = expression(r"(?<![\w+/=])[A-Za-z0-9+/]{40}(?![\w+/=])", re.ASCII)
# Two 13-digit lengths and longer: what separates a card's groups is a space or a dash, and the same one throughout.
_DIGITS_OF_A_CARD = expression(r"\d(?:[ \-]?\d){12}")
_CARD = expression(
    r"(?<![\w.\-+])(?:\d{4}([ \-])\d{4}\1\d{4}\1\d{1,7}|\d{4}([ \-])\d{6}\2\d{4,5}|\d{13,19})(?![\w\-]|\.\d)"
)
_ISSUERS = expression(
    r"""
      4\d{15}
    | 5[1-5]\d{14} | (?:222[1-9]|22[3-9]\d|2[3-6]\d\d|27[01]\d|2720)\d{12}
    | 3[47]\d{13}
    | 3(?:0[0-5]|[689]\d)\d{11}
    | (?:6011|64[4-9]\d|65\d\d)\d{12} | 622\d{13,16} | 62\d{14,17} | 81\d{14}
    | 35(?:2[89]|[3-8]\d)\d{12}
    | (?:5018|5020|5038|5893|6304|6759|676[1-3])\d{12}
    | 220[0-4]\d{12} | 5019\d{12} | 60\d{14} | 9792\d{12} | 50(?:6699|67[0-7]\d|9\d\d\d)\d{10}
    """,
    re.VERBOSE,
)  # fmt: skip


# A certificate has a thousand characters, and 64 kB are looked at.
MOST_BLOCKS = 400


def private_keys(text: str, lower: str) -> Findings:
    """PEM blocks that hold something private, also without their end, and the key files of PuTTY."""
    if "--begin" in lower or "-- begin" in lower:
        done, closed = 0, True
        for match in bounded(_PEM_BEGIN, text, MOST_BLOCKS):
            if match.start() >= done and _PEM_SECRET.search(match.group(1)):
                end = _PEM_END.search(text, match.end()) if closed else None
                closed = end is not None
                # Cut off: everything from here on is key, except what a quote closes.
                stop = end.start() if end else _unfinished(text, match.end())
                yield Finding(match.end(), stop, "private_key")
                done = stop
    start = lower.find("private-lines:")
    if start >= 0:
        yield Finding(start + len("private-lines:"), len(text), "private_key")


_BODY = expression(r"(?:[A-Za-z0-9+/=\s\\.…]|Proc-Type:[^\n]*|DEK-Info:[^\n]*|Version:[^\n]*|[-,:])*+")


def _unfinished(text: str, start: int) -> int:
    match = _BODY.match(text, start)
    return match.end() if match else start


def json_web_tokens(text: str, lower: str) -> Findings:
    """Tokens of two to five base64 parts whose first is a JSON object, as JOSE headers are."""
    if "eyj" in lower:
        for match in _JWT.finditer(text):
            if _json_header(match.group().partition(".")[0]):
                yield Finding(match.start(), match.end(), "jwt")


def _json_header(part: str) -> bool:
    try:
        return isinstance(
            json.loads(_unbase64(part[: len(part) - len(part) % 4] if len(part) > 400 else part)), dict
        )
    except ValueError:
        # A cut or mangled header still begins like one.
        return len(part) >= 16


def password_hashes(text: str, lower: str) -> Findings:
    """Hashes of passwords in the forms of crypt, LDAP, Django, Werkzeug and PostgreSQL."""
    if any(mark in lower for mark in _HASH_MARKS):
        for match in _HASHES.finditer(text):
            yield Finding(match.start(), match.end(), "password_hash")


def base58_keys(text: str) -> Findings:
    """Private keys of wallets: base58 with a checksum of four bytes."""
    for match in _BASE58_RUN.finditer(text):
        if _base58_check(match.group()):
            yield Finding(match.start(), match.end(), "wallet")


def _base58_check(text: str) -> bool:
    number = 0
    for letter in text:
        number = number * 58 + _BASE58.index(letter)
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    digest = hashlib.sha256(hashlib.sha256(data[:-4]).digest()).digest()
    return digest[:4] == data[-4:]


def authorizations(text: str, lower: str) -> Findings:
    """``Basic`` and ``Bearer`` with what follows, wherever they stand."""
    if "basic" in lower:
        for match in _BASIC.finditer(text):
            if ":" in decoded(match.group(1)):
                yield Finding(match.start(1), match.end(1), "basic")
    if "bearer" in lower:
        for match in _BEARER.finditer(text):
            token = match.group(1).rstrip(".")
            if (
                not looks.wordy(token)
                and not looks.placeholder(token)
                and (len(token) >= 16 or looks.strong(token))
            ):
                yield Finding(match.start(1), match.start(1) + len(token), "bearer")


def credentials_of_schemes(text: str) -> Findings:
    """What follows the name of an HTTP scheme, and the hashes that tools for Windows and Kerberos print."""
    for match in _SCHEMES.finditer(text) if holds(text, _SCHEME_NAMES) else ():
        if looks.opaque(match.group(1), 20):
            yield Finding(match.start(1), match.end(1), "authorization")
    for match in _DUMPS.finditer(text) if ":::" in text or "key (0x" in text or "response=" in text else ():
        group = next(name for name in ("n", "k", "r") if match.group(name))
        yield Finding(match.start(group), match.end(group), "password_hash")


def encoded_logins(text: str) -> Findings:
    """Base64 of ``user:password``, without any word that says so."""
    for match in _BASE64_RUN.finditer(text):
        run = match.group()
        if len(run) <= 400 and not looks.hexadecimal(run) and (plain := decoded(run)):
            user, colon, password = plain.partition(":")
            if colon and _USER_PASSWORD.fullmatch(plain) and not user.isdigit() and looks.strong(password):
                yield Finding(match.start(), match.end(), "basic")


def aws_secret_beside_its_id(text: str, found: list[Finding]) -> Findings:
    """The 40 characters that belong to an access key id in the same text."""
    if any(finding.rule == "aws" for finding in found):
        for match in _AWS_SECRET.finditer(text):
            if looks.opaque(match.group(), 40):
                yield Finding(match.start(), match.end(), "aws")


_DER = expression(
    r"(?<![\w+/\-])M[A-Za-z0-9+/_\-]{39,}={0,2}(?:(?:\\r|\\n|\s){1,8}[A-Za-z0-9+/]{16,}={0,2})*"
)
_OPENSSH = "b3BlbnNzaC1rZXktdj"
_PBES2 = bytes.fromhex("06092a864886f70d0105")


def der_keys(text: str) -> Findings:
    """Private keys in base64 without the armour of PEM, by their structure in ASN.1; the same of OpenSSH."""
    if "M" in text:
        for match in _DER.finditer(text):
            if _private_der(match.group()[:64]):
                yield Finding(match.start(), match.end(), "private_key")
    start = text.find(_OPENSSH)
    if start >= 0:
        yield Finding(start, _unfinished(text, start), "private_key")


def _private_der(head: str) -> bool:
    """A sequence that begins with the version of a key (PKCS #1, SEC 1, PKCS #8, PKCS #12), or an encrypted PKCS #8."""
    try:
        data = _unbase64(head[: len(head) - len(head) % 4])
    except ValueError:
        return False
    inside = data[2 + (data[1] & 0x7F if data[1] & 0x80 else 0) :]
    version = inside[:2] == b"\x02\x01" and inside[2] in (0, 1, 3) and inside[3] in (0x02, 0x04, 0x30)
    return data[0] == 0x30 and (version or (inside[:1] == b"\x30" and inside[2:12] == _PBES2))


def decoded(run: str) -> str:
    """The printable ASCII text that a base64 run holds, or an empty string."""
    try:
        data = _unbase64(run)
    except ValueError:
        return ""
    # SMTP's AUTH PLAIN separates with NUL.
    text = data.strip(b"\0").replace(b"\0", b":").decode("latin-1")
    return text if text.isascii() and _READABLE.fullmatch(text) else ""


def _unbase64(run: str) -> bytes:
    bare = run.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def cards(text: str) -> Findings:
    """Card numbers: an issuer's first digits, a length of that issuer and Luhn's checksum."""
    for match in bounded(_CARD, text) if _DIGITS_OF_A_CARD.search(text) else ():
        if card(re.sub(r"\D", "", match.group())):
            yield Finding(match.start(), match.end(), "card")


def card(digits: str) -> bool:
    """Whether digits are a card number of a known issuer."""
    return _ISSUERS.fullmatch(digits) is not None and luhn(digits) and len(set(digits)) > 1


_DOUBLED = (0, 2, 4, 6, 8, 1, 3, 5, 7, 9)


def luhn(digits: str) -> bool:
    """Whether Luhn's checksum holds: from the right, each second digit doubled, the sum divisible by ten."""
    values = [int(digit) for digit in reversed(digits)]
    return (sum(values[::2]) + sum(_DOUBLED[value] for value in values[1::2])) % 10 == 0
