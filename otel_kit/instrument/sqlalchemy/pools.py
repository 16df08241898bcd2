"""Connections of a pool: how many are open, idle and in use, who waits, and how long things take.

What is asked for at each collection is read off dictionaries that the pool's events keep; only times are measurements. Taking
a connection has no event before it, so ``Engine.raw_connection`` is wrapped.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter, time, time_ns
from typing import Any
from weakref import WeakSet, ref

from opentelemetry import metrics
from opentelemetry.context import get_value
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import _guard, semconv
from otel_kit.instrument.sqlalchemy.database import Database, database_of
from otel_kit.instrument.sqlalchemy.failure import facts_of, sentence
from otel_kit.instrument.sqlalchemy.figures import SCOPE, figures, tracer
from otel_kit.instrument.sqlalchemy.state import State

KEY = "_otel_kit_pool"
IDLE, USED = "idle", "used"

_lock = threading.RLock()  # connections also come back from within a __del__
_watched: WeakSet[Watched] = WeakSet()


class Watched:
    """One pool.

    Attributes:
        open: records of open connections.
        used: when each record was taken, by the record's identity.
        waiting: one token for each caller that has asked for a connection and has none yet.
        queues: whether a caller may have to wait. Elsewhere, as with SQLite in memory, the times of waiting and use say
            nothing, and are left out: they cost as much as a span.
    """

    def __init__(self, pool: Any, name: str) -> None:
        self.pool = ref(pool)
        self.name = name
        self.attributes = {semconv.DB_CLIENT_CONNECTION_POOL_NAME: name}
        self.open: set[int] = set()
        self.used: dict[int, float] = {}
        self.waiting: set[object] = set()
        self.queues = hasattr(pool, "_max_overflow")


def taking(original: Callable[[Any], Any], watch: Callable[[Any], None]) -> Callable[[Any], Any]:
    """``Engine.raw_connection`` with a watch on it.

    Args:
        original: the method.
        watch: given the engine's dialect, each time.
    """

    def raw_connection(engine: Any) -> Any:
        if not State.on:
            return original(engine)
        watch(engine.dialect)
        watched, token, began = _watched_of(engine), object(), perf_counter()
        watched.waiting.add(token)
        try:
            connection = original(engine)
        except Exception as error:
            _refused(engine, watched, error, perf_counter() - began)
            raise
        finally:
            watched.waiting.discard(token)
        _taken(watched, connection, began)
        return connection

    return raw_connection


def connected(_: Any, record: Any) -> None:
    """A connection was opened. It counts from when it is taken: a listener of the program's may refuse it yet."""
    try:
        if State.on:
            watched = _of_record(record)
            figures().create_time.record(max(0.0, time() - record.last_connect_time), watched.attributes)
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def returned(_: Any, record: Any) -> None:
    """A connection came back to the pool."""
    try:
        watched = _of_record(record)
        began = watched.used.pop(id(record), None)
        if began is not None and watched.queues and State.on:
            figures().use_time.record(perf_counter() - began, watched.attributes)
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def closed(_: Any, record: Any) -> None:
    """A connection was closed, or taken away from the pool for good."""
    try:
        watched = _of_record(record)
        watched.open.discard(id(record))
        watched.used.pop(id(record), None)
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def _taken(watched: Watched, connection: Any, began: float) -> None:
    try:
        now = perf_counter()
        record = connection._connection_record
        watched.open.add(id(record))
        watched.used[id(record)] = now
        if watched.queues:
            figures().wait_time.record(now - began, watched.attributes)
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


def _refused(engine: Any, watched: Watched, failure: Exception, seconds: float) -> None:
    """A span for a connection that could not be had: there is no other trace of it."""
    try:
        if type(failure).__name__ == "TimeoutError" and type(failure).__module__ == "sqlalchemy.exc":
            figures().timeouts.add(1, watched.attributes)
        if get_value("suppress_instrumentation"):
            return
        database: Database = database_of(engine)
        name = f"CONNECT {database.attributes.get(semconv.DB_NAMESPACE, '')}".rstrip()
        attributes = {**database.attributes, **watched.attributes, **facts_of(failure)}
        begun = time_ns() - int(seconds * 1e9)
        span = tracer().start_span(name, None, SpanKind.CLIENT, attributes, start_time=begun)
        span.set_status(StatusCode.ERROR, sentence(failure))
        span.end()
    except Exception as error:
        _guard.contained("instrument.sqlalchemy", error)


