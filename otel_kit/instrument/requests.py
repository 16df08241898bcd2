"""requests: one client span and one duration per call, by a hook of ours on ``Session.send``.

It is on the class, so sessions made before are seen too. A redirect is sent by ``Session.send`` again, and stays part
of its call; so does what urllib3 does below. contrib's package does the same for more than twice the cost, shows
neither redirects nor retries, and hands the trace on to every host.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from otel_kit.instrument import _client_retries
from otel_kit.instrument._client import Call, begin, call_inside

_lock = threading.Lock()
_send: Any = None
_redirect_target: Any = None
_VERSIONS = {10: "1.0", 11: "1.1", 20: "2"}


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    global _send, _redirect_target
    from requests import Session

    with _lock:
        if _send is not None:
            return
        _send = original = Session.send
        _redirect_target = Session.get_redirect_target

        @wraps(original)
        def send(session: Any, request: Any, **kwargs: Any) -> Any:
            inside = call_inside()
            if inside is not None and inside.maker is _maker(request):
                return _once_more(inside, original, session, request, kwargs)
            call = begin(request.method or "", request.url or "", request.headers, _maker(request))
            if call is None:
                return original(session, request, **kwargs)
            try:
                response = original(session, request, **kwargs)
            except BaseException as error:
                call.failed(error)
                raise
            _answered(call, response)
            return response

        setattr(Session, "send", send)  # noqa: B010  (mypy knows that methods are not assigned to)
        setattr(Session, "get_redirect_target", _noted(_redirect_target))  # noqa: B010
    _client_retries.watch("requests")


def undo() -> None:
    """Turn it off again."""
    global _send
    from requests import Session

    with _lock:
        if _send is None:
            return
        setattr(Session, "send", _send)  # noqa: B010
        setattr(Session, "get_redirect_target", _redirect_target)  # noqa: B010
        _send = None
    _client_retries.unwatch("requests")


def _maker(request: Any) -> object:
    """The dict of hooks is handed on, as it is, to the copies of a request that follow a redirect."""
    return getattr(request, "hooks", request)


def _noted(original: Any) -> Any:
    """requests asks each answer of a call where it leads to: that is where their statuses pass by."""

    @wraps(original)
    def get_redirect_target(session: Any, response: Any) -> Any:
        call = call_inside()
        if call is not None:
            call.status = response.status_code
        return original(session, response)

    return get_redirect_target


def _once_more(call: Call, original: Any, session: Any, request: Any, kwargs: dict[str, Any]) -> Any:
    call.resent(call.status, url=request.url or "")
    call.goes_on(request.url or "", request.headers)
    return original(session, request, **kwargs)


def _answered(call: Call, response: Any) -> None:
    protocol = _VERSIONS.get(getattr(response.raw, "version", 0), "")
    if (following := getattr(response, "next", None)) is not None:
        call.hands_on(following.headers)
    call.answered(response.status_code, protocol, response.headers, len(response.history))
