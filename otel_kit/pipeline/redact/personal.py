"""Personal data: mail addresses, phones, IBANs, national ids with their checksums, addresses of machines."""

# ruff: noqa: E501  (a row of a table, or a branch of an expression, is a line)

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression
from otel_kit.pipeline.redact.finding import Finding, Findings, bounded
from otel_kit.pipeline.redact.keys import personal as personal_key
from otel_kit.pipeline.redact.values import goes_on, value_at

MOST_ADDRESSES, MOST_IDS, MOST_KEYS = 2_000, 500, 2_000
LONGEST_FRONT = 40
_EMAIL = expression(
    r"(?<![\w.+%/\-])[\w](?:[\w.+%'\-]{0,62}[\w+\-])?(?:@|%40)(?=[\w\-]{1,63}\.)[\w\-]{1,63}(?:\.[\w\-]{1,63}){0,6}\.[^\W\d_][\w\-]{1,24}"
)
_PHONE = expression(
    r"""
    (?<![\w.+\-/])(?:
      (?:\+|00)[1-9]\d{0,2}[ .\-/]?(?:\(0?\d{1,5}\)[ .\-/]?)?\d{1,5}(?:[ .\-/]?\d{2,5}){1,5}
    | \(0\)\d{2,4}[ .\-/]?\d{5,8} | \(0?\d{2,5}\)[ .\-/]?\d{3,5}(?:[ .\-/]?\d{2,5}){0,3}
    | \d{3}([.\-])\d{3}\1\d{4}
    | 0\d{2,4}(?:[ /]\d{3,5}(?:[ \-]?\d{2,5}){1,3}|-\d{5,9})
    )(?![\w\-]|\.\d)
    """,
    re.VERBOSE,
)  # fmt: skip
_IBAN = expression(
    r"(?<![A-Za-z0-9])[A-Z]{2}\d{2}(?:[ \-]?[A-Z0-9]{4}){2,7}(?:[ \-]?[A-Z0-9]{1,3})?(?![A-Za-z0-9])"
)
_IPV4 = expression(r"(?<![\w.\-])(?:\d{1,3}\.){3}\d{1,3}(?![\w\-]|\.\d)")
_IPV6 = expression(r"(?<![\w:.])(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}(?![\w:])")
_VERSION_BEFORE = expression(
    r"(?:version|release|build|v|ver|firmware|==|~=|>=)[ :=]{0,2}$|(?:Chrome|Chromium|CriOS|Edg\w?|OPR|Safari|Electron|Firefox)/$",
    re.IGNORECASE,
)
_PRIVATE_NETS = tuple(
    map(ipaddress.ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "100.64.0.0/10"))
)
_MAC = expression(r"(?<![\w:\-])(?:[0-9A-Fa-f]{2}([:\-]))(?:[0-9A-Fa-f]{2}\1){4}[0-9A-Fa-f]{2}(?![\w:\-])")


def emails(text: str) -> Findings:
    """Mail addresses; not the user of an ssh URL."""
    for match in _EMAIL.finditer(text):
        after = text[match.end() : match.end() + 1]
        if not (match.group().startswith(("git@", "hg@")) and after in (":", "/")):
            yield Finding(match.start(), match.end(), "email")


def phones(text: str) -> Findings:
    """Phone numbers in an international form, or in the groups of a national one."""
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match.group())
        if 8 <= len(digits) <= 15:
            yield Finding(match.start(), match.end(), "phone")


def ibans(text: str) -> Findings:
    """Bank accounts whose checksum (mod 97) holds."""
    for match in _IBAN.finditer(text):
        if iban(match.group()):
            yield Finding(match.start(), match.end(), "iban")


def iban(text: str) -> bool:
    """Whether ISO 13616's checksum holds."""
    bare = re.sub(r"[ \-]", "", text).upper()
    if not 15 <= len(bare) <= 34 or not bare.isalnum():
        return False
    turned = bare[4:] + bare[:4]
    return int("".join(str(int(c, 36)) for c in turned)) % 97 == 1


