"""Room on the stack for frames of ours: a program that recurses as deep as the interpreter allows gets as deep with us.

The interpreter's recursion limit is raised by what our frames take, and set back when they are gone. A program that sets
a limit of its own meanwhile keeps that.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from contextvars import ContextVar, Token

EVERY = 10  # calls inside of each other
# Frames of ours: of wrappers for each call, and what it takes to emit something inside the innermost one.
OF_CALL, OF_EMITTING = 4, 150
MOST = 4  # times the limit that the program had at first: others raise it, too, and that must not add up

_depth: ContextVar[int] = ContextVar("otel_kit_depth", default=0)
_lock = threading.RLock()
_wanted: Counter[int] = Counter()


class _Limit:
    first: int | None = None
    normal: int | None = None  # the program's, while there is a higher one
    raised = 0


class Room:
    """For one call of a wrapped function; raises the limit once in ten calls that are inside of each other."""

    __slots__ = ("_frames", "_token")

    def __init__(self) -> None:
        depth = _depth.get()
        self._token: Token[int] | None = _depth.set(depth + 1)
        self._frames = depth * OF_CALL + OF_EMITTING if depth and not depth % EVERY else 0
        if self._frames:
            take(self._frames)

    def leave(self) -> None:
        """The call is over. Twice is once."""
        frames, self._frames = self._frames, 0
        if frames:
            give_back(frames)
        token, self._token = self._token, None
        try:
            if token is not None:
                _depth.reset(token)
        except ValueError:  # left in another context than it was entered in, as a task's generators may be
            return


def take(frames: int) -> None:
    """Raise the limit by so many frames, or leave it where somebody has taken more."""
    with _lock:
        _wanted[frames] += 1
        _set()


def give_back(frames: int) -> None:
    """Undo one :func:`take`."""
    with _lock:
        _wanted[frames] -= 1
        if not _wanted[frames]:
            del _wanted[frames]
        _set()


def _set() -> None:
    limit = sys.getrecursionlimit()
    _Limit.first = _Limit.first or limit
    # Nobody has taken any, or the program has set its own.
    if _Limit.normal is None or limit != _Limit.raised:
        _Limit.normal = limit
    most = max(_wanted, default=0)
    limit = max(min(_Limit.normal + most, _Limit.first * MOST), _Limit.normal)
    try:
        sys.setrecursionlimit(limit)
    except RecursionError:  # the stack is deeper than that; whoever gives back next has another try
        return
    _Limit.raised = limit
    if not most:
        _Limit.normal = None


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
