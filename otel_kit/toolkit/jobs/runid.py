"""Ids of runs: 26 characters that sort by the time they were made (https://github.com/ulid/spec)."""

from __future__ import annotations

import os
import threading
import time

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
LENGTH = 26


class _Last:
    lock = threading.Lock()
    value = 0


def new_id() -> str:
    """A new one. Within a process they only ever grow, also where the clock jumps back."""
    made = (time.time_ns() // 1_000_000) << _RANDOM_BITS | int.from_bytes(os.urandom(_RANDOM_BITS // 8))
    with _Last.lock:
        if made <= _Last.value:
            made = _Last.value + 1
        _Last.value = made
    return _text(made)


def _text(number: int) -> str:
    return "".join(_DIGITS[number >> shift & 31] for shift in range(5 * (LENGTH - 1), -1, -5))


def _after_fork() -> None:
    _Last.lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
