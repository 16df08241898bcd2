"""What a request says before its body, the same for ASGI and WSGI."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

Place = tuple[str, int | None]

METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"})
LONGEST_AUTHORITY = 253 + len(":65535")
_PORTS = {"http": 80, "ws": 80, "https": 443, "wss": 443}


class Head:
    """A request's line, its headers and its two ends.

    Attributes:
        method: as it was sent.
        scheme: http, https, ws or wss.
        path: decoded, with the prefix under which the application is mounted.
        query: as it was sent, without the question mark.
        protocol: HTTP's version, such as ``1.1``.
        client: the caller's address, as far as the server knows it.
        server: address and port that the caller asked for.
        raw: the ASGI scope or the WSGI environ.
    """

    __slots__ = ("_headers", "client", "method", "path", "protocol", "query", "raw", "scheme", "server")

    method: str
    scheme: str
    path: str
    query: str
    protocol: str
    client: str
    server: Place
    raw: Any

    def header(self, name: str) -> str:
        """The header of that lower-case name, empty where there is none."""
        raise NotImplementedError

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers by their lower-case names."""
        raise NotImplementedError


class AsgiHead(Head):
    """Made of an ASGI scope."""

    __slots__ = ()

    def __init__(self, scope: Any) -> None:
        self.raw = scope
        self._headers = dict(scope.get("headers") or ())
        self.method = scope.get("method") or "GET"
        self.scheme = scope.get("scheme") or "http"
        self.path = scope.get("path") or "/"
        self.query = (scope.get("query_string") or b"").decode("latin-1")
        self.protocol = scope.get("http_version") or ""
        self.client = client_of(scope)
        host, server = self.header("host"), scope.get("server") or ("", None)
        self.server = place_of(host, self.scheme) if host else (server[0] or "", server[1])

    def header(self, name: str) -> str:
        """The header of that lower-case name, empty where there is none."""
        value = self._headers.get(name.encode("latin-1"))
        return value.decode("latin-1") if value else ""

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers by their lower-case names."""
        return texts(self.raw.get("headers") or ())


class WsgiHead(Head):
    """Made of a WSGI environ."""

    __slots__ = ()

    def __init__(self, environ: dict[str, Any]) -> None:
        self.raw = environ
        get = environ.get
        self.method = get("REQUEST_METHOD") or "GET"
        self.scheme = get("wsgi.url_scheme") or "http"
        self.path = _unpacked(get("SCRIPT_NAME", "")) + _unpacked(get("PATH_INFO", "")) or "/"
        self.query = get("QUERY_STRING") or ""
        self.protocol = (get("SERVER_PROTOCOL") or "").partition("/")[2]
        self.client = get("REMOTE_ADDR") or ""
        host = get("HTTP_HOST")
        self.server = (
            place_of(host, self.scheme) if host else (get("SERVER_NAME", ""), _port(get("SERVER_PORT")))
        )

    def header(self, name: str) -> str:
        """The header of that lower-case name, empty where there is none."""
        return self.raw.get(_variable(name)) or ""

    @property
    def headers(self) -> Mapping[str, str]:
        """All headers by their lower-case names."""
        return {
            key.removeprefix("HTTP_").replace("_", "-").lower(): str(value)
            for key, value in self.raw.items()
            if key.startswith("HTTP_") or (key in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
        }


def texts(headers: Iterable[tuple[Any, Any]]) -> dict[str, str]:
    """Headers by their lower-case names; one that was sent in parts is joined, as WSGI's servers do."""
    found: dict[str, str] = {}
    for raw_name, raw_value in headers:
        name, value = bytes(raw_name).decode("latin-1").lower(), bytes(raw_value).decode("latin-1")
        found[name] = f"{found[name]}{'; ' if name == 'cookie' else ', '}{value}" if name in found else value
    return found


def client_of(scope: Any) -> str:
    """The caller's address in an ASGI scope."""
    client = scope.get("client")
    return str(client[0] or "") if client else ""


def place_of(authority: str, scheme: str) -> Place:
    """Address and port of a Host header; neither of one that cannot be read, or is longer than a name can be."""
    return _place(authority, scheme) if len(authority) <= LONGEST_AUTHORITY else ("", None)


@lru_cache(maxsize=1024)
def _place(authority: str, scheme: str) -> Place:
    try:
        url = urlsplit(f"//{authority}")
        if not url.hostname or url.path or url.query or url.fragment or url.username is not None:
            return "", None
        return url.hostname, url.port or _PORTS.get(scheme)
    except ValueError:
        return "", None


@lru_cache(maxsize=1024)
def _variable(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"


def _port(text: Any) -> int | None:
    return int(text) if str(text).isdecimal() else None


def _unpacked(text: str) -> str:
    """WSGI's texts are bytes in disguise."""
    return text if text.isascii() else text.encode("latin-1", "replace").decode("utf-8", "replace")
