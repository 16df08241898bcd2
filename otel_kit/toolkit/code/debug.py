"""``debug_everything``: everything that some packages do, for a while."""

from __future__ import annotations

import atexit
import sys
import threading
from collections.abc import Callable, Collection, Mapping
from types import TracebackType
from typing import Any, Self

from otel_kit import _guard, semconv
from otel_kit.context import headroom
from otel_kit.context.debugging import PRODUCTION, debugging
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.levels import DEBUG
from otel_kit.toolkit.code import attributes, function_events, function_tracing
from otel_kit.toolkit.code.functions import Functions
from otel_kit.toolkit.code.packages import Packages
from otel_kit.toolkit.code.records import contained
from otel_kit.toolkit.code.resources import EVERY_SECONDS, Resources

PARTS = ("functions", "sql", "requests", "attributes", "resources")
BODY_BYTES = 4096
ROOM = 300  # frames of ours that tell of a call, on top of the program's deepest

_lock = threading.RLock()
_watch_functions: Callable[[Functions], Callable[[], None] | None] = (
    function_events.watch_functions if sys.version_info >= (3, 12) else function_tracing.watch_functions
)


class _Current:
    debug: Debug | None = None


def debug_everything(*packages: str, parts: Collection[str] = PARTS, force: bool = False) -> Debug:
    """Tell of everything that some packages do, until :meth:`Debug.stop`; also as a ``with`` block.

    - ``functions``: a span for each call, with arguments and result; records of begin and end at level DEBUG
    - ``sql``: statements with their parameters, transactions as spans
    - ``requests``: bodies of requests and responses, up to 4096 bytes
    - ``attributes``: each write and delete of an attribute of their classes, as a record at level DEBUG
    - ``resources``: what the process uses, every 10 seconds

    Objects are shown by their type only: nothing of the program is called. What it costs is said at the begin, and in figures at
    the end. One such call holds at a time, the latest; ``shutdown`` ends it.

    Args:
        packages: names of packages or modules, imported already or not; ``__main__`` is the program itself.
        parts: which of the above; all by default.
        force: also where the environment is called ``production``, ``prod`` or ``live``.

    Raises:
        ArgumentError: no package of that name can be found, a part is unknown, or this is production.
    """
    wanted = _checked(packages, parts)
    if debugging.environment in PRODUCTION and not force:
        valid = (
            "another environment than production, or force=True: it slows the program down and tells values"
        )
        raise ArgumentError("debug_everything(environment)", debugging.environment, valid)
    found = Packages(packages)
    with _lock:
        end()
        debug = _Current.debug = Debug(found, wanted)
    return debug


def begin(packages: tuple[str, ...]) -> None:
    """What the setting ``debug`` does."""
    debug_everything(*packages)


def end() -> None:
    """Stop what is going on, if anything is."""
    debug = _Current.debug
    if debug is not None:
        debug.stop()


def _checked(packages: tuple[str, ...], parts: Collection[str]) -> frozenset[str]:
    valid = "names of packages"
    if not packages or not all(isinstance(name, str) and name for name in packages):
        raise ArgumentError("debug_everything(packages)", packages, valid)
    wanted = (parts,) if isinstance(parts, str) else tuple(parts)
    for name in wanted:
        if name not in PARTS:
            raise ArgumentError("debug_everything(parts)", name, ", ".join(PARTS), PARTS)
    return frozenset(wanted)


class Debug:
    """Debugging that goes on until :meth:`stop`, or until the ``with`` block is over.

    Attributes:
        calls: how many calls of functions were told.
        seconds: how long telling them took, in all.
    """

    def __init__(self, packages: Packages, parts: frozenset[str]) -> None:
        self._packages, self._parts = packages, parts
        self._classes: list[type] = []
        self._functions = Functions(packages, "functions" in parts, self._module_is_there)
        self._undo: list[Callable[[], None]] = []
        self._say_begin()
        for name, start in _STARTS.items():
            if name in parts:
                start(self)
        if parts & {"functions", "attributes"}:
            self._watch_functions()

    @property
    def calls(self) -> int:
        """How many calls of functions were told so far."""
        return self._functions.count

    @property
    def seconds(self) -> float:
        """How long telling them took so far."""
        return self._functions.seconds

    def stop(self) -> None:
        """Everything is as before."""
        with _lock:
            if _Current.debug is self:
                _Current.debug = None
            if not self._undo:
                return
            while self._undo:
                self._undo.pop()()
        per_call = f", {self.seconds / self.calls * 1e6:,.0f} µs each" if self.calls >= 100 else ""
        _guard.say(
            f"debug_everything is over: telling {self.calls:,} calls took {self.seconds:,.2f} s{per_call}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    def _say_begin(self) -> None:
        names = ", ".join(self._packages.names)
        chosen = ", ".join(name for name in PARTS if name in self._parts)
        _guard.say(
            f"debug_everything tells what {names} does ({chosen}): each call of theirs takes some 100 µs longer, more with "
            "records at level debug; values leave the process, but for secrets that the rules know"
        )
        # At exit before the interpreter takes its modules apart.
        atexit.register(self.stop)
        self._undo.append(lambda: atexit.unregister(self.stop))

    def _watch_functions(self) -> None:
        stop = _watch_functions(self._functions)
        if stop is not None:
            headroom.take(ROOM)
            self._undo += [lambda: headroom.give_back(ROOM), stop]

    def _start_sql(self) -> None:
        debugging.sql = True
        self._undo.append(lambda: setattr(debugging, "sql", False))

    def _start_requests(self) -> None:
        debugging.body_bytes = BODY_BYTES
        self._undo.append(lambda: setattr(debugging, "body_bytes", 0))

    def _start_resources(self) -> None:
        self._undo.append(Resources(EVERY_SECONDS, self._cost).stop)

    def _cost(self) -> Mapping[str, Any]:
        return {semconv.DEBUG_CALLS: self.calls, semconv.DEBUG_DURATION: round(self.seconds, 6)}

    def _start_attributes(self) -> None:
        for name, module in list(sys.modules.items()):
            if self._packages.have(name):
                self._module_is_there(getattr(module, "__dict__", {}))
        self._undo.append(self._unwatch)

    def _module_is_there(self, namespace: dict[str, Any]) -> None:
        """Watch the classes that a module defines."""
        if "attributes" not in self._parts:
            return
        for value in list(namespace.values()):
            own = isinstance(value, type) and value.__dict__.get("__module__") == namespace.get("__name__")
            if own and not attributes.is_ours(value.__dict__.get("__setattr__")):
                self._watch(value)

    def _watch(self, cls: type) -> None:
        # An exception's attributes are mostly the interpreter's, and a metaclass's instances are classes.
        if issubclass(cls, BaseException | type):
            return
        try:
            attributes.watch_class(cls, level=DEBUG, ask=False)
            self._classes.append(cls)
        except Exception as error:
            contained(error)

    def _unwatch(self) -> None:
        while self._classes:
            attributes.unwatch_class(self._classes.pop())


_STARTS: dict[str, Callable[[Debug], None]] = {
    "sql": Debug._start_sql,
    "requests": Debug._start_requests,
    "attributes": Debug._start_attributes,
    "resources": Debug._start_resources,
}
