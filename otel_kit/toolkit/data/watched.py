"""Watch an object's methods by giving it a class of its own, derived from the one it has.

It stays the same object, an instance of its class, with its attributes, its repr and its pickle; only ``type(it) is …`` differs.
Other objects of the class are not touched.
"""

from __future__ import annotations

import copyreg
import functools
import inspect
from collections.abc import Callable, Mapping
from contextvars import Token
from time import perf_counter
from types import TracebackType
from typing import Any

from otel_kit import _guard
from otel_kit.context import tally
from otel_kit.toolkit.data.figures import data
from otel_kit.toolkit.data.lookups import Lookups, count_work, inside

_WATCHED = "_otel_kit_watched"
_ITEMS = ("__getitem__", "__delitem__")
ABSENT = type("Absent", (), {"__repr__": lambda self: "<absent>"})()


class Call:
    """One call of a watched method, from before it to its end; a context manager around the method itself.

    Attributes:
        cache, lookups: whose method it is, and what counts it.
        args, kwargs: the method's, which a rule may change before the call.
        before: what a rule wants to remember until after it.
        result: what the method gave, which a rule may change.
        missing: whether it raised ``KeyError``.
        hits, misses: of a lookup, for the work that is going on.
    """

    __slots__ = (
        "_began", "_inner", "_seconds", "_token", "args", "before", "cache", "hits", "kwargs", "lookups", "misses",
        "missing", "result",
    )  # fmt: skip

    def __init__(self, cache: Any, lookups: Lookups, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self.cache, self.lookups, self.args, self.kwargs = cache, lookups, args, kwargs
        self.before: Any = None
        self.result: Any = None
        self.missing = False
        self.hits = self.misses = 0
        self._inner = tally.Tally() if tally.is_counting() else None
        self._token: Token[Lookups | None] | None = None

    def __enter__(self) -> None:
        self._token = inside.set(self.lookups)
        if self._inner is not None:
            self._inner.__enter__()
        self._began = perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._seconds = perf_counter() - self._began
        self.missing = kind is not None and issubclass(kind, KeyError)
        if self._inner is not None:
            self._inner.__exit__()
        if self._token is not None:
            try:
                inside.reset(self._token)
            except ValueError:  # a coroutine that was closed in another context
                return

    def looked(self, hits: int, misses: int) -> None:
        """It was a lookup."""
        self.hits, self.misses = self.hits + hits, self.misses + misses

    def told(self, rule: Rule) -> None:
        """Count it. Never raises."""
        try:
            rule.after(self)
            if self.hits or self.misses:
                self.lookups.looked(self.hits, self.misses)
            self.lookups.took(rule.operation, self._seconds)
            count_work(self.hits, self.misses, self._seconds, self._inner)
        except Exception as error:
            _guard.contained("data.cache", error)


def _nothing(_: Call) -> None:
    """Before most calls there is nothing to do."""


class Rule:
    """What a method means.

    Args:
        operation: get, set or delete.
        after: counts what came of a call; also called where it raised ``KeyError``.
        before: looks at a call that is about to be made.
        late: look the method up with each call, because others put theirs in its place.
    """

    __slots__ = ("after", "before", "late", "operation")

    def __init__(
        self,
        operation: str,
        after: Callable[[Call], None],
        before: Callable[[Call], None] = _nothing,
        *,
        late: bool = False,
    ) -> None:
        self.operation, self.after, self.before, self.late = operation, after, before, late


def watch(
    cache: Any, rules: Mapping[str, Rule], lookups: Lookups, more: Mapping[str, Any] | None = None
) -> None:
    """Watch methods of an object.

    Args:
        cache: the object.
        rules: the methods' names with what they mean; those that the object lacks are left out.
        lookups: what counts them.
        more: further attributes of the object's new class.

    Raises:
        TypeError: an object of this type cannot be given another class.
    """
    kind = original_class(cache)
    made = lookups.classes.get(kind)
    if made is None:
        made = lookups.classes[kind] = derived(kind, rules, lookups, more or {})
    cache.__class__ = made


def original_class(cache: object) -> type:
    """The class that an object had before it was watched."""
    kind = type(cache)
    return kind.__mro__[1] if _WATCHED in kind.__dict__ else kind


def derived(
    kind: type, rules: Mapping[str, Rule], lookups: Lookups, more: Mapping[str, Any], *, slots: bool = True
) -> type:
    """A class that is like ``kind``, and whose methods are watched."""
    body: dict[str, Any] = {
        "__module__": kind.__module__,
        "__qualname__": kind.__qualname__,
        "__doc__": kind.__doc__,
        _WATCHED: True,
        **({"__slots__": ()} if slots else {}),
        **{
            name: _method(kind, name, rule, lookups)
            for name, rule in rules.items()
            if callable(getattr(kind, name, None))
        },
        **more,
    }
    made = type(kind)(kind.__name__, (kind,), body)
    setattr(made, "__reduce_ex__", _reduce(kind, made))  # noqa: B010
    return made


def _reduce(kind: type, made: type) -> Callable[[Any, Any], Any]:
    """Pickled and copied, it is an object of the class that it had."""

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        original: Any = kind.__reduce_ex__
        reduced = original(self, protocol)
        if not isinstance(reduced, tuple):
            return reduced
        make, arguments, *rest = reduced
        plain = tuple(kind if each is made else each for each in arguments)
        if make is copyreg.__newobj__:  # type: ignore[attr-defined]
            # pickle wants the object's own class as its first argument, but sees no argument of a partial.
            make, plain = functools.partial(make, *plain), ()
        return (kind if make is made else make, plain, *rest)

    return __reduce_ex__


def _method(kind: type, name: str, rule: Rule, lookups: Lookups) -> Callable[..., Any]:
    original = getattr(kind, name)

    def method_of() -> Any:
        # An instrumentation may put its own there, and take it away again.
        return getattr(kind, name) if rule.late else original

    if inspect.iscoroutinefunction(original):

        @functools.wraps(original)
        async def watched_async(self: Any, /, *args: Any, **kwargs: Any) -> Any:
            if not data.on or inside.get() is lookups:
                return await method_of()(self, *args, **kwargs)
            call = _begun(self, lookups, rule, args, kwargs)
            try:
                with call:
                    call.result = await method_of()(self, *call.args, **call.kwargs)
            except KeyError:
                call.told(rule)
                raise
            call.told(rule)
            return call.result

        return watched_async

    def counted(self: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        call = _begun(self, lookups, rule, args, kwargs)
        try:
            with call:
                call.result = method_of()(self, *call.args, **call.kwargs)
        except KeyError:
            call.told(rule)
            raise
        call.told(rule)
        return call.result

    # While it is off all that counts is how a call is passed on: one item is cheaper than any.
    @functools.wraps(original)
    def watched_item(self: Any, key: Any, /) -> Any:
        if data.on and inside.get() is not lookups:
            return counted(self, (key,), {})
        return original(self, key)

    @functools.wraps(original)
    def watched(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if data.on and inside.get() is not lookups:
            return counted(self, args, kwargs)
        return original(self, *args, **kwargs)

    @functools.wraps(original)
    def watched_late(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        if data.on and inside.get() is not lookups:
            return counted(self, args, kwargs)
        return method_of()(self, *args, **kwargs)

    return watched_late if rule.late else watched_item if name in _ITEMS else watched


def _begun(cache: Any, lookups: Lookups, rule: Rule, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    call = Call(cache, lookups, args, kwargs)
    token = inside.set(lookups)  # what a rule asks the cache is nothing that the program asked
    try:
        rule.before(call)
    except Exception as error:
        _guard.contained("data.cache", error)
        call.args, call.kwargs = args, kwargs
    finally:
        inside.reset(token)
    return call