def addresses(text: str) -> Findings:
    """Addresses of machines in public networks; private ranges and versions stay."""
    colons = text.count(":")
    for pattern, most, may in (
        (_IPV4, MOST_ADDRESSES, text.count(".") >= 3),
        (_IPV6, MOST_ADDRESSES // 4, colons >= 2),
    ):
        for match in bounded(pattern, text, most) if may else ():
            before = text[max(0, match.start() - 10) : match.start()]
            if _public(match.group()) and not _VERSION_BEFORE.search(before):
                yield Finding(match.start(), match.end(), "ip")
    for match in _MAC.finditer(text) if colons >= 5 or text.count("-") >= 5 else ():
        yield Finding(match.start(), match.end(), "mac")


def _public(text: str) -> bool:
    # A clock: "10:00:00" has no colon twice and no letter.
    if ":" in text and "::" not in text and text.count(":") != 7:
        return False
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.is_loopback or address.is_link_local or address.is_unspecified or address.is_multicast:
        return False
    return not any(address in net for net in _PRIVATE_NETS if net.version == address.version)


def _digits(text: str) -> list[int]:
    return [int(c) for c in text if c.isdigit()]


def _ssn(text: str) -> bool:
    area, group, serial = text.split("-")
    return area not in ("000", "666") and area < "900" and group != "00" and serial != "0000"


def _weighted(weights: tuple[int, ...], modulus: int) -> Callable[[str], bool]:
    return lambda text: sum(w * d for w, d in zip(weights, _digits(text), strict=False)) % modulus == 0


def _dni(text: str) -> bool:
    number = text[:-1].upper().replace("X", "0").replace("Y", "1").replace("Z", "2").rstrip("-")
    return "TRWAGMYFPDXBNJZSQVHLCKE"[int(number) % 23] == text[-1].upper()


def _steuer_id(text: str) -> bool:
    digits = _digits(text)
    product = 10
    for digit in digits[:-1]:
        product = ((product + digit - 1) % 10 + 1) * 2 % 11
    return (11 - product) % 10 == digits[-1] and max(map(digits[:-1].count, range(10))) in (2, 3)


def _nir(text: str) -> bool:
    bare = re.sub(r"\s", "", text).upper().replace("2A", "19").replace("2B", "18")
    return 97 - int(bare[:-2]) % 97 == int(bare[-2:])


def _cpf(text: str) -> bool:
    digits = _digits(text)
    if len(set(digits)) == 1:
        return False
    for size in (9, 10):
        check = sum((size + 1 - i) * digits[i] for i in range(size)) * 10 % 11 % 10
        if check != digits[size]:
            return False
    return True


_FISCAL_ODD = dict(
    zip(
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ",
        (1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23),
        strict=True,
    )
)  # fmt: skip


def _codice_fiscale(text: str) -> bool:
    odd = sum(_FISCAL_ODD[c] for c in text[:15:2])
    even = sum(int(c) if c.isdigit() else ord(c) - 65 for c in text[1:15:2])
    return chr((odd + even) % 26 + 65) == text[15]


def _resident_id(text: str) -> bool:
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
    return (
        "10X98765432"[sum(w * int(d) for w, d in zip(weights, text, strict=False)) % 11] == text[-1].upper()
    )


def _national_registry(text: str) -> bool:
    digits = re.sub(r"\D", "", text)
    number, check = int(digits[:9]), int(digits[9:])
    return check in (97 - number % 97, 97 - (2_000_000_000 + number) % 97)


def _personnummer(text: str) -> bool:
    digits = _digits(text)[-10:]
    return sum(sum(divmod(d * (2 - i % 2), 10)) for i, d in enumerate(digits)) % 10 == 0


_PERM = ((0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4))


def _verhoeff(text: str) -> bool:
    """The checksum of Aadhaar: a walk through the dihedral group of ten elements."""
    check, perm = 0, list(range(10))
    for digit in reversed(_digits(text)):
        check = _dihedral(check, perm[digit])
        perm = [perm[_PERM[1][i]] for i in range(10)]
    return check == 0


def _dihedral(a: int, b: int) -> int:
    if a < 5:
        return (a + b) % 5 if b < 5 else (a + b - 5) % 5 + 5
    return (a - 5 - b) % 5 + 5 if b < 5 else (a - b) % 5


_FRONT, _BACK = r"(?<![\w.\-/])(?:", r")(?![\w\-]|\.\d)"
# shape, check. A bare run of digits is no id by itself: those that have one need the key, or their usual groups.
_SHAPES: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("ssn", r"\d{3}-\d{2}-\d{4}", _ssn),
    ("dni", r"(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z]", _dni),
    ("steuer_id", r"[1-9]\d ?\d{3} ?\d{3} ?\d{3}", _steuer_id),
    ("nir", r"[12] ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{3} ?\d{3} ?\d\d", _nir),
    ("cpf", r"\d{3}\.\d{3}\.\d{3}-\d\d", _cpf),
    ("codice_fiscale", r"[A-Z]{6}\d\d[A-EHLMPRST]\d\d[A-Z]\d{3}[A-Z]", _codice_fiscale),
    ("resident_id", r"[1-9]\d{5}(?:19|20)\d\d(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]", _resident_id),
    ("national_registry", r"\d\d\.\d\d\.\d\d-\d{3}\.\d\d", _national_registry),
    ("personnummer", r"(?:19|20)?\d\d(?:0[1-9]|1[0-2])(?:[0-2]\d|3[01])[-+]\d{4}", _personnummer),
    ("nino", r"[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d\d ?\d\d ?\d\d ?[A-D]", lambda text: True),
    ("aadhaar", r"[2-9]\d{3} \d{4} \d{4}", _verhoeff),
    ("pesel", r"\d{2}(?:[02468][1-9]|[13579][0-2])(?:0[1-9]|[12]\d|3[01])\d{5}", _weighted((1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1), 10)),
    ("hetu", r"(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2])\d\d[-+A]\d{3}[0-9A-FHJ-NPR-Y]", lambda t: "0123456789ABCDEFHJKLMNPRSTUVWXY"[int(t[:6] + t[7:10]) % 31] == t[10]),
    ("ahv", r"756\.\d{4}\.\d{4}\.\d\d", _weighted((1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1, 3, 1), 10)),
)  # fmt: skip
_IDS = tuple((rule, expression(_FRONT + shape + _BACK), check) for rule, shape, check in _SHAPES)
_ANY_ID = expression(_FRONT + "|".join(shape for _, shape, _ in _SHAPES) + _BACK)


