"""aiohttp's client: one client span and one duration per call, by a hook of ours on ``ClientSession._request``.

It is on the class, so sessions made before are seen too; contrib's package sees only those made after. The method is
private, and what all of aiohttp's public ones call since its first version.
"""

from __future__ import annotations

import threading
from functools import wraps
from importlib import import_module
from types import SimpleNamespace
from typing import Any

from otel_kit import _guard
from otel_kit.instrument._client import Call, begin, call_inside
from otel_kit.instrument._client_choice import current

_lock = threading.Lock()
_request: Any = None
_redirects: list[Any] = []


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    global _request
    session_class = import_module("aiohttp").ClientSession

    with _lock:
        if _request is not None:
            return
        _request = original = session_class._request

        @wraps(original)
        async def request(session: Any, method: str, url: Any, **kwargs: Any) -> Any:
            call, kwargs = _begun(session, method, url, kwargs)
            if call is None:
                return await original(session, method, url, **kwargs)
            try:
                response = await original(session, method, url, **kwargs)
            except BaseException as error:
                call.failed(error)
                raise
            _answered(call, response)
            return response

        session_class._request = request


def undo() -> None:
    """Turn it off again."""
    global _request
    session_class = import_module("aiohttp").ClientSession

    with _lock:
        if _request is not None:
            session_class._request = _request
            _request = None


def _begun(session: Any, method: str, url: Any, kwargs: dict[str, Any]) -> tuple[Call | None, dict[str, Any]]:
    try:
        headers = session._prepare_headers(kwargs.get("headers"))
        call = begin(method.upper(), _complete(session, url, kwargs.get("params")), headers)
        if call is None:
            return None, kwargs
        if not current().everywhere:
            _follow_redirects(session)
        return call, {**kwargs, "headers": headers}
    except Exception as error:
        # What is wrong with the arguments is said by aiohttp itself, a moment later.
        if type(error).__module__.startswith("otel_kit"):
            _guard.contained("instrument.aiohttp", error)
        return None, kwargs


def _complete(session: Any, url: Any, params: Any) -> str:
    complete = session._build_url(url)
    return str(complete.extend_query(params) if params else complete)


def _follow_redirects(session: Any) -> None:
    """Trace and ids may have to stay behind at a redirect. The signals of a session cost each of its calls a little."""
    if not _redirects:
        _redirects.append(_redirect_signals())
    if _redirects[0] not in session._trace_configs:
        session._trace_configs.append(_redirects[0])


def _redirect_signals() -> Any:
    async def redirected(session: Any, context: SimpleNamespace, params: Any) -> None:
        call = call_inside()
        if call is not None:
            call.goes_on(_target(params.response, params.url), params.headers)

    config = import_module("aiohttp").TraceConfig()
    config.on_request_redirect.append(redirected)
    config.freeze()
    return config


def _target(response: Any, url: Any) -> str:
    location = response.headers.get("Location") or response.headers.get("URI") or ""
    return str(url.join(type(url)(location)))


def _answered(call: Call, response: Any) -> None:
    try:
        for earlier in response.history:
            call.resent(earlier.status, url=_target(earlier, earlier.url))
        version = response.version
        protocol = f"{version.major}.{version.minor}" if version else ""
    except Exception as error:
        _guard.contained("instrument.aiohttp", error)
        protocol = ""
    call.answered(response.status, protocol, response.headers)
