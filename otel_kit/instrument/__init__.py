"""Signals from libraries that the program uses: one file per library, and nothing is imported for one that it does not.

Special rules of this folder:

- a file serves one library and has ``instrument()`` and ``undo()``; it imports the library inside its functions;
- called itself, as in ``otel_kit.instrument.flask(app)``, it is its ``instrument()``;
- it never imports its siblings; what they share is in the files with an underscore;
- ``instrument()`` raises ``NotPossibleError`` with the reason and the remedy, which ends up in :func:`report`.

``process`` and ``runtime`` are metrics of the program itself; ``asgi`` and ``wsgi`` wrap any application. ``_others`` turns
on the instrumentors of others.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value

from otel_kit import _guard
from otel_kit._imports import late, when_imported
from otel_kit.instrument import _client_choice, _loop
from otel_kit.instrument import _others as _others_file
from otel_kit.instrument._client_choice import Client
from otel_kit.instrument._client_template import url_template
from otel_kit.instrument._contrib import NotPossibleError
from otel_kit.instrument._library import callable_file, used
from otel_kit.instrument._web import EXCLUDED, Web, use

if TYPE_CHECKING:
    from otel_kit.instrument._library import Library

    aiohttp: Library
    asgi: Library
    asyncio: Library
    celery: Library
    django: Library
    fastapi: Library
    flask: Library
    httpx: Library
    multiprocessing: Library
    process: Library
    redis: Library
    requests: Library
    runtime: Library
    sqlalchemy: Library
    starlette: Library
    urllib3: Library
    wsgi: Library

LIBRARIES = (
    "aiohttp",
    "asyncio",
    "celery",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "multiprocessing",
    "redis",
    "requests",
    "sqlalchemy",
    "starlette",
    "urllib3",
)
"""Each is the name of the library and of the file here."""

_METRICS = ("process", "runtime")
_WRAPPERS = ("asgi", "wsgi")
# What is waited for, where it is not the library's own name: Starlette is imported for a trifle, too.
_MODULES = {"celery": "celery.app.base", "starlette": "starlette.applications"}
# They emit by themselves: to leave them out they must be told.
_NATIVE = ("fastapi",)
# Our own exporter works with it, too; the file notes when the program does.
_EXPORTERS = "urllib3"
_SQL = "sqlalchemy"
_LEFT = "SQLAlchemy tells of its statements already; name it in instrument to have the driver's spans, too"

__all__ = [
    "EXCLUDED",
    "LIBRARIES",
    "Client",
    "Report",
    "Web",
    "aiohttp",
    "asgi",
    "asyncio",
    "celery",
    "django",
    "fastapi",
    "flask",
    "httpx",
    "instrument_all",
    "instrumentors",
    "multiprocessing",
    "plan",
    "process",
    "redis",
    "report",
    "requests",
    "runtime",
    "sqlalchemy",
    "starlette",
    "start_process_metrics",
    "stop_process_metrics",
    "uninstrument_all",
    "url_template",
    "urllib3",
    "wsgi",
]

_lock = threading.Lock()
_wanted: frozenset[str] = frozenset()
_on: set[str] = set()
_impossible: dict[str, str] = {}
_left: dict[str, str] = {}
_yielding: frozenset[str] = frozenset()
_for_export: set[str] = set()
_entry_points: dict[str, str] = {}
_instrumentors: dict[str, Any] = {}
_silent: set[str] = set()


@dataclass(frozen=True)
class Report:
    """What became of the libraries.

    Args:
        on: emits signals now.
        waiting: is turned on when the program imports it.
        impossible: was found, but cannot be turned on; the reason by the library's name.
        left: was found, and is left off because something else tells the same; the reason by its name.
    """

    on: tuple[str, ...]
    waiting: tuple[str, ...]
    impossible: Mapping[str, str]
    left: Mapping[str, str]


def instrument_all(
    choice: Literal["auto"] | Sequence[str] = "auto",
    disabled: Sequence[str] = (),
    web: Web | None = None,
    client: Client | None = None,
    slow_callback: float | None = None,
) -> Report:
    """Turn libraries on: those that are imported at once, the others when the program imports them.

    Called again it follows the new choice: what is no longer chosen is turned off, and nothing is doubled.
    It never raises; what is not possible is said in one sentence on stderr and is in the report.

    Args:
        choice: ``auto`` for all of :data:`LIBRARIES` and every other installed instrumentor, or names; ``()`` for none.
            With ``auto`` the instrumentors of database drivers are left off in a program that uses SQLAlchemy.
        disabled: names that stay off, as in ``OTEL_PYTHON_DISABLED_INSTRUMENTATIONS``; ``*`` is all. A library that
            emits by itself is made to keep quiet.
        web: how requests are watched; as before where it is None.
        client: how calls to other services are watched; the same.
        slow_callback: seconds after which a callback that holds asyncio's loop up is told, 0 for never; the same.

    Returns:
        The state right after, as :func:`report` gives it at any time.
    """
    global _wanted
    if web is not None:
        use(web)
    if client is not None:
        _client_choice.use(client)
    if slow_callback is not None:
        _loop.use(slow_callback)
    off = {name.strip() for name in disabled}
    known, wanted = _chosen(choice, off)
    _follow(frozenset(wanted & known), _others_file.DRIVERS if choice == "auto" else frozenset())
    for name in sorted(wanted - known):
        _not_possible(name, f"no library of that name is known; known: {', '.join(sorted(known))}")
    _silence(_NATIVE if "*" in off else [name for name in _NATIVE if name in off])
    for module, waiting in _by_module().items():
        when_imported(module, lambda waiting=waiting: _turn_on_all(waiting))  # type: ignore[misc]
    return report()


def uninstrument_all() -> None:
    """Turn everything off again that :func:`instrument_all` turned on, and forget what waits."""
    instrument_all(())


def report() -> Report:
    """What is on, what waits for its import, what is not possible or left off and why, at this moment."""
    with _lock:
        on = _on - (_for_export - used)
        waiting = _wanted - on - _impossible.keys() - _left.keys()
        return Report(tuple(sorted(on)), tuple(sorted(waiting)), dict(_impossible), dict(_left))


def plan(choice: Literal["auto"] | Sequence[str] = "auto", disabled: Sequence[str] = ()) -> Report:
    """What :func:`instrument_all` would make of the libraries that are installed here; nothing is turned on.

    Instrumentors of others are imported to be asked, so this is for people who wait for an answer, not for programs.

    Returns:
        Nothing is on; all that could be turned on is waiting.
    """
    known, wanted = _chosen(choice, {name.strip() for name in disabled})
    found = {name for name in wanted & known if _is_installed(name)}
    left = {name: _LEFT for name in sorted(found) if choice == "auto" and _SQL in found and _is_driver(name)}
    impossible: dict[str, str] = {}
    for name in sorted(found - left.keys() - set(LIBRARIES)):
        try:
            _others_file.try_out(name, _entry_points[name])
        except _others_file.NotInstalledError:
            found.discard(name)
        except Exception as error:
            impossible[name] = _reason(error)
    return Report((), tuple(sorted(found - left.keys() - impossible.keys())), impossible, left)


def instrumentors() -> tuple[str, ...]:
    """The names of all that can be chosen: :data:`LIBRARIES`, and what other installed packages instrument."""
    _entry_points.update(_found_others())
    return tuple(sorted({*LIBRARIES, *_entry_points}))


def start_process_metrics() -> None:
    """Emit the metrics of this process and of Python's garbage collector from now on; a second call does nothing."""
    for name in _METRICS:
        _file(name).start()


