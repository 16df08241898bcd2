"""Contain and count: telemetry never breaks its host.

Code of ours that runs inside the program's calls catches ``Exception`` and hands it to :func:`contained`. The error is
counted, and reported on stderr at most once a minute, never through our own pipeline. Importable from everywhere.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Callable

REPORT_EVERY_SECONDS = 60.0

_lock = threading.RLock()  # a signal's handler or a __del__ that fails interrupts its thread also in here
_counts: defaultdict[str, int] = defaultdict(int)
_next_report = 0.0
_reraise = False
_shown: Callable[[str], str] = str


def show_errors_through(shown: Callable[[str], str]) -> None:
    """Have the messages of contained errors pass ``shown``: they may hold values of the program."""
    global _shown
    _shown = shown


def say(sentence: str) -> None:
    """Write one line to stderr, whatever state the program is in.

    Control characters are escaped, so that one sentence is one line.
    """
    line = "".join(c if c.isprintable() else repr(c)[1:-1] for c in sentence)
    # stderr may be None (pythonw), closed, or full: a guest does not complain.
    with contextlib.suppress(Exception):
        stream = sys.stderr
        stream.write(f"otel_kit: {line}\n")
        stream.flush()


def contained(where: str, error: BaseException) -> None:
    """Count an error of ours that must not reach the program.

    Args:
        where: the part that failed, such as ``logs.emit``; the key in :func:`contained_counts`.
        error: what was raised.
    """
    if _reraise:
        raise error
    global _next_report
    now = _now()
    with _lock:
        _counts[where] += 1
        count, due = _counts[where], now >= _next_report
        if due:
            _next_report = now + REPORT_EVERY_SECONDS
    if due:
        say(f"contained an error in {where} ({count} so far): {_one_line(error)}")


def contained_counts() -> dict[str, int]:
    """How many errors were contained so far, by the part that failed."""
    with _lock:
        return dict(_counts)


def reset(*, reraise: bool = False) -> None:
    """Forget all counts. With ``reraise`` contained errors are raised: for our own tests only."""
    global _next_report, _reraise
    with _lock:
        _counts.clear()
        _next_report, _reraise = 0.0, reraise


def _now() -> float:
    try:
        return float(time.monotonic())
    except Exception:  # a test of the program has put something else in its place
        return 0.0


def _one_line(error: BaseException) -> str:
    try:
        text = _shown(str(error))
    except Exception:
        text = "<its message cannot be shown>"
    return f"{type(error).__name__}: {text}"[:300]


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
