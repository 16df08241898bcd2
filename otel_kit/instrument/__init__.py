"""Signals from libraries that the program uses: one file per library, and nothing is imported for one that it does not.

Special rules of this folder:

- a file serves one library and has ``instrument()`` and ``undo()``; it imports the library inside its functions;
- it never imports its siblings; what they share is in the files with an underscore;
- ``instrument()`` raises ``NotPossibleError`` with the reason and the remedy, which ends up in :func:`report`.

``process`` and ``runtime`` are metrics of the program itself.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Literal

from opentelemetry import context

from otel_kit import _guard
from otel_kit._imports import when_imported
from otel_kit.instrument._contrib import NotPossibleError

if TYPE_CHECKING:
    from types import ModuleType

    from otel_kit.instrument import fastapi, flask, httpx, process, requests, runtime, sqlalchemy

LIBRARIES = ("fastapi", "flask", "httpx", "requests", "sqlalchemy")
"""Each is the name of the library's module and of the file here."""

_METRICS = ("process", "runtime")

__all__ = [
    "LIBRARIES",
    "Report",
    "fastapi",
    "flask",
    "httpx",
    "instrument_all",
    "process",
    "report",
    "requests",
    "runtime",
    "sqlalchemy",
    "start_process_metrics",
    "stop_process_metrics",
    "uninstrument_all",
]

_lock = threading.Lock()
_wanted: frozenset[str] = frozenset()
_on: set[str] = set()
_impossible: dict[str, str] = {}


@dataclass(frozen=True)
class Report:
    """What became of the libraries.

    Args:
        on: emits signals now.
        waiting: is turned on when the program imports it.
        impossible: was found, but cannot be turned on; the reason by the library's name.
    """

    on: tuple[str, ...]
    waiting: tuple[str, ...]
    impossible: Mapping[str, str]


def instrument_all(choice: Literal["auto"] | Sequence[str] = "auto", disabled: Sequence[str] = ()) -> Report:
    """Turn libraries on: those that are imported at once, the others when the program imports them.

    Called again it follows the new choice: what is no longer chosen is turned off, and nothing is doubled.
    It never raises; what is not possible is said in one sentence on stderr and is in the report.

    Args:
        choice: ``auto`` for all of :data:`LIBRARIES`, or names of them; ``()`` for none.
        disabled: names that stay off, as in ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS``; ``*`` is all.

    Returns:
        The state right after, as :func:`report` gives it at any time.
    """
    global _wanted
    names = set(LIBRARIES) if choice == "auto" else {choice} if isinstance(choice, str) else set(choice)
    wanted = set() if "*" in disabled else names - {name.strip() for name in disabled}
    with _lock:
        _impossible.clear()
        _wanted = frozenset(wanted & set(LIBRARIES))
        unwanted = _on - _wanted
    for name in sorted(wanted - set(LIBRARIES)):
        _not_possible(name, f"no library of that name is known; known: {', '.join(LIBRARIES)}")
    for name in sorted(unwanted):
        _turn_off(name)
    for name in sorted(_wanted):
        when_imported(name, lambda name=name: _turn_on(name))  # type: ignore[misc]
    return report()


def uninstrument_all() -> None:
    """Turn everything off again that :func:`instrument_all` turned on, and forget what waits."""
    instrument_all(())


def report() -> Report:
    """What is on, what waits for its import, and what is not possible and why, at this moment."""
    with _lock:
        waiting = _wanted - _on - _impossible.keys()
        return Report(tuple(sorted(_on)), tuple(sorted(waiting)), dict(_impossible))


def start_process_metrics() -> None:
    """Emit the metrics of this process and of Python's garbage collector from now on; a second call does nothing."""
    for name in _METRICS:
        _file(name).start()


def stop_process_metrics() -> None:
    """Emit them no longer."""
    for name in _METRICS:
        _file(name).stop()


def _turn_on(name: str) -> None:
    with _lock:
        if name not in _wanted or name in _on:
            return
        _on.add(
            name
        )  # a claim: no lock is held while modules load, their import locks would deadlock with it
    try:
        _file(name).instrument()
    except NotPossibleError as error:
        _not_possible(name, str(error))
    except Exception as error:
        _not_possible(name, f"{type(error).__name__}: {error}")


def _turn_off(name: str) -> None:
    try:
        _file(name).undo()
    except Exception as error:
        _guard.contained(f"instrument.{name}", error)
    with _lock:
        _on.discard(name)


def _not_possible(name: str, reason: str) -> None:
    with _lock:
        _on.discard(name)
        _impossible[name] = reason
    # An exporter of ours may be the one that imports requests: that is not the program's use of it.
    if not context.get_value("suppress_instrumentation"):
        _guard.say(f"{name} is not instrumented: {reason}")


def _file(name: str) -> ModuleType:
    return import_module(f"otel_kit.instrument.{name}")


def __getattr__(name: str) -> ModuleType:
    if name in LIBRARIES or name in _METRICS:
        return _file(name)
    raise AttributeError(f"module 'otel_kit.instrument' has no attribute {name!r}")