def stop_process_metrics() -> None:
    """Emit them no longer."""
    for name in _METRICS:
        _file(name).stop()


def _chosen(choice: str | Sequence[str], off: set[str]) -> tuple[set[str], set[str]]:
    """The names that are known, and those that are wanted."""
    everything = "*" in off
    names = {choice} if isinstance(choice, str) else set(choice)
    # Looking for them costs a millisecond, which a program that chose of ours need not pay.
    if names - {"auto"} - set(LIBRARIES) or (choice == "auto" and not everything):
        _entry_points.update(_found_others())
    known = set(LIBRARIES) | _entry_points.keys()
    names = known if choice == "auto" else names
    return known, set() if everything else names - off


def _follow(wanted: frozenset[str], yielding: frozenset[str]) -> None:
    global _wanted, _yielding
    with _lock:
        _impossible.clear()
        _left.clear()
        _wanted, _yielding = wanted, yielding
        unwanted = _on - _wanted | (_on & _yielding)  # drivers are asked anew
    for name in sorted(unwanted):
        _turn_off(name)


def _is_driver(name: str) -> bool:
    return name in _others_file.DRIVERS and bool(_others_file.module_of(name))


def _is_installed(name: str) -> bool:
    module = _others_file.module_of(name) if name in _entry_points else name
    return not module or _others_file.is_module(module)


