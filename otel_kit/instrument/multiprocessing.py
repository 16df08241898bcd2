"""multiprocessing: ids and the current span follow into processes, into pools and into ``ProcessPoolExecutor``.

A forked child has them anyway. One that is spawned gets them with the process object; a job of a pool brings its own,
because workers serve whoever comes. Nothing is emitted here: a child emits when it has telemetry of its own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from importlib import import_module
from typing import Any

from otel_kit._imports import when_imported
from otel_kit.instrument._luggage import Carried, Held, packed

# Where jobs come in; the job is the first argument.
_JOBS = {
    "multiprocessing.pool": ("Pool", ("apply_async", "_map_async", "imap", "imap_unordered")),
    "concurrent.futures.process": ("ProcessPoolExecutor", ("submit",)),
}
_lock = threading.Lock()
_on = False
_originals: list[tuple[type, str, Any, Any]] = []


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    global _on
    with _lock:
        if _on:
            return
        _on = True
    from multiprocessing.process import BaseProcess

    _replace(BaseProcess, "start", _starting)
    for module, (name, methods) in _JOBS.items():
        when_imported(module, lambda module=module, name=name, methods=methods: _watch(module, name, methods))  # type: ignore[misc]


def undo() -> None:
    """Turn it off again."""
    global _on
    with _lock:
        _on = False
        while _originals:
            owner, name, original, ours = _originals.pop()
            # Somebody may have wrapped it meanwhile; ours passes through then.
            if getattr(owner, name) is ours:
                setattr(owner, name, original)


def _watch(module: str, name: str, methods: tuple[str, ...]) -> None:
    owner = getattr(import_module(module), name)
    for method in methods if _on else ():
        if hasattr(owner, method):
            _replace(owner, method, _submitting)


def _replace(owner: type, name: str, watched: Callable[[Any], Any]) -> None:
    original = getattr(owner, name)
    ours = wraps(original)(watched(original))
    _originals.append((owner, name, original, ours))
    setattr(owner, name, ours)


def _starting(original: Any) -> Any:
    def start(process: Any, *args: Any, **kwargs: Any) -> Any:
        if _on:
            process._otel_kit_luggage = Held(packed())
        try:
            return original(process, *args, **kwargs)
        finally:
            vars(process).pop("_otel_kit_luggage", None)

    return start


def _submitting(original: Any) -> Any:
    def submit(pool: Any, /, *args: Any, **kwargs: Any) -> Any:
        if _on and args:
            args = (Carried(args[0], packed()), *args[1:])
        elif _on and "func" in kwargs:  # pools take the job by name, too
            kwargs["func"] = Carried(kwargs["func"], packed())
        return original(pool, *args, **kwargs)

    return submit
