"""How often which rule redacted on which surface."""

from __future__ import annotations

import os
import threading
from collections import Counter

_lock = threading.Lock()
_counts: Counter[tuple[str, str]] = Counter()


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
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
