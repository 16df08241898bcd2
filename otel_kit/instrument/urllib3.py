"""urllib3: one client span and one duration per call, by hooks of ours on pool managers and connection pools.

A manager calls a pool, and a pool or a manager calls itself for a retry or a redirect: the outermost is the call. What
requests and others do through urllib3 belongs to their call where they are watched, and is seen here where they are not
(botocore, elasticsearch and many more).
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from otel_kit.instrument import _client_retries
from otel_kit.instrument._client import begin, call_inside, is_suppressed
from otel_kit.instrument._library import used

_lock = threading.Lock()
_originals: dict[type, Any] = {}
_VERSIONS = {10: "1.0", 11: "1.1", 20: "2"}
_PORTS = {"http": 80, "https": 443}


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    from urllib3 import HTTPConnectionPool, PoolManager

    with _lock:
        for owner in () if _originals else (PoolManager, HTTPConnectionPool):
            _originals[owner] = owner.urlopen
            setattr(owner, "urlopen", _watched(owner.urlopen, owner is PoolManager))  # noqa: B010
    _client_retries.watch("urllib3")


def undo() -> None:
    """Turn it off again."""
    with _lock:
        for owner, original in _originals.items():
            setattr(owner, "urlopen", original)  # noqa: B010
        _originals.clear()
    _client_retries.unwatch("urllib3")


def _watched(original: Any, is_manager: bool) -> Any:
    @wraps(original)
    def urlopen(self: Any, method: str, url: str, *args: Any, **kwargs: Any) -> Any:
        inside = call_inside()
        if inside is not None:
            # A manager follows redirects to other hosts; a pool stays where it is.
            if is_manager and inside.maker is self and "headers" in kwargs:
                kwargs["headers"] = headers = _own(kwargs["headers"])
                inside.goes_on(url, headers)
            return original(self, method, url, *args, **kwargs)
        place = 0 if is_manager else 1  # where headers are among the positional arguments
        args, headers = _with_headers(self, args, kwargs, place)
        call = begin(method.upper(), url if is_manager else _absolute(self, url), headers, self)
        if call is None:
            return original(self, method, url, *args, **kwargs)
        used.add("urllib3")
        try:
            response = original(self, method, url, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        protocol = _VERSIONS.get(getattr(response, "version", 0), "")
        call.answered(response.status, protocol, response.headers)
        return response

    return urlopen


def _with_headers(
    owner: Any, args: tuple[Any, ...], kwargs: dict[str, Any], place: int
) -> tuple[tuple[Any, ...], Any]:
    """The arguments with headers of their own: those that were given may be the program's."""
    if is_suppressed():
        return args, None
    if place and len(args) > place:
        headers = _own(args[place] if args[place] is not None else owner.headers)
        return (*args[:place], headers, *args[place + 1 :]), headers
    given = kwargs.get("headers")
    kwargs["headers"] = headers = _own(owner.headers if given is None else given)
    return args, headers


def _own(headers: Any) -> Any:
    from urllib3 import HTTPHeaderDict

    return HTTPHeaderDict(headers)


def _absolute(pool: Any, url: str) -> str:
    if not url.startswith("/"):
        return url
    host = f"[{pool.host}]" if ":" in pool.host else pool.host
    port = f":{pool.port}" if pool.port and pool.port != _PORTS.get(pool.scheme) else ""
    return f"{pool.scheme}://{host}{port}{url}"
