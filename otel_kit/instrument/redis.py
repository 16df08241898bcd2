"""redis-py: a span and a duration for each command and each pipeline, and whether reads found something.

Neither keys nor values are recorded, only how many there were. Hooks of ours on the clients' public methods, sync,
asyncio and cluster; contrib's package has neither durations nor hits. redis-py 8 has metrics of its own: those of
connections and errors are switched on, its durations are not, because ours lead to the trace.
"""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import wraps
from importlib import import_module
from inspect import iscoroutinefunction
from time import perf_counter
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation import _SPAN_KEY

from otel_kit import _guard, semconv
from otel_kit.context import tally
from otel_kit.context.described import brief_of
from otel_kit.instrument._instruments import Instruments

SECONDS = (0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0)
MOST_SHOWN = 20  # commands of a pipeline, and arguments of a command, in the text of the query
FIRST_EPHEMERAL_PORT = 32768

_READS = frozenset(("GET", "GETEX", "GETDEL", "HGET", "MGET", "HMGET", "JSON.GET", "JSON.MGET"))
_SEVERAL = frozenset(("MGET", "HMGET", "JSON.MGET"))
_STATUS = re.compile(r"[A-Z]{3,}\b")
_OF_PIPELINE = re.compile(r"\A(Command # \d+ \(\S*).*\) of pipeline caused error: ", re.DOTALL)
LONGEST_NAME = 64
# Commands whose first word says little: the second one belongs to the name.
_FAMILIES = frozenset(
    ("ACL", "CLIENT", "CLUSTER", "CONFIG", "FUNCTION", "LATENCY", "MEMORY", "MODULE", "OBJECT", "SCRIPT", "XGROUP", "XINFO")
)  # fmt: skip
_PLACES = (
    ("redis.client", "Redis", "execute_command"),
    ("redis.client", "Pipeline", "execute"),
    ("redis.client", "Pipeline", "immediate_execute_command"),
    ("redis.asyncio.client", "Redis", "execute_command"),
    ("redis.asyncio.client", "Pipeline", "execute"),
    ("redis.asyncio.client", "Pipeline", "immediate_execute_command"),
    ("redis.cluster", "RedisCluster", "execute_command"),
    ("redis.cluster", "ClusterPipeline", "execute"),
    ("redis.asyncio.cluster", "RedisCluster", "execute_command"),
    ("redis.asyncio.cluster", "ClusterPipeline", "execute"),
)
_lock = threading.Lock()
_originals: list[tuple[type, str, Any]] = []
_emitted = Instruments("otel_kit.redis")
_runtime = otel_context._RUNTIME_CONTEXT
_SUPPRESSED = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    with _lock:
        for module, name, method in () if _originals else _PLACES:
            owner = getattr(import_module(module), name, None)
            original = vars(owner).get(method) if owner is not None else None
            if owner is not None and original is not None:
                _originals.append((owner, method, original))
                setattr(owner, method, _watched(original, whole=method == "execute"))
    _switch_on_own_metrics()


def undo() -> None:
    """Turn it off again; redis-py's own metrics stay, they cannot be taken back."""
    with _lock:
        while _originals:
            owner, method, original = _originals.pop()
            setattr(owner, method, original)


def _switch_on_own_metrics() -> None:
    try:
        observability = import_module("redis.observability")
    except ImportError:  # redis-py before 8
        return
    try:
        found = observability.get_observability_instance()
        if not found.is_enabled():
            # It logs that it was switched on, then and at its first figures, which the program did not ask for.
            logger = logging.getLogger("redis.observability")
            logger.setLevel(logger.level or logging.WARNING)
            found.init(observability.OTelConfig())
    except Exception as error:
        _guard.contained("instrument.redis", error)


def _watched(original: Any, *, whole: bool) -> Any:
    if iscoroutinefunction(original):

        @wraps(original)
        async def watched_async(client: Any, *args: Any, **kwargs: Any) -> Any:
            operation = _begun(client, args, whole)
            if operation is None:
                return await original(client, *args, **kwargs)
            try:
                result = await original(client, *args, **kwargs)
            except BaseException as error:
                operation.failed(error)
                raise
            operation.done(result)
            return result

        return watched_async

    @wraps(original)
    def watched(client: Any, *args: Any, **kwargs: Any) -> Any:
        operation = _begun(client, args, whole)
        if operation is None:
            return original(client, *args, **kwargs)
        try:
            result = original(client, *args, **kwargs)
        except BaseException as error:
            operation.failed(error)
            raise
        operation.done(result)
        return result

    return watched


def _begun(client: Any, args: tuple[Any, ...], whole: bool) -> _Operation | None:
    try:
        context = _runtime.get_current()
        if any(context.get(key) for key in _SUPPRESSED):
            return None
        commands: list[Sequence[Any]] = [_arguments(item) for item in _stack(client)] if whole else [args]
        return _Operation(context, client, commands, whole) if commands else None
    except Exception as error:
        _guard.contained("instrument.redis", error)
        return None


