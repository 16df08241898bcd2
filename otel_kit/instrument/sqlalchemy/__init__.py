"""SQLAlchemy 2.0 and 2.1, sync and asyncio, Core and ORM: our own hooks on the ``Engine``, ``Connection`` and ``Pool`` classes.

contrib's package is not used: it follows single engines, refuses SQLAlchemy 2.1, and its spans lack rows, durations, transactions
and the table's name. Hooks on the classes see every engine, whenever and by whichever name of ``create_engine`` it was made.

- ``queries``: a span and a measurement per statement · ``statement``: its text without values, and its summary
- ``database``: what is known about an engine's database · ``failure``: what drivers' exceptions say · ``parameters``, ``comment``
- ``transactions`` · ``pools`` · ``slow``: slow queries · ``repeats``: N+1 · ``place``: the program's line
- ``figures``: tracer and instruments · ``state``: on or off
"""

from __future__ import annotations

import functools
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from otel_kit._imports import when_imported
from otel_kit.instrument._contrib import NotPossibleError
from otel_kit.instrument._sql import current, use
from otel_kit.instrument.sqlalchemy import pools, queries, transactions
from otel_kit.instrument.sqlalchemy.state import State

_CONTRIB = "opentelemetry.instrumentation.sqlalchemy"
_lock = threading.Lock()
_installed = False


def instrument(**options: Any) -> None:
    """Turn it on for engines that exist and engines to come; where it is on already only the options change.

    Args:
        options: as for :class:`otel_kit.instrument._sql.Sql`; those that are not given stay as they are.

    Raises:
        NotPossibleError: contrib's instrumentor watches SQLAlchemy already.
        SettingError: an option's value is not valid.
    """
    if options:
        use(replace(current(), **options))
    # Before the lock: whoever waits for the library's import calls this function when it happens.
    import sqlalchemy.pool  # noqa: F401

    with _lock:
        if State.on:
            return
        _claim(True)
        _install()
        State.on = True


def undo() -> None:
    """Turn it off again: nothing is emitted any more, for no engine."""
    with _lock:
        if State.on:
            State.on = False
            _claim(False)


def _claim(ours: bool) -> None:
    """Tell contrib's instrumentor, loaded now or later, that it has nothing to do: each statement has one span."""

    def tell() -> None:
        instrumentor = sys.modules[_CONTRIB].SQLAlchemyInstrumentor()
        if ours and instrumentor.is_instrumented_by_opentelemetry:
            raise NotPossibleError(
                "opentelemetry-instrumentation-sqlalchemy watches it already; leave out SQLAlchemyInstrumentor().instrument()"
            )
        instrumentor._is_instrumented_by_opentelemetry = ours

    if _CONTRIB in sys.modules:
        tell()
    elif ours:
        when_imported(_CONTRIB, lambda: tell() if State.on else None)


def _install() -> None:
    """Add the hooks, once in a process: see ``state`` for why they stay."""
    global _installed
    if _installed:
        return
    from sqlalchemy import event
    from sqlalchemy.engine import Connection, Engine
    from sqlalchemy.pool import Pool

    on_pool: dict[str, Callable[..., None]] = {
        "connect": pools.connected,
        "checkin": pools.returned,
        "close": pools.closed,
        "detach": pools.closed,
    }
    for name, listener in on_pool.items():
        event.listen(Pool, name, listener)
    _wrap(Engine, "raw_connection", functools.partial(pools.taking, watch=queries.watch))
    for name in ("_begin_impl", "_begin_twophase_impl"):
        _wrap(Connection, name, functools.partial(transactions.beginning, watch=queries.watch))
    for name, step in (
        ("_prepare_twophase_impl", "prepare"),
        ("_savepoint_impl", "savepoint"),
        ("_release_savepoint_impl", "release_savepoint"),
        ("_rollback_to_savepoint_impl", "rollback_savepoint"),
    ):
        _wrap(Connection, name, functools.partial(transactions.stepping, name=step))
    for name, outcome in (
        ("_commit_impl", transactions.COMMIT),
        ("_rollback_impl", transactions.ROLLBACK),
        ("_commit_twophase_impl", transactions.COMMIT),
        ("_rollback_twophase_impl", transactions.ROLLBACK),
    ):
        _wrap(Connection, name, functools.partial(transactions.ending, outcome=outcome))
    pools.observe()
    _installed = True


def _wrap(kind: type, name: str, wrapper: Callable[[Any], Any]) -> None:
    original = getattr(kind, name, None)
    if original is not None:
        setattr(kind, name, functools.wraps(original)(wrapper(original)))
