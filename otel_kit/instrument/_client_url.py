"""Where a call goes: address and port, and the URL without its user and password."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import urlsplit

_ORIGIN = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://[^/?#]*")
_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
FIRST_EPHEMERAL_PORT = 32768  # of Linux; elsewhere they begin higher


class Place(NamedTuple):
    """An origin.

    Attributes:
        shown: scheme and authority, with user and password as the semantic conventions write them.
        address: the host; an IPv6 address without brackets.
        port: the port, the scheme's where the URL has none.
        counted: whether metrics have the port. Ephemeral ones make a series for each start of a server.
    """

    shown: str
    address: str
    port: int | None
    counted: bool


def described(url: str) -> tuple[str, Place]:
    """The URL as it may be shown, and where it leads. What is in path and query is the redaction's business."""
    origin = _ORIGIN.match(url)
    if origin is None:
        return url, _NOWHERE
    place = _place(origin[0])
    return place.shown + url[origin.end() :], place


_NOWHERE = Place("", "", None, False)


@lru_cache(maxsize=512)
def _place(origin: str) -> Place:
    scheme, _, authority = origin.partition("://")
    _, at, host = authority.rpartition("@")
    shown = f"{scheme}://REDACTED:REDACTED@{host}" if at else origin
    try:
        parts = urlsplit(f"{scheme}://{host}")
        address, port = parts.hostname or "", parts.port or _PORTS.get(scheme.lower())
    except ValueError:
        return Place(shown, host, None, False)
    return Place(shown, address, port, port is not None and port < FIRST_EPHEMERAL_PORT)
