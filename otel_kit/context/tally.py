"""What is counted for real within a piece of work: statements, calls, cache hits, records, exceptions.

Whoever does such a thing calls :func:`count`; whoever wants to know opens a :class:`Tally` around the work. Tallies
nest, and follow the work as the ids do: tasks and threads that carry the context count into the tally of the work
that started them, and into those around it. Where nobody counts, a call costs one look at a context variable.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextvars import ContextVar, Token
from typing import Any

_open: ContextVar[Tally | None] = ContextVar("otel_kit_tally", default=None)

# Kinds of things that the kit's own rooms count.
QUERY, HTTP_CALL = "query", "http_call"
CACHE_HIT, CACHE_MISS = "cache_hit", "cache_miss"
EXCEPTION = "exception"
LOG = "log."  # followed by the level's name in small letters: log.warning


class Tally:
    """Counts of one piece of work; a context manager.

    Attributes:
        counts: how often each kind of thing happened.
        seconds: how long they took together.
    """

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.seconds: dict[str, float] = {}
        self._around: Tally | None = None
        self._lock = threading.Lock()
        self._token: Token[Tally | None] | None = None

    def __enter__(self) -> Tally:
        self._around = _open.get()
        self._token = _open.set(self)
        return self

    def __exit__(self, *exc: object) -> None:
        token, self._token = self._token, None
        if token is not None:
            try:
                _open.reset(token)
            except ValueError:  # left in another context than it was entered, as a generator's may be
                return

    def add(self, kind: str, seconds: float, times: int) -> None:
        """Count here; :func:`count` calls it on every open tally."""
        with self._lock:
            self.counts[kind] = self.counts.get(kind, 0) + times
            if seconds:
                self.seconds[kind] = self.seconds.get(kind, 0.0) + seconds

    def hear(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Take note of one thing with its facts; for tallies that keep more than counts."""


def count(kind: str, seconds: float = 0.0, times: int = 1) -> None:
    """Something happened ``times`` times, and took ``seconds`` in all."""
    tally = _open.get()
    while tally is not None:
        tally.add(kind, seconds, times)
        tally = tally._around


def tell(kind: str, **facts: Any) -> None:
    """Something worth keeping happened: an operation ended, a check failed, a warning was logged."""
    tally = _open.get()
    while tally is not None:
        tally.hear(kind, facts)
        tally = tally._around


def is_counting() -> bool:
    """Whether anybody counts here, for callers that would have to work for a figure."""
    return _open.get() is not None