def national_ids(text: str) -> Findings:
    """National ids whose checksum holds."""
    if not _ANY_ID.search(text):
        return
    for rule, shape, check in _IDS:
        for match in bounded(shape, text, MOST_IDS):
            if check(match.group()):
                yield Finding(match.start(), match.end(), rule)


_KEYED = expression(r"([\w.\-]{1,80})\\{0,3}[\"']?[ ]?[=:][ ]?(?![ :/=])")
_KEY_STEM = expression(
    r"birth|dob|geb|naiss|nacim|name|nom|phone|tel|mobil|ssn|social|passport|iban|add?ress|street|stras|tax|national|licen"
    r"|steuer|dni|nin|nir|cpf|gender|mail|fax"
)


def keyed(text: str, lower: str) -> Findings:
    """Values whose key names personal data: ``dob=1977-…``, ``"first_name": "…"``."""
    done = 0
    for hit in bounded(_KEY_STEM, lower, MOST_KEYS):
        if hit.start() < done:
            continue
        start = _key_start(text, hit.start())
        match = _KEYED.match(text, start)
        done = match.end() if match else hit.end()
        rule = personal_key(match.group(1)) if match else ""
        # "lat=52.5" of a log line is a number like others.
        span = value_at(text, done) if rule and rule != "location" else None
        if span is not None:
            done = max(done, span.end)
            value = text[span.start : span.end]
            if len(value) >= 3 and withheld(rule, value) and (span.quoted or not goes_on(text, span)):
                yield Finding(span.start, span.end, rule)


def _key_start(text: str, position: int) -> int:
    """Where the key begins that has a stem at a position."""
    first = max(0, position - LONGEST_FRONT)
    while position > first and (text[position - 1].isalnum() or text[position - 1] in "_.-"):
        position -= 1
    return position


# Where a phone or an id may begin: in "ORD-2026-000123" nowhere.
_BEGINS = expression(r"(?<![\w.\-/])(?:[+(\d]|[A-Z]{2} ?\d|[A-Z]\d|[A-Z]{6}\d)")
_MANY_DIGITS = expression(r"\d(?:[^\n\d]{0,4}+\d){5}")


# Seven digits close together, six letters with two, three with a dot behind; colons. It begins with what most texts lack.
_ANY = expression(
    r"[0-9:](?:(?<=[0-9])(?:(?:[^0-9\n]{0,3}+[0-9]){6}|[0-9](?<=[a-z]{6}[0-9][0-9])|[0-9][0-9][.\-][0-9])"
    r"|(?<=:)(?::|(?<=[0-9a-f]:)[0-9a-f]))"
)
_ANY_KEY = expression(
    r"(?:birth|dob|geb|naiss|nacim|nam|phon|mobil|ssn|stre|stras|passp)\w{0,10}[\\\"\']{0,3} ?[=:]"
)


def may_be_personal(lower: str) -> bool:
    """Whether anything in a text in lower case can be personal data; mail addresses aside, which are asked for elsewhere."""
    return bool(_ANY.search(lower) or (("=" in lower or ":" in lower) and _ANY_KEY.search(lower)))


def personal(text: str, lower: str) -> Findings:
    """All of it, each behind a cheap question."""
    if "=" in text or ":" in text:
        yield from keyed(text, lower)
    if "@" in text or "%40" in text:
        yield from emails(text)
    if _MANY_DIGITS.search(text):
        yield from ibans(text)
        if _BEGINS.search(text):
            yield from phones(text)
            yield from national_ids(text)
    if "." in text or ":" in text or "-" in text:
        yield from addresses(text)


def withheld(rule: str, value: str) -> bool:
    """Whether a value under a key of personal data is that data, and not a state or a number of something."""
    return not looks.placeholder(value) and (rule != "ip" or _public(value.split(",")[0].strip()))