def _found_others() -> dict[str, str]:
    try:
        return _entry_points or _others_file.installed()
    except Exception as error:
        _guard.contained("instrument.others", error)
        return {}


def _by_module() -> dict[str, list[str]]:
    """What is wanted, by the module whose import it waits for; ``sys`` where there is nothing to wait for."""
    found: dict[str, list[str]] = {}
    for name in sorted(_wanted):
        module = _others_file.module_of(name) if name in _entry_points else _MODULES.get(name, name)
        found.setdefault(module or "sys", []).append(name)
    return found


def _silence(names: Sequence[str]) -> None:
    for name in names:
        when_imported(name, lambda name=name: _file(name).silence())  # type: ignore[misc]
    with _lock:
        freed = [name for name in _silent if name not in names]
        _silent.clear()
        _silent.update(names)
    for name in freed:
        when_imported(name, lambda: None)
        if name in sys.modules:
            _file(name).undo()


def _turn_on_all(names: Sequence[str]) -> None:
    for name in names:
        _turn_on(name)


def _turn_on(name: str) -> None:
    global _wanted
    with _lock:
        if name not in _wanted or name in _on:
            return
        if name in _entry_points and _others_file.is_loading(_entry_points[name]):
            # Its instrumentor tries the library as it is imported itself; that is not yet the program's use of it.
            return
        if name in _yielding and _SQL in _wanted and _SQL in sys.modules and _is_driver(name):
            _left[name] = _LEFT
            return
        # A claim: no lock is held while modules load, their import locks would deadlock with it.
        _on.add(name)
        if name == _EXPORTERS and get_value(_SUPPRESS_INSTRUMENTATION_KEY):
            _for_export.add(name)
    try:
        if name in LIBRARIES:
            _file(name).instrument()
        else:
            _instrumentors[name] = _others_file.turn_on(name, _entry_points[name])
    except _others_file.NotInstalledError:
        with _lock:
            _on.discard(name)
            _wanted -= {name}
    except Exception as error:
        _not_possible(name, _reason(error))
    if name == _SQL:
        _leave_to_sqlalchemy()


def _leave_to_sqlalchemy() -> None:
    """Its driver was imported first, and is on already."""
    with _lock:
        drivers = sorted(_on & _yielding) if _SQL in _on else []
        _left.update(dict.fromkeys(drivers, _LEFT))
    for name in drivers:
        _turn_off(name)


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, NotPossibleError) else f"{type(error).__name__}: {error}"


def _turn_off(name: str) -> None:
    try:
        if name in LIBRARIES:
            _file(name).undo()
        elif (instrumentor := _instrumentors.pop(name, None)) is not None:
            instrumentor.turn_off()
    except Exception as error:
        _guard.contained(f"instrument.{name}", error)
    with _lock:
        _on.discard(name)


def _not_possible(name: str, reason: str) -> None:
    with _lock:
        _on.discard(name)
        _impossible[name] = reason
    # An exporter of ours may be the one that imports requests: that is not the program's use of it.
    if not get_value(_SUPPRESS_INSTRUMENTATION_KEY):
        _guard.say(f"{name} is not instrumented: {reason}")


def _file(name: str) -> Library:
    return callable_file(late(f"otel_kit.instrument.{name}"))


def __getattr__(name: str) -> Library:
    if name in LIBRARIES or name in _METRICS or name in _WRAPPERS:
        return _file(name)
    raise AttributeError(f"module 'otel_kit.instrument' has no attribute {name!r}")