class _Operation:
    """One command, or all those of a pipeline."""

    __slots__ = ("_begun", "_commands", "_counted", "_span", "_token", "_whole")

    def __init__(self, context: Context, client: Any, commands: list[Sequence[Any]], whole: bool) -> None:
        self._commands, self._whole = commands, whole
        name = _batch_name(client) if whole else command_name(commands[0])
        self._counted = {
            semconv.DB_SYSTEM_NAME: "redis",
            semconv.DB_OPERATION_NAME: name,
            **_place(client),
        }
        given: dict[str, Any] = {**self._counted, semconv.DB_QUERY_TEXT: _text(commands)}
        if whole and len(commands) > 1:  # a batch of one is none, say the conventions
            given[semconv.DB_OPERATION_BATCH_SIZE] = len(commands)
        self._span = _emitted.tracer().start_span(
            name, context=context, kind=SpanKind.CLIENT, attributes=given
        )
        if self._counted.get(semconv.SERVER_PORT, 0) >= FIRST_EPHEMERAL_PORT:
            del self._counted[semconv.SERVER_PORT]  # each start of a server would make a series
        self._token = _runtime.attach(Context({**context, _SPAN_KEY: self._span}))
        self._begun = perf_counter()

    def done(self, result: Any) -> None:
        """The server answered."""
        try:
            results = result if self._whole else [result]
            for command, found in zip(self._commands, results, strict=False):
                self._look_up(command_name(command), found)
        except Exception as error:
            _guard.contained("instrument.redis", error)
        self._over()

    def failed(self, error: BaseException) -> None:
        """It did not, or it refused; the caller raises the error on, and who lets it out tells of it."""
        try:
            kind = self._counted[semconv.ERROR_TYPE] = _type_name(error)
            if isinstance(error, Exception):
                self._span.set_attributes({semconv.ERROR_TYPE: kind, **brief_of(error)})
                message = _message(error)
                status = _STATUS.match(_OF_PIPELINE.sub("", message))
                if status:
                    self._span.set_attribute(semconv.DB_RESPONSE_STATUS_CODE, status[0])
                facts = {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_MESSAGE: message}
                self._span.add_event(semconv.EVENT_EXCEPTION, facts)
                self._span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {message}")
            elif type(error).__name__ == "CancelledError":
                self._span.set_attribute(semconv.EVENT_CANCELLED, True)
        except Exception as problem:
            _guard.contained("instrument.redis", problem)
        self._over()

    def _look_up(self, name: str, found: Any) -> None:
        if name not in _READS or isinstance(found, Exception):
            return
        items = found if isinstance(found, list) and name in _SEVERAL else [found]
        hits = sum(item is not None for item in items)
        lookups = _emitted.counter(
            semconv.METRIC_CACHE_LOOKUPS, "{lookup}", "Values that were looked for in a cache."
        )
        results = (("hit", tally.CACHE_HIT, hits), ("miss", tally.CACHE_MISS, len(items) - hits))
        for result, kind, count in results:
            if count:
                lookups.add(count, {semconv.DB_SYSTEM_NAME: "redis", semconv.CACHE_RESULT: result})
                tally.count(kind, times=count)

    def _over(self) -> None:
        try:
            duration = _emitted.histogram(
                semconv.METRIC_DB_CLIENT_OPERATION_DURATION,
                "Duration of database client operations.",
                SECONDS,
            )
            took = perf_counter() - self._begun
            duration.record(took, self._counted)
            tally.count(tally.CACHE_CALL, took)
            self._span.end()
        except Exception as error:
            _guard.contained("instrument.redis", error)
        with suppress(ValueError):  # a coroutine that was closed in another contextvars context
            _runtime.detach(self._token)


def command_name(arguments: Sequence[Any]) -> str:
    """The command in capitals: ``GET``, ``CONFIG SET``."""
    first = arguments[0]
    words = (first.decode("ascii", "replace") if isinstance(first, bytes) else str(first)).upper().split()
    if not words:
        return "UNKNOWN"
    if words[0] in _FAMILIES and len(words) == 1 and len(arguments) > 1 and isinstance(arguments[1], str):
        words.append(arguments[1].upper())
    return " ".join(words[: 2 if words[0] in _FAMILIES else 1])[:LONGEST_NAME]


def _arguments(item: Any) -> Sequence[Any]:
    """Of a pipeline's entry: a pair of arguments and options, or in a cluster an object."""
    arguments: Sequence[Any] = item.args if hasattr(item, "args") else item[0]
    return arguments


def _stack(client: Any) -> Sequence[Any]:
    strategy = getattr(client, "_execution_strategy", None)
    stack: Sequence[Any] = (
        getattr(client, "command_stack", None) or getattr(strategy, "_command_queue", None) or ()
    )
    return stack


def _batch_name(client: Any) -> str:
    is_transaction = getattr(client, "is_transaction", None)  # asyncio's
    if is_transaction is None:
        is_transaction = getattr(client, "transaction", False)
    return "MULTI" if is_transaction is True or getattr(client, "explicit_transaction", False) else "PIPELINE"


def _place(client: Any) -> dict[str, Any]:
    options = getattr(getattr(client, "connection_pool", None), "connection_kwargs", None) or {}
    found: dict[str, Any] = {}
    if "db" in options:
        found[semconv.DB_NAMESPACE] = str(options["db"] or 0)
    if address := options.get("host") or options.get("path"):
        found[semconv.SERVER_ADDRESS] = str(address)
        if isinstance(options.get("port"), int) and "host" in options:
            found[semconv.SERVER_PORT] = options["port"]
    return found


def _text(commands: list[Sequence[Any]]) -> str:
    shown = [" ".join(_words(arguments)) for arguments in commands[:MOST_SHOWN]]
    return "; ".join([*shown, "…"] if len(commands) > MOST_SHOWN else shown)


def _words(arguments: Sequence[Any]) -> Iterator[str]:
    name = command_name(arguments)
    yield name
    rest = len(arguments) - len(name.split()) if name.split()[0] in _FAMILIES else len(arguments) - 1
    yield from ["?"] * min(rest, MOST_SHOWN)
    if rest > MOST_SHOWN:
        yield "…"


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def _message(error: BaseException) -> str:
    """Without the keys and values of the command that a pipeline blames."""
    try:
        return _OF_PIPELINE.sub(r"\1) of pipeline caused error: ", str(error))
    except Exception:
        return ""
