"""URLs: the user's password, hooks and links whose path is the secret, and URLs inside of URLs.

Queries and fragments are ``key=value`` and read by ``pairs``.
"""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

from otel_kit.pipeline.redact import looks
from otel_kit.pipeline.redact.expression import expression, holds, word_set
from otel_kit.pipeline.redact.finding import Finding, Findings, bounded

_USERINFO = expression(
    r"(?<![\w+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,40}:(?://|\\/\\/|%2[fF]%2[fF])([^\s\"'<>/:?#\\]{0,512}):([^\s\"'<>]{1,1024})"
)
_TOKEN_USER = expression(
    r"(?<![\w+.\-])[A-Za-z][A-Za-z0-9+.\-]{1,40}://([^\s\"'<>/@:?#]{8,512}):?@(?=[\w\[])"
)
_ORACLE = expression(
    r"(?:jdbc:oracle:\w{2,6}:|\b(?:sqlplus|impdp|expdp|sqlldr|rman)(?:[ \t]+-\w+)*[ \t]+|oracle://)([\w$#]{1,64})/(\"?)([^\s@\"']{1,128})\2@",
    re.IGNORECASE,
)
_HOST_PORT = expression(r"\d{1,5}(?:[/?#,\]\s]|$)")
_URL = expression(r"(?:https?|wss?|ftp)://([^\s/\"'<>?#]{1,255})(/[^\s\"'<>?#]*)", re.IGNORECASE)
_PATH = expression(r"(?<![\w/.])(/[\w\-./~%:]{8,2048})")
_SEGMENT = expression(r"[^/;,]+")
# The word in front of a path's secret, and hosts whose paths are secrets.
_GUARDS = word_set(
    """
    token tokens reset reset-password password-reset password_reset resetpassword invite invites invitation
    invitations verify verification verify-email confirm confirmation activate activation magic magic-link magiclink
    unsubscribe secret secrets key keys hook hooks webhook webhooks webhookb2 services catch auth login sso share
    shared s3cret access_token api_key apikey session sessions signin sign-in passwordless otp recover recovery
    unlock claim jwt incomingwebhook workflows triggers bot p join accept
    """
)
_RESETS = word_set(
    "reset reset-password password-reset password_reset confirm confirmation activate activation verify invite"
)
_HOOK = expression(
    r"hook|webhook|slack|discord|telegram|zapier|ifttt|pipedream|requestbin|healthchecks|hc-ping|heartbeat|maker\.|chat\.googleapis|office\.com|logic\.azure|n8n",
    re.I,
)
_ENCODED = expression(r"[^\s\"'<>&?=#,;(){}\[\]]*%[0-9A-Fa-f]{2}[^\s\"'<>&?=#;]*")
# "t%3Dab12": what is shorter holds no key with a value.
SHORTEST_ENCODED = 8
_TELLING = expression(r"%(?:3d|3f|3a|40|22|7b|5b|20|0a)", re.IGNORECASE)


def logins(text: str, lower: str) -> Findings:
    """``scheme://user:password@host``: the password; a user that is a token and has no password."""
    if "://" in text or ":\\/\\/" in text or "%3a%2f%2f" in lower:
        for match in bounded(_USERINFO, text):
            end = _password_end(match.group(2))
            if end and not looks.placeholder(match.group(2)[:end]):
                yield Finding(match.start(2), match.start(2) + end, "dsn")
                if _token(match.group(1)):
                    yield Finding(match.start(1), match.end(1), "dsn")
        for match in _TOKEN_USER.finditer(text):
            if _token(match.group(1)):
                yield Finding(match.start(1), match.end(1), "dsn")
    if "@" in text and holds(lower, ("oracle", "sqlplus", "impdp", "expdp", "sqlldr", "rman")):
        for match in _ORACLE.finditer(text):
            yield Finding(match.start(3), match.end(3), "dsn")


def _token(user: str) -> bool:
    return looks.opaque(user, 16, digests=True)


def _password_end(rest: str) -> int:
    """How much of what follows ``user:`` is the password: up to the last @ in front of the host, or 0 for a port."""
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    at = authority.rfind("@")
    if at < 0:
        at = _encoded_at(authority)
    if at >= 0:
        return at
    # An unencoded / ? or # in the password; but host:port/path@x is none.
    if _HOST_PORT.match(rest):
        return 0
    at = rest.find("@")
    return max(at, 0)


def _encoded_at(authority: str) -> int:
    return (
        authority.find("%40")
        if "%40" in authority and not looks.numeric(authority.split("%40")[0]) and "%3A" in authority
        else -1
    )


def paths(text: str, lower: str) -> Findings:
    """Segments of a path that open something: hooks, reset links, invitations."""
    if "://" in text:
        for match in _URL.finditer(text):
            yield from _segments(
                match.group(2),
                match.start(2),
                bool(_HOOK.search(match.group(1)) or "hook" in match.group(2).lower()),
            )
        for match in _FRAGMENT.finditer(text) if "#" in text else ():
            if (
                looks.opaque(match.group(1), 20)
                and "://" in text[max(0, match.start() - 300) : match.start()]
            ):
                yield Finding(match.start(1), match.end(1), "link")
    elif "/" in text:
        for match in _PATH.finditer(text):
            yield from _segments(match.group(1), match.start(1), "hook" in match.group(1).lower())


_FRAGMENT = expression(r"#([\w\-]{20,256})(?![\w=/.])")


def _segments(path: str, offset: int, hook: bool) -> Findings:
    guarded = before = ""
    for match in _SEGMENT.finditer(path):
        segment = match.group()
        guard, dash, rest = segment.partition("-")
        if dash and guard in ("private", "secret", "token", "key") and looks.opaque(rest, 20, digests=True):
            yield Finding(offset + match.start() + len(guard) + 1, offset + match.end(), "link")
        elif _opens(segment, before, hook) or (guarded and _opens(segment, guarded, hook)):
            yield Finding(offset + match.start(), offset + match.end(), "webhook" if hook else "link")
        # Behind "reset" there may be the user's number first.
        guarded, before = before if before in _RESETS and len(segment) <= 8 else "", segment.lower()


def _opens(segment: str, before: str, hook: bool) -> bool:
    if looks.placeholder(segment) or ("." in segment and looks.wordy(segment)):
        return False
    if hook:
        return (
            looks.opaque(segment, 16, digests=True)
            or looks.uuid(segment)
            or (len(segment) >= 20 and looks.random_looking(segment))
            or (len(segment) >= 10 and not looks.hexadecimal(segment) and not looks.wordy(segment))
        )
    if before in _GUARDS:
        return looks.opaque(
            segment,
            16,
            digests=before not in ("share", "shared", "p", "keys", "services", "auth", "login", "join"),
        )
    return False


def encoded(text: str) -> list[tuple[int, int, str]]:
    """Percent-encoded parts whose decoded text may hold keys with values: where they stand, and what they say."""
    if not _TELLING.search(text):
        return []
    return [
        (match.start(), match.end(), unquote(match.group()))
        for match in _ENCODED.finditer(text)
        if match.end() - match.start() >= SHORTEST_ENCODED and _TELLING.search(match.group())
    ]


def encode(text: str) -> str:
    """Percent-encoding again, with the markers left readable."""
    return quote(text, safe="[]:~!*'()")
