"""Room on the stack for frames of ours: a program that recurses as deep as the interpreter allows gets as deep with us.

The interpreter's recursion limit is raised by what our frames take, and set back when they are gone. A program that sets
a limit of its own meanwhile keeps that.
"""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from pathlib import Path
from types import FrameType

# Wrapped calls inside of each other there is more room made, and open coroutines and generators it is looked after.
EVERY_CALLS, EVERY_OPEN = 50, 10
# Frames: what it takes to emit something inside the innermost call, and with what the next ten of them take.
OF_EMITTING, SPARE = 150, 250
DEEP = 0.7  # of the limit
# Before 3.12 a call of a C function counts, too, and cannot be seen; frames that step through a generator make one.
OF_STEPS = 1 if sys.version_info >= (3, 12) else 2
MOST = 4  # times the limit that the program had at first: others raise it, too, and that must not add up
_WRAPPERS, _OURS = "<made>/otel_kit", str(Path(__file__).parents[1])

_lock = threading.RLock()
_wanted: Counter[int] = Counter()


class _Limit:
    first: int | None = None
    normal: int | None = None  # the program's, while there is a higher one
    raised = 0


def for_calls(depth: int) -> int | None:
    """Room for the wrappers of so many calls that run.

    Returns:
        What is to be given back; None where nothing is.
    """
    return _taken(depth + OF_EMITTING)


def for_steps() -> int | None:
    """Room for the frames of ours on this stack, where the stack is nearly as deep as it may be.

    Of coroutines and generators there may be thousands that are open and wait, each on a stack of its own. Limit: 3.12.0 and
    3.12.1 allow 1500 calls of C code inside of each other, of which a step of an async generator takes two, and so does its
    wrapper's; a generator's takes three while it is told of.

    Returns:
        What is to be given back; None where nothing is.
    """
    try:
        deep = _is_deep(int(sys.getrecursionlimit() * DEEP))
        return _taken(_ours() + SPARE) if deep else None
    except RecursionError:
        return None


def _taken(frames: int) -> int | None:
    try:
        take(frames)
    except RecursionError:
        return None
    return frames


if sys.version_info >= (3, 12):

    def _is_deep(frames: int) -> bool:
        return sys._getframemodulename(frames) is not None
else:

    def _is_deep(frames: int) -> bool:
        try:
            sys._getframe(frames)
        except ValueError:
            return False
        return True


def _ours() -> int:
    count = 0
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        file = frame.f_code.co_filename
        count += file.startswith(_WRAPPERS) or file.startswith(_OURS) * OF_STEPS
        frame = frame.f_back
    return count


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
    try:
        _set_limit()
    except RecursionError:  # the stack is too deep for that; whoever gives back next has another try
        return


def _set_limit() -> None:
    limit = sys.getrecursionlimit()
    _Limit.first = _Limit.first or limit
    # Nobody has taken any, or the program has set its own.
    if _Limit.normal is None or limit != _Limit.raised:
        _Limit.normal = limit
    most = max(_wanted, default=0)
    limit = max(min(_Limit.normal + most, _Limit.first * MOST), _Limit.normal)
    sys.setrecursionlimit(limit)
    _Limit.raised = limit
    if not most:
        _Limit.normal = None


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
