"""Which runs are open in this process, and what the processes that it starts learn of the innermost one: by environment."""

from __future__ import annotations

import os
import threading
from urllib.parse import quote

from otel_kit import semconv
from otel_kit.context.within import within

VARIABLE = "OTEL_KIT_RUN_ID"
RESOURCE = "OTEL_RESOURCE_ATTRIBUTES"

_lock = threading.RLock()
_open: list[str] = []
_before: dict[str, str | None] = {}


def surrounding() -> str | None:
    """The run that started this process."""
    return (_before.get(VARIABLE) if _open else os.environ.get(VARIABLE)) or None


def opened(run_id: str) -> None:
    """A run begins: what is started from now on belongs to it."""
    with _lock:
        if not _open:
            _before.update({name: os.environ.get(name) for name in (VARIABLE, RESOURCE)})
        _open.append(run_id)
        os.environ.update(environment(run_id, _before.get(RESOURCE)))
    within.now(run_id)


def closed(run_id: str) -> None:
    """A run is over."""
    with _lock:
        if run_id in _open:
            _open.remove(run_id)
        if _open:
            os.environ.update(environment(_open[-1], _before.get(RESOURCE)))
        else:
            _restore()
        now = os.environ.get(VARIABLE)
    within.now(now)


def _restore() -> None:
    for name, value in _before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def environment(run_id: str, resource: str | None) -> dict[str, str]:
    """The variables that a process of this run is given.

    Args:
        run_id: the run's.
        resource: the resource attributes that it has already.
    """
    # Any program that speaks OpenTelemetry reads the second one, in whatever language.
    pairs = [
        pair for pair in (resource or "").split(",") if pair and not pair.startswith(f"{semconv.RUN_ID}=")
    ]
    return {VARIABLE: run_id, RESOURCE: ",".join([*pairs, f"{semconv.RUN_ID}={quote(run_id)}"])}


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
