"""``watch_attributes``: a record of each write and each delete of an object's attribute.

The class gets ``__setattr__`` and ``__delattr__`` that call what was there before. Off for all, they are taken away again.
"""

from __future__ import annotations

import sys
import threading
import weakref
from collections.abc import Callable, Collection
from dataclasses import dataclass
from types import FrameType, MemberDescriptorType
from typing import Any, TypeVar, overload

from otel_kit import semconv
from otel_kit.context.parts import part
from otel_kit.context.place import is_users
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.caller import code_attributes
from otel_kit.signals.logs.levels import INFO, Gate, gate
from otel_kit.toolkit.code.records import contained, say, wanted
from otel_kit.toolkit.code.values import SHORT, cut, shown

Class = TypeVar("Class", bound=type)

UNSET, UNKNOWN, DELETED = "(unset)", "(unknown)", "(deleted)"
MOST_FRAMES = 20  # that are looked at for the program's own line

_code = part("code")
_nothing = object()
_OPERATIONS = ("__setattr__", "__delattr__")
# What was chosen of classes that are not watched now. By id: a metaclass may have made its classes impossible to hash.
_stopped: dict[int, tuple[object, frozenset[str], frozenset[str]]] = {}


@dataclass(slots=True)
class Choice:
    """What is watched of a class, and what stands behind ours for its own instances."""

    owner: type
    gate: Gate
    level: int
    only: frozenset[str]
    exclude: frozenset[str]
    ask: bool
    set_behind: Callable[..., None] = object.__setattr__
    delete_behind: Callable[..., None] = object.__delattr__

    def wants(self, name: str) -> bool:
        """Whether this attribute is told of now."""
        if not _code.on or not wanted(self.gate, self.level):
            return False
        return name in self.only if self.only else name not in self.exclude


@overload
def watch_attributes(target: Class, /) -> Class: ...


@overload
def watch_attributes(target: object, /, *, on: bool) -> object: ...


@overload
def watch_attributes(
    *, only: Collection[str] = (), exclude: Collection[str] = ()
) -> Callable[[Class], Class]: ...


def watch_attributes(
    target: Any = _nothing,
    /,
    *,
    only: Collection[str] = (),
    exclude: Collection[str] = (),
    on: bool = True,
) -> Any:
    """Tell of each write and delete of an attribute of a class's instances: old value, new value, and where.

    Each becomes an INFO record such as ``Order.status: 'new' → 'paid'`` with ``code.*`` of the program's line. It works for plain
    classes, slots, dataclasses, pydantic models, SQLAlchemy models and their subclasses. Not seen: what goes past the class, as
    ``object.__setattr__`` and ``obj.__dict__`` do, or changes inside a value.

    Args:
        target: the class, as a decorator does; or, to turn it off and on again while the program runs, a class for all of its
            instances or one instance.
        only: names of attributes; all by default.
        exclude: names of attributes that are not told of.
        on: ``watch_attributes(Order, on=False)`` ends it for all, ``watch_attributes(order, on=False)`` for one.

    Returns:
        The same class, or the same instance.

    Raises:
        ArgumentError: the class cannot be watched, or the instance's class is not.
    """
    names = frozenset(_names("only", only)), frozenset(_names("exclude", exclude))
    if target is _nothing:
        return lambda cls: watch_class(cls, *names)
    if not isinstance(target, type):
        return _switch_instance(target, on)
    if not on:
        unwatch_class(target)
        return target
    return watch_class(target, *names)


def watch_class(
    cls: Any,
    only: frozenset[str] = frozenset(),
    exclude: frozenset[str] = frozenset(),
    level: int = INFO,
    *,
    ask: bool = True,
) -> Any:
    """Watch a class, or choose other attributes of one that is watched. Named alike where it was watched before."""
    if not isinstance(cls, type):
        raise ArgumentError("watch_attributes(target)", cls, "a class")
    if not (only or exclude) and id(cls) in _stopped:
        _, only, exclude = _stopped[id(cls)]
    choice = Choice(cls, gate(cls.__module__), level, only, exclude, ask)
    try:
        for name, made in zip(_OPERATIONS, (_setter(choice), _deleter(choice)), strict=True):
            _take_away(cls, name)
            made.behind = cls.__dict__.get(name, _nothing)
            # Past what a metaclass may say to a new attribute.
            type.__setattr__(cls, name, made)
            _found_behind(choice, cls, made)
    except TypeError:
        raise ArgumentError("watch_attributes(target)", cls, "a class that is written in Python") from None
    return cls


def _found_behind(choice: Choice, cls: type, made: Any) -> None:
    if made.__name__ == "__setattr__":
        choice.set_behind = _behind(cls, made)
    else:
        choice.delete_behind = _behind(cls, made)


def unwatch_class(cls: type) -> None:
    """The class is as before."""
    found: Any = cls.__dict__.get(_OPERATIONS[0])
    if is_ours(found):
        key = id(cls)
        gone = weakref.ref(cls, lambda _: _stopped.pop(key, None))
        _stopped[key] = (gone, found.choice.only, found.choice.exclude)
    for name in _OPERATIONS:
        _take_away(cls, name)


def is_ours(function: object) -> bool:
    """Whether a ``__setattr__`` or ``__delattr__`` is one of ours."""
    return getattr(function, "__module__", None) == __name__ and hasattr(function, "choice")


def _take_away(cls: type, name: str) -> None:
    found: Any = cls.__dict__.get(name)
    if not is_ours(found):
        return
    if found.behind is _nothing:
        type.__delattr__(cls, name)
    else:
        type.__setattr__(cls, name, found.behind)


