"""What stands for a callable that is no Python function: it is called in its place, and for all else it is that callable."""

from __future__ import annotations

import copy
import inspect
import sys
import types
from collections.abc import Callable
from types import FunctionType
from typing import Any
from weakref import WeakKeyDictionary

_OURS = frozenset(
    (
        "__call__", "__class__", "__class_getitem__", "__copy__", "__deepcopy__", "__del__", "__delattr__", "__dict__",
        "__doc__", "__get__", "__getattr__", "__getattribute__", "__getnewargs__", "__getnewargs_ex__", "__getstate__",
        "__init__", "__init_subclass__", "__module__", "__new__", "__reduce__", "__reduce_ex__", "__setattr__",
        "__setstate__", "__slots__", "__subclasshook__", "__weakref__",
    )
)  # fmt: skip
# An object's own would tell of the stand.
_SHOWN = ("__repr__", "__str__", "__format__", "__dir__", "__hash__")
_BUILTIN_METHODS = (types.BuiltinMethodType, types.MethodWrapperType)


class Stand:
    """For one callable: attributes, operators, class, binding, copies and pickles are the callable's own.

    Only ``type(it) is …`` differs, and C code that wants a certain type.
    """

    __slots__ = ("__weakref__", "_otel_kit_again", "_otel_kit_call", "_otel_kit_target")

    _otel_kit_target: Any
    _otel_kit_call: Callable[..., Any]
    _otel_kit_again: Callable[[Any], Any]

    def __call__(self, /, *args: Any, **kwargs: Any) -> Any:
        return self._otel_kit_call(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._otel_kit_target, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._otel_kit_target, name, value)

    def __delattr__(self, name: str) -> None:
        delattr(self._otel_kit_target, name)

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return self._otel_kit_target.__class__

    def __copy__(self) -> Any:
        return self._otel_kit_around(copy.copy(self._otel_kit_target))

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        return self._otel_kit_around(copy.deepcopy(self._otel_kit_target, memo))

    def _otel_kit_around(self, made: Any) -> Any:
        return self if made is self._otel_kit_target else self._otel_kit_again(made)

    def __reduce_ex__(self, protocol: Any) -> Any:
        reduced = self._otel_kit_target.__reduce_ex__(protocol)
        if type(reduced) is str and _is_found(self, reduced):
            return reduced
        return _made_again, (self._otel_kit_again, self._otel_kit_target)


def stand_for(
    target: Any,
    call: Callable[..., Any],
    again: Callable[[Any], Any],
    like: Callable[[FunctionType, Callable[..., Any]], Any],
) -> Any:
    """What stands for a callable.

    Args:
        target: the callable.
        call: what is called in its place.
        again: makes another one, for what the callable is once it is bound to an object, or unpickled.
        like: makes a function that looks like the first one, and calls the second.
    """
    kind = type(target)
    made = _kinds.get(kind)
    if made is None:
        made = _kinds[kind] = _kind_for(kind, like)
    stand: Any = object.__new__(made)
    for name, value in (("target", target), ("call", call), ("again", again)):
        object.__setattr__(stand, f"_otel_kit_{name}", value)
    return stand


# By type of callable; a mock has one of its own.
_kinds: WeakKeyDictionary[type, type[Stand]] = WeakKeyDictionary()


def _kind_for(kind: type, like: Callable[[FunctionType, Callable[..., Any]], Any]) -> type[Stand]:
    body: dict[str, Any] = {"__slots__": ()}
    call = inspect.getattr_static(kind, "__call__", None)
    if type(call) is FunctionType:  # frameworks look at it to know whether it is to be awaited
        body["__call__"] = like(call, Stand.__call__)
    for name in dir(kind):
        own = getattr(kind, name, None)
        special = name.startswith("__") and name.endswith("__") and name not in _OURS
        if special and callable(own) and (name in _SHOWN or own is not getattr(object, name, None)):
            body[name] = _passed_on(name)
    body.setdefault("__hash__", None)
    if hasattr(kind, "__get__"):
        body["__get__"] = _bound
    made: type[Stand] = type("Stand", (Stand,), body)
    # Read from an instance they are the callable's.
    for name in ("__doc__", "__module__"):
        setattr(made, name, property(_read(name)))
    return made


def _passed_on(name: str) -> Callable[..., Any]:
    def special(self: Any, /, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._otel_kit_target, name)(*args, **kwargs)

    return special


def _read(name: str) -> Callable[[Any], Any]:
    return lambda self: getattr(self._otel_kit_target, name)


def _bound(self: Any, instance: Any, owner: Any = None) -> Any:
    target = self._otel_kit_target
    found = type(target).__get__(target, instance, owner)
    if found is target:
        return self
    method = type(found) is types.MethodType and found.__func__ is target
    if method or (type(found) in _BUILTIN_METHODS and instance is not None):
        return types.MethodType(self, found.__self__)
    return self._otel_kit_again(found) if callable(found) else found


def _is_found(stand: Any, name: str) -> bool:
    """Whether a pickle that has the name only would find it."""
    found: Any = sys.modules.get(stand.__module__)
    for part in name.split("."):
        found = getattr(found, part, None)
    return found is stand


def _made_again(again: Callable[[Any], Any], target: Any) -> Any:
    return again(target)
