"""urllib3's retries and redirects, told to the call that they belong to; requests works on urllib3, too.

``Retry.increment`` is asked before a request is made again, and only then: a call that succeeds at once pays nothing.
"""

from __future__ import annotations

import threading
from functools import wraps
from typing import Any

from otel_kit import _guard
from otel_kit.instrument._client import call_inside

_lock = threading.Lock()
_users: set[str] = set()
_original: Any = None


def watch(user: str) -> None:
    """Tell of retries as long as somebody wants it.

    Args:
        user: who wants it, to be handed to :func:`unwatch`.
    """
    global _original
    from urllib3.util.retry import Retry

    with _lock:
        _users.add(user)
        if _original is not None:
            return
        _original = original = Retry.increment

        @wraps(original)
        def increment(
            self: Any,
            method: Any = None,
            url: Any = None,
            response: Any = None,
            error: Any = None,
            *args: Any,
            **kwargs: Any,
        ) -> Any:
            # It raises where there is to be no further request.
            following = original(self, method, url, response, error, *args, **kwargs)
            _tell(following)
            return following

        Retry.increment = increment  # type: ignore[method-assign]


def unwatch(user: str) -> None:
    """This one wants it no longer."""
    global _original
    from urllib3.util.retry import Retry

    with _lock:
        _users.discard(user)
        if _users or _original is None:
            return
        Retry.increment, _original = _original, None  # type: ignore[method-assign]


def _tell(following: Any) -> None:
    call = call_inside()
    if call is None:
        return
    try:
        last = following.history[-1]
        call.resent(last.status, last.error, last.redirect_location or "")
    except Exception as error:
        _guard.contained("instrument.client", error)
