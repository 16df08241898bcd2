"""How often which rule redacted on which surface."""

from __future__ import annotations

import os
import threading
from collections import defaultdict

_lock = threading.RLock()  # a signal's handler or a __del__ that emits interrupts its thread also in here
_counts: defaultdict[tuple[str, str], int] = defaultdict(int)


def count(rule: str, surface: str, times: int = 1) -> None:
    """Count a redaction."""
    with _lock:
        _counts[rule, surface] += times


def redaction_counts() -> dict[tuple[str, str], int]:
    """Redactions since the start of the process, by rule and surface: ``{("dsn", "log"): 3}``."""
    with _lock:
        return dict(_counts)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
