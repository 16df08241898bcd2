"""Imports in threads of our own, which a fork waits for.

A child that is forked while another thread imports a module inherits that module's lock, held by nobody: it hangs when it
imports the same. otel_kit imports late, so it would bring this about in programs that never import in threads.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterator

# A thread that waits for a module which the forking thread is just importing must not be waited for for ever.
PATIENCE = 2.0

_lock = threading.Lock()
_held_for_fork = False


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """No fork takes place inside the block."""
    lock = _lock  # a forked child has another one
    with lock:
        yield


def _before_fork() -> None:
    global _held_for_fork
    _held_for_fork = _lock.acquire(timeout=PATIENCE)


def _after_fork_in_parent() -> None:
    if _held_for_fork:
        _lock.release()


def _after_fork_in_child() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
    )
