"""``traced``: a span for each call of a function, of a method, or of all methods of a class."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from types import FunctionType
from typing import Any, TypeVar, overload
from weakref import WeakSet

from otel_kit.context.parts import part
from otel_kit.context.wrapped import layers, wrap
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.values import is_a
from otel_kit.toolkit.code.call import Call, begin
from otel_kit.toolkit.code.parameters import parameters_of
from otel_kit.toolkit.code.site import Options, Site, chosen

Target = TypeVar("Target")

# The special methods that do the work of a class; the others are the language's own business.
_SPECIAL = ("__init__", "__call__")

# By hand, or by way of its class: a function is traced once.
_made: WeakSet[FunctionType] = WeakSet()
_code = part("code")


@overload
def traced(target: Target, /) -> Target: ...


@overload
def traced(
    *,
    name: str | None = None,
    args: bool | Collection[str] = False,
    result: bool = False,
    stack: bool = False,
    logs: bool = False,
    slower_than: float | None = None,
) -> Callable[[Target], Target]: ...


def traced(
    target: Any = None,
    /,
    *,
    name: str | None = None,
    args: bool | Collection[str] = False,
    result: bool = False,
    stack: bool = False,
    logs: bool = False,
    slower_than: float | None = None,
) -> Any:
    """A span for each call: with ``code.*`` of the function, the thread, and the exception that leaves it.

    Args:
        target: a function of any kind, a static or class method, a property, any other callable; or a class, of
            which all methods and properties are meant that it defines itself.
        name: the span's name; the function's qualified name by default. Of a class, what replaces its name.
        args: arguments as attributes ``otel_kit.code.argument.<name>``: all, or those that are named.
        result: what is returned as the attribute ``otel_kit.code.result``.
        stack: the calls that led there as ``code.stacktrace``.
        logs: two INFO records as well, of each call's begin and end, with arguments, duration and result.
        slower_than: a call that lasts longer, in seconds, becomes a WARNING record.

    Returns:
        The same for the program: results, exceptions, signature and kind of function stay. A class is changed in
        place. A generator's span lasts from its first step to its end.

    Raises:
        ArgumentError: what was given cannot be traced, or an argument that is chosen does not exist.
    """
    options = Options(name, chosen(args), result, stack, logs, slower_than)
    if target is None:
        return functools.partial(_traced, options=options)
    return _traced(target, options)


def _traced(target: Any, options: Options) -> Any:
    if is_a(target, type):
        return _traced_class(target, options)
    if is_a(target, staticmethod | classmethod | property | functools.cached_property):
        return _traced_descriptor(target, options)
    if not callable(target):
        raise ArgumentError(
            "traced(target)", target, "a function, a method, a property, a class or a callable"
        )
    return target if _is_traced(target) else _traced_callable(target, options)


def _traced_class(cls: type, options: Options) -> type:
    for name, member in list(vars(cls).items()):
        special = name.startswith("__") and name.endswith("__") and name not in _SPECIAL
        known = isinstance(
            member, FunctionType | staticmethod | classmethod | property | functools.cached_property
        )
        if known and not special:
            try:
                # Past what a metaclass may say to a new attribute.
                type.__setattr__(cls, name, _traced(member, _of_member(options, name, member)))
            except TypeError:
                raise ArgumentError("traced(target)", cls, "a class that is written in Python") from None
    return cls


def _of_member(options: Options, name: str, member: Any) -> Options:
    """The options of a class for one of its members: names that it does not have are chosen for others."""
    options = replace(options, name=f"{options.name}.{name}" if options.name else None)
    function = getattr(member, "__func__", member)
    if isinstance(options.args, tuple):
        known = parameters_of(function).every if isinstance(function, FunctionType) else ()
        options = replace(options, args=tuple(name for name in options.args if name in known))
    return options


def _traced_descriptor(target: Any, options: Options) -> Any:
    if isinstance(target, property):
        parts = (target.fget, target.fset, target.fdel)
        try:
            made = type(target)(*(part and _traced(part, options) for part in parts))
        except TypeError:  # a subclass that is made in another way
            return target
        made.__doc__ = target.__doc__
        return made
    if isinstance(target, functools.cached_property):
        target.func = _traced(target.func, options)
        return target
    return type(target)(_traced(target.__func__, options))


def _traced_callable(target: Callable[..., Any], options: Options) -> Any:
    site = Site.of(target, options)

    def begin_call(args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Call | None:
        return begin(site, args, kwargs, steps=steps)

    made = wrap(
        target, begin_call, functools.partial(_traced, options=options), by="traced(target)", part=_code
    )
    if type(made) is FunctionType:
        _made.add(made)
    return made


def _is_traced(target: Any) -> bool:
    return any(type(each) is FunctionType and each in _made for each in layers(target))
