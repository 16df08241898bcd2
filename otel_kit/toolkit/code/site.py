"""One function that is watched: what is known about it before it is called, and what of a call is told."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from itertools import islice
from types import CodeType, FrameType
from typing import Any

from otel_kit import semconv
from otel_kit.context import wrapped
from otel_kit.context.wrapped import code_of, module_of, name_of
from otel_kit.errors import ArgumentError
from otel_kit.signals import get_tracer
from otel_kit.signals.logs.levels import gate
from otel_kit.toolkit.code.parameters import Parameters, parameters_of, parameters_of_code
from otel_kit.toolkit.code.values import SHORT, kept, shown

_OURS = (os.path.dirname(__file__), wrapped.FILE)
_RECEIVERS = ("self", "cls", "mcs")
MOST_ARGUMENTS = 32  # of one call


@dataclass(frozen=True)
class Options:
    """What is told of each call; see :func:`otel_kit.traced`."""

    name: str | None = None
    args: bool | tuple[str, ...] = False
    result: bool = False
    stack: bool = False
    logs: bool = False
    slower_than: float | None = None

    def __post_init__(self) -> None:
        _check("name", self.name, self.name is None or (isinstance(self.name, str) and self.name), "a text")
        names = isinstance(self.args, tuple) and all(isinstance(name, str) for name in self.args)
        _check("args", self.args, names or isinstance(self.args, bool), "True, False or names of arguments")
        for flag in ("result", "stack", "logs"):
            _check(flag, getattr(self, flag), isinstance(getattr(self, flag), bool), "True or False")
        seconds = self.slower_than
        number = seconds is None or (type(seconds) in (int, float) and seconds >= 0)
        _check("slower_than", seconds, number, "seconds, 0 or more")


def chosen(args: object) -> Any:
    """The choice of arguments as a value that cannot change; one name is a choice, too."""
    if isinstance(args, str):
        return (args,)
    return tuple(args) if isinstance(args, Collection) else args


def _check(argument: str, given: object, holds: object, valid: str) -> None:
    if not holds:
        raise ArgumentError(f"traced({argument})", given, valid)


class Site:
    """One function.

    Args:
        module: where it is defined; the scope of what is emitted.
        name: its qualified name.
        code: its code, where it has any.
        parameters: what it takes.
        options: what is told of its calls.
        by_hand: somebody chose this function: its values are asked what they are, and its exceptions are told of.

    Raises:
        ArgumentError: an argument is chosen that the function does not have.
    """

    __slots__ = ("_parameters", "attributes", "by_hand", "gate", "name", "options", "tracer")

    def __init__(
        self,
        module: str,
        name: str,
        code: CodeType | None,
        parameters: Parameters,
        options: Options,
        *,
        by_hand: bool = True,
    ) -> None:
        self._parameters, self.options, self.by_hand = parameters, options, by_hand
        self.name = options.name or name
        self.tracer, self.gate = get_tracer(module), gate(module)
        self.attributes: dict[str, Any] = {semconv.CODE_FUNCTION_NAME: f"{module}.{name}"}
        if code is not None:
            self.attributes[semconv.CODE_FILE_PATH] = code.co_filename
            self.attributes[semconv.CODE_LINE_NUMBER] = code.co_firstlineno
        self._check_choice()

    def _check_choice(self) -> None:
        known = self._parameters.every
        if isinstance(self.options.args, tuple) and not self._parameters.keywords:
            for name in set(self.options.args) - set(known):
                valid = f"arguments of {self.name}: {', '.join(known) or 'it has none'}"
                raise ArgumentError("traced(args)", name, valid, known)

    @classmethod
    def of(cls, function: Callable[..., Any], options: Options) -> Site:
        """The site of any callable."""
        return cls(
            module_of(function),
            name_of(function),
            code_of(function),
            parameters_of(function),
            options,
        )

    @classmethod
    def of_code(cls, code: CodeType, module: str, options: Options) -> Site:
        """The site of a function that nobody chose by hand: its arguments are not asked what they are."""
        return cls(module, code.co_qualname, code, parameters_of_code(code), options, by_hand=False)

    def arguments(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """What a call was given, by name, without its receiver; the chosen ones, or all where no choice was made."""
        names = self._parameters.positional
        found = dict(zip(names, args, strict=False))
        if len(args) > len(names):
            found[self._parameters.rest or "args"] = args[len(names) :]
        found.update(kwargs)
        return self._chosen(found)

    def arguments_of(self, frame: FrameType) -> dict[str, Any]:
        """The same of a call that has just begun, by its frame."""
        here = frame.f_locals
        return self._chosen({name: here[name] for name in self._parameters.every if name in here})

    def _chosen(self, found: dict[str, Any]) -> dict[str, Any]:
        wanted = self.options.args
        if isinstance(wanted, tuple):
            return {name: found[name] for name in wanted if name in found}
        if self._parameters.positional[:1] and self._parameters.positional[0] in _RECEIVERS:
            found.pop(self._parameters.positional[0], None)
        return dict(islice(found.items(), MOST_ARGUMENTS))

    def described(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Arguments as attributes of a span."""
        prefix = semconv.CODE_ARGUMENT
        return {f"{prefix}.{name}": kept(name, value, ask=self.by_hand) for name, value in arguments.items()}

    def written(self, arguments: Mapping[str, Any]) -> str:
        """Arguments as the program would write them."""
        return ", ".join(f"{name}={self.short(name, value)}" for name, value in arguments.items())

    def short(self, name: str, value: object) -> str:
        """A value in a sentence."""
        return shown(name, value, SHORT, ask=self.by_hand)


def calls() -> str:
    """The calls that led here, outermost first, without ours."""
    entries = traceback.extract_stack()
    return "".join(traceback.format_list([e for e in entries if not e.filename.startswith(_OURS)])).rstrip()