def _names(argument: str, given: Collection[str]) -> tuple[str, ...]:
    names = (given,) if isinstance(given, str) else tuple(given)
    if not all(isinstance(name, str) for name in names):
        raise ArgumentError(f"watch_attributes({argument})", given, "names of attributes")
    return names


# -- one instance

# Instances that are not told of. One that allows no weak reference is kept alive until it is turned on again.
_muted: dict[int, Any] = {}


def _switch_instance(instance: Any, on: bool) -> Any:
    if not any(is_ours(cls.__dict__.get(_OPERATIONS[0])) for cls in type(instance).__mro__):
        raise ArgumentError(
            "watch_attributes(target)", instance, "a class, or an instance of one that is watched"
        )
    key = id(instance)
    if on:
        _muted.pop(key, None)
        return instance
    try:
        _muted[key] = weakref.ref(instance, lambda _: _muted.pop(key, None))
    except TypeError:
        _muted[key] = instance
    return instance


# -- one write


class _Writing(threading.local):
    """The write that this thread is at: where both a class and its base are watched, it is told of once."""

    now: tuple[int, str] | None = None


_writing = _Writing()


def _setter(choice: Choice) -> Any:
    def __setattr__(self: object, name: str, value: Any) -> None:
        behind = choice.set_behind if type(self) is choice.owner else _behind(type(self), __setattr__)
        if not choice.wants(name) or id(self) in _muted or _writing.now == (id(self), name):
            behind(self, name, value)
            return
        old, outer = stored(self, name), _writing.now
        _writing.now = (id(self), name)
        try:
            behind(self, name, value)
        finally:
            _writing.now = outer
        new = stored(self, name)
        new = value if new is _nothing or new is UNKNOWN else new
        _tell(choice, self, name, old, new, sys._getframe(1))

    __setattr__.choice = choice  # type: ignore[attr-defined]
    return __setattr__


def _deleter(choice: Choice) -> Any:
    def __delattr__(self: object, name: str) -> None:
        behind = choice.delete_behind if type(self) is choice.owner else _behind(type(self), __delattr__)
        if not choice.wants(name) or id(self) in _muted or _writing.now == (id(self), name):
            behind(self, name)
            return
        old, outer = stored(self, name), _writing.now
        _writing.now = (id(self), name)
        try:
            behind(self, name)
        finally:
            _writing.now = outer
        _tell(choice, self, name, old, _nothing, sys._getframe(1))

    __delattr__.choice = choice  # type: ignore[attr-defined]
    return __delattr__


def _behind(kind: type, ours: Any) -> Callable[..., None]:
    """What stands behind one of ours in a class: what the class itself had, or what it inherits."""
    name = ours.__name__
    if ours.behind is not _nothing:
        return ours.behind  # type: ignore[no-any-return]
    # By the function, not by the class: dataclass(slots=True) makes another class with the same functions.
    after = iter(kind.__mro__)
    for cls in after:
        if cls.__dict__.get(name) is ours:
            break
    return next(cls.__dict__[name] for cls in after if name in cls.__dict__)  # type: ignore[no-any-return]


def stored(instance: Any, name: str) -> Any:
    """An attribute's value without running any code of the program: no property, no ``__getattr__``. Never raises."""
    try:
        return _stored(instance, name)
    except Exception:  # a ``__dict__`` or a metaclass of the program's own
        return UNKNOWN


def _stored(instance: Any, name: str) -> Any:
    try:
        inside = object.__getattribute__(instance, "__dict__")
        if type(inside) is dict and name in inside:
            return inside[name]
    except AttributeError:
        pass  # slots only
    for cls in type(instance).__mro__:
        if name in cls.__dict__:
            return _of_class(instance, cls.__dict__[name])
    return _nothing


def _of_class(instance: Any, member: Any) -> Any:
    if type(member) is MemberDescriptorType:
        try:
            return member.__get__(instance)
        except AttributeError:
            return _nothing
    return UNKNOWN if hasattr(type(member), "__get__") else member


def _tell(choice: Choice, instance: Any, name: str, old: Any, new: Any, frame: FrameType) -> None:
    try:
        whole = f"{type(instance).__qualname__}.{name}"
        before = UNSET if old is _nothing else _text(choice, name, old)
        after = DELETED if new is _nothing else _text(choice, name, new)
        attributes = {
            semconv.CODE_CHANGED: whole,
            semconv.CODE_OLD: before,
            semconv.CODE_NEW: after,
            **code_attributes(_users(frame)),
        }
        event = semconv.EVENT_ATTRIBUTE_DELETED if new is _nothing else semconv.EVENT_ATTRIBUTE_CHANGED
        body = f"{whole}: {cut(before, SHORT)} → {cut(after, SHORT)}"
        say(choice.gate, choice.level, body, attributes, event)
    except Exception as error:
        contained(error)


def _text(choice: Choice, name: str, value: Any) -> str:
    return UNKNOWN if value is UNKNOWN else shown(name, value, ask=choice.ask)


def _users(frame: FrameType) -> FrameType:
    """The program's own line: what dataclasses, pydantic and SQLAlchemy do on its behalf is theirs."""
    outer: FrameType | None = frame
    for _ in range(MOST_FRAMES):
        if outer is None:
            break
        if is_users(outer.f_code) and not outer.f_code.co_filename.startswith("<"):
            return outer
        outer = outer.f_back
    return frame
