"""httpx: one client span and one duration per call, sync and async, by hooks of ours on the clients' ``send``.

They are on the classes, so clients made before are seen too, with whatever transport. Redirects and the requests of an
authentication pass through ``_send_single_request``, and stay part of their call.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from otel_kit.instrument._client import Call, begin, call_inside

_lock = threading.Lock()
_originals: list[tuple[type, str, Any]] = []


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    from httpx import AsyncClient, Client

    with _lock:
        if _originals:
            return
        _replace(Client, "send", _send)
        _replace(Client, "_send_single_request", _request)
        _replace(AsyncClient, "send", _send_async)
        _replace(AsyncClient, "_send_single_request", _request_async)


def undo() -> None:
    """Turn it off again."""
    with _lock:
        while _originals:
            owner, name, original = _originals.pop()
            setattr(owner, name, original)


def _replace(owner: type, name: str, watched: Any) -> None:
    # Private since 0.13; without it redirects would be events no more, and nothing else would change.
    original = getattr(owner, name, None)
    if original is not None:
        _originals.append((owner, name, original))
        setattr(owner, name, wraps(original)(watched(original)))


def _send(original: Any) -> Any:
    def send(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        call = begin(request.method, str(request.url), request.headers, [client, request])
        if call is None:
            return original(client, request, *args, **kwargs)
        try:
            response = original(client, request, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        _answered(call, response)
        return response

    return send


def _send_async(original: Any) -> Any:
    async def send(client: Any, request: Any, *args: Any, **kwargs: Any) -> Any:
        call = begin(request.method, str(request.url), request.headers, [client, request])
        if call is None:
            return await original(client, request, *args, **kwargs)
        try:
            response = await original(client, request, *args, **kwargs)
        except BaseException as error:
            call.failed(error)
            raise
        _answered(call, response)
        return response

    return send


def _request(original: Any) -> Any:
    def send_single_request(client: Any, request: Any) -> Any:
        call = _of(client)
        if call is not None:
            _next(call, request)
        response = original(client, request)
        if call is not None:
            call.status = response.status_code
        return response

    return send_single_request


def _request_async(original: Any) -> Any:
    async def send_single_request(client: Any, request: Any) -> Any:
        call = _of(client)
        if call is not None:
            _next(call, request)
        response = await original(client, request)
        if call is not None:
            call.status = response.status_code
        return response

    return send_single_request


def _of(client: Any) -> Call | None:
    call = call_inside()
    return call if call is not None and isinstance(call.maker, list) and call.maker[0] is client else None


def _next(call: Call, request: Any) -> None:
    """The call's own request has all that it needs; another may come first, such as one for a token.

    The maker is marked when the first has passed.
    """
    maker, url = call.maker, str(request.url)
    if isinstance(maker, list) and len(maker) == 2:
        maker.append(request)
        if request is maker[1]:
            return
    else:
        call.resent(call.status, url=url)
    call.goes_on(url, request.headers)


def _answered(call: Call, response: Any) -> None:
    version = response.http_version.removeprefix("HTTP/")
    if response.next_request is not None:
        call.hands_on(response.next_request.headers)
    call.answered(response.status_code, version, response.headers)
