"""How requests to this program are watched: one choice for all frameworks, made by the settings."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import lru_cache

from otel_kit.context.debugging import debugging
from otel_kit.instrument._head import Head

Identity = str | Callable[[Head], object] | None

EXCLUDED = (r"^/(health|healthz|healthcheck|livez?|readyz?|ping|metrics|favicon\.ico)/?$",)
"""Paths that are asked for all day long by machines."""


@dataclass(frozen=True)
class Web:
    """What is watched besides the request itself.

    Args:
        access_log: one log record for each request.
        excluded: regular expressions; a path in which one is found has no spans, but is counted.
        request_headers, response_headers: regular expressions; headers with such names are recorded.
        body_bytes: how much of a text body is recorded; 0 for nothing.
        user_id, session_id: a header's name, or a function that is given the request's :class:`Head`.
    """

    access_log: bool = True
    excluded: tuple[str, ...] = EXCLUDED
    request_headers: tuple[str, ...] = ()
    response_headers: tuple[str, ...] = ()
    body_bytes: int = 0
    user_id: Identity = None
    session_id: Identity = None
    _pattern: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)

    def __post_init__(self) -> None:
        joined = "|".join(f"(?:{pattern})" for pattern in self.excluded)
        object.__setattr__(self, "_pattern", re.compile(joined) if joined else None)

    def excludes(self, path: str) -> bool:
        """Whether requests for that path have no spans."""
        return self._pattern is not None and self._pattern.search(path) is not None


class _State:
    web = Web()


def current() -> Web:
    """The choice that holds now."""
    if debugging.body_bytes > _State.web.body_bytes:
        return replace(_State.web, body_bytes=debugging.body_bytes)
    return _State.web


def use(web: Web) -> None:
    """Let another choice hold from the next request on."""
    _State.web = web


@lru_cache(maxsize=64)
def header_pattern(names: tuple[str, ...]) -> re.Pattern[str]:
    """What the whole names of recorded headers match."""
    return re.compile("|".join(f"(?:{name.lower()})" for name in names))
