"""The names under which a callable takes what it is given."""

from __future__ import annotations

import inspect
from inspect import Parameter
from types import CodeType
from typing import Any, NamedTuple


class Parameters(NamedTuple):
    """Names of parameters.

    Attributes:
        positional: those that can be given by position.
        rest: what takes more of them, such as ``args``; empty where nothing does.
        keyword_only: those that can be given by name only.
        keywords: what takes any other name, such as ``kwargs``; empty where nothing does.
    """

    positional: tuple[str, ...] = ()
    rest: str = ""
    keyword_only: tuple[str, ...] = ()
    keywords: str = ""

    @property
    def every(self) -> tuple[str, ...]:
        """All names, in order."""
        return tuple(filter(None, (*self.positional, self.rest, *self.keyword_only, self.keywords)))


UNKNOWN = Parameters(rest="args", keywords="kwargs")


def parameters_of(function: Any) -> Parameters:
    """The parameters of any callable; ``UNKNOWN`` where it does not tell, as some C functions."""
    if inspect.isfunction(function) and not hasattr(function, "__wrapped__"):
        return parameters_of_code(function.__code__)
    try:
        found = inspect.signature(function).parameters.values()
    except Exception:  # it does not tell, or answers oddly
        return UNKNOWN
    kinds: dict[Any, list[str]] = {kind: [p.name for p in found if p.kind is kind] for kind in _KINDS}
    return Parameters(
        (*kinds[Parameter.POSITIONAL_ONLY], *kinds[Parameter.POSITIONAL_OR_KEYWORD]),
        "".join(kinds[Parameter.VAR_POSITIONAL]),
        tuple(kinds[Parameter.KEYWORD_ONLY]),
        "".join(kinds[Parameter.VAR_KEYWORD]),
    )


_KINDS = (
    Parameter.POSITIONAL_ONLY,
    Parameter.POSITIONAL_OR_KEYWORD,
    Parameter.VAR_POSITIONAL,
    Parameter.KEYWORD_ONLY,
    Parameter.VAR_KEYWORD,
)


def parameters_of_code(code: CodeType) -> Parameters:
    """The parameters of a function of which there is the code only."""
    names, given = code.co_varnames, code.co_argcount
    after = given + code.co_kwonlyargcount
    rest = names[after] if code.co_flags & inspect.CO_VARARGS else ""
    keywords = names[after + bool(rest)] if code.co_flags & inspect.CO_VARKEYWORDS else ""
    return Parameters(names[:given], rest, names[given:after], keywords)
