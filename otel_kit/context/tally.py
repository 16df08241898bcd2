"""What is counted for real within a piece of work: statements, calls, cache hits, records, exceptions.

Whoever does such a thing calls :func:`count`; whoever wants to know opens a :class:`Tally` around the work. Tallies
nest, and follow the work as the ids do: tasks and threads that carry the context count into the tally of the work
that started them, and into those around it. Where nobody counts, a call costs one look at a context variable.

There is no lock in here: each thread counts in a place of its own, so a signal handler, a finalizer or a forked child
that counts waits for nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from threading import get_ident
from typing import Any

_open: ContextVar[Tally | None] = ContextVar("otel_kit_tally", default=None)

# Kinds of things that the kit's own rooms count.
QUERY, HTTP_CALL = "query", "http_call"
CACHE_CALL, CACHE_HIT, CACHE_MISS = "cache_call", "cache_hit", "cache_miss"
RETRY = "retry"
EXCEPTION = "exception"
RECORD = "record"  # told with its facts, from WARNING on
LOG = "log."  # followed by the level's name in small letters: log.warning


class Tally:
    """Counts of one piece of work; a context manager."""

    def __init__(self) -> None:
        self._around: Tally | None = None
        self._over = False
        self._token: Token[Tally | None] | None = None
        self._cells: dict[int, dict[str, list[float]]] = {}  # by thread, by kind: how often, and seconds

    @property
    def counts(self) -> dict[str, int]:
        """How often each kind of thing happened so far."""
        counts: dict[str, int] = {}
        for kind, (times, _) in self._entries():
            counts[kind] = counts.get(kind, 0) + int(times)
        return counts

    @property
    def seconds(self) -> dict[str, float]:
        """How long they took together; kinds that take no time are left out."""
        seconds: dict[str, float] = {}
        for kind, (_, took) in self._entries():
            if took:
                seconds[kind] = seconds.get(kind, 0.0) + took
        return seconds

    def _entries(self) -> list[tuple[str, list[float]]]:
        # Other threads may be at it: list() of a dict is one step, a loop over it is not.
        return [entry for cell in list(self._cells.values()) for entry in list(cell.items())]

    def __enter__(self) -> Tally:
        self._token = self.begin_step()
        return self

    def __exit__(self, *exc: object) -> None:
        token, self._token, self._over = self._token, None, True
        if token is not None:
            _reset(token)

    def begin_step(self) -> Token[Tally | None]:
        """Count from here on, for one step of work that is done in several, such as a generator's.

        Returns:
            What :meth:`end_step` is to be given.
        """
        around = _going_on(_open.get())
        if not _is_in_line(self, around):  # begun inside of itself, its place in the line stays
            self._around = around
        return _open.set(self)

    def end_step(self, token: Token[Tally | None]) -> None:
        """Count no further; there may be another step later."""
        _reset(token)

    def close(self) -> None:
        """There will be no further step."""
        self._over = True

    def add(self, kind: str, seconds: float, times: int) -> None:
        """Count here; :func:`count` calls it on every open tally."""
        cell = self._cells.get(get_ident())
        if cell is None:
            cell = self._cells.setdefault(get_ident(), {})
        entry = cell.get(kind)
        if entry is None:
            cell[kind] = [times, seconds]
        else:
            entry[0] += times
            entry[1] += seconds

    def hear(self, kind: str, facts: Mapping[str, Any]) -> None:
        """Take note of one thing with its facts; for tallies that keep more than counts."""


def _going_on(tally: Tally | None) -> Tally | None:
    """The innermost one that is not over: tasks that each start the next one must not keep a line of all before."""
    while tally is not None and tally._over:
        tally = tally._around
    return tally


def _is_in_line(tally: Tally, step: Tally | None) -> bool:
    while step is not None and step is not tally:
        step._around = _going_on(step._around)
        step = step._around
    return step is tally


def _reset(token: Token[Tally | None]) -> None:
    try:
        _open.reset(token)
    except ValueError:  # left in another context than it was entered, as a generator's may be
        return


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
