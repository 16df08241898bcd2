"""Our place at ``sys.monitoring``, which Python has from 3.12 on: one tool, taken while somebody uses it.

The places of debuggers, coverage and profilers are left to them.
"""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

from otel_kit import _guard

PLACES = (4, 3)
NAME = "otel_kit"

# ``Any``, because Python 3.11 does not have it.
monitoring: Any = getattr(sys, "monitoring", None)


class _Tool:
    number: int | None = None
    users = 0


_lock = threading.RLock()


def take() -> int | None:
    """The number of our tool; None where there is no ``sys.monitoring`` or no place at it."""
    if monitoring is None:
        return None
    with _lock:
        if _Tool.number is None:
            _Tool.number = next((place for place in PLACES if _took(place)), None)
        if _Tool.number is None:
            _guard.say("other tools have both free places at sys.monitoring: nothing can be watched there")
            return None
        _Tool.users += 1
        return _Tool.number


def give_back() -> None:
    """Undo one :func:`take`."""
    with _lock:
        _Tool.users -= 1
        if not _Tool.users and _Tool.number is not None:
            monitoring.free_tool_id(_Tool.number)
            _Tool.number = None


def _took(place: int) -> bool:
    try:
        monitoring.use_tool_id(place, NAME)
    except ValueError:
        return False
    return True


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