# which pool


def _watched_of(engine: Any) -> Watched:
    pool = engine.pool
    return pool.__dict__.get(KEY) or _watch(pool, _name(engine))


def _of_record(record: Any) -> Watched:
    # The events of a pool do not say which pool it is.
    pool = record._ConnectionRecord__pool
    return pool.__dict__.get(KEY) or _watch(pool, getattr(pool, "logging_name", None) or type(pool).__name__)


def _watch(pool: Any, name: str) -> Watched:
    with _lock:
        watched: Watched = pool.__dict__.setdefault(KEY, Watched(pool, name))
        _watched.add(watched)
    return watched


def _name(engine: Any) -> str:
    """The name that the program gave the pool, or the database's address as the specification makes it up; no path."""
    given = getattr(engine.pool, "logging_name", None)
    if given:
        return str(given)
    database = database_of(engine)
    host = database.attributes.get(semconv.SERVER_ADDRESS, "")
    port = database.attributes.get(semconv.SERVER_PORT)
    address = f"{host}:{port}" if port else "" if host.startswith("/") else host
    namespace = database.attributes.get(semconv.DB_NAMESPACE, "")
    return f"{address or database.system}/{namespace}".rstrip("/")


# what is collected


def observe() -> None:
    """Make the instruments that are read at each collection."""
    meter = metrics.get_meter(SCOPE)
    for name, unit, description, read in (
        (semconv.METRIC_DB_CLIENT_CONNECTION_COUNT, "{connection}", "Connections by state.", _count),
        (semconv.METRIC_DB_CLIENT_CONNECTION_MAX, "{connection}", "Most connections that may be open.", _max),
        (
            semconv.METRIC_DB_CLIENT_CONNECTION_IDLE_MAX,
            "{connection}",
            "Most connections that stay open.",
            _idle_max,
        ),
        (
            semconv.METRIC_DB_CLIENT_CONNECTION_PENDING_REQUESTS,
            "{request}",
            "Callers that wait for one.",
            _pending,
        ),
    ):
        meter.create_observable_up_down_counter(name, [_observer(read)], unit, description)


Read = Callable[[Watched], Mapping[str, int]]


def _observer(read: Read) -> Callable[[CallbackOptions], Iterable[Observation]]:
    def observations(_: CallbackOptions) -> Iterable[Observation]:
        return _sums(read) if State.on else []

    return observations


def _sums(read: Read) -> list[Observation]:
    """Pools of the same name are added up: a name is one series."""
    with _lock:
        every = list(_watched)
    sums: Counter[tuple[str, str]] = Counter()
    for watched in every:
        for state, number in read(watched).items():
            sums[watched.name, state] += number
    pool, state_name = semconv.DB_CLIENT_CONNECTION_POOL_NAME, semconv.DB_CLIENT_CONNECTION_STATE
    return [
        Observation(number, {pool: name, state_name: state} if state else {pool: name})
        for (name, state), number in sums.items()
    ]


def _count(watched: Watched) -> dict[str, int]:
    used = len(watched.used)
    return {IDLE: max(0, len(watched.open) - used), USED: used}


def _pending(watched: Watched) -> dict[str, int]:
    return {"": len(watched.waiting)}


def _idle_max(watched: Watched) -> dict[str, int]:
    size = getattr(watched.pool(), "size", None)
    return {"": size()} if callable(size) else {}


def _max(watched: Watched) -> dict[str, int]:
    overflow = getattr(watched.pool(), "_max_overflow", -1)
    return {state: size + overflow for state, size in _idle_max(watched).items() if overflow >= 0}
