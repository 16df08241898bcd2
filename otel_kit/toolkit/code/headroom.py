"""Room on the stack for frames of ours: a program that recurses as deep as the interpreter allows gets as deep with us.

The interpreter's recursion limit is raised by what our frames take, and set back when they are gone. A program that sets
a limit of its own meanwhile keeps that.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter

MOST = 4  # times the limit that the program has


class _Room:
    normal: int | None = None  # the program's limit, while there is a higher one
    raised = 0


_lock = threading.RLock()
_wanted: Counter[int] = Counter()


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
    if _Room.normal is None or limit != _Room.raised:  # nobody has taken any, or the program has set its own
        _Room.normal = limit
    most = max(_wanted, default=0)
    limit = min(_Room.normal + most, _Room.normal * MOST)
    try:
        sys.setrecursionlimit(limit)
    except RecursionError:  # the stack is deeper than that; whoever gives back next has another try
        return
    _Room.raised = limit
    if not most:
        _Room.normal = None


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
