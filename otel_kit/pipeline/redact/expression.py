"""Regular expressions that are compiled when they are first used, and sets of words.

Compiling all of them takes tens of milliseconds; a program that never shows a secret needs few of them, and its import
and start must not wait.
"""

from __future__ import annotations

import re
from typing import Any, cast


class Expression:
    """Stands in for a compiled pattern, and has its methods from the first use on."""

    def __init__(self, source: str, flags: int) -> None:
        self.source, self.flags_ = source, flags

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        compiled = re.compile(self.source, self.flags_)
        for method in ("search", "match", "fullmatch", "finditer", "findall", "split"):
            self.__dict__[method] = getattr(compiled, method)
        return getattr(compiled, name)


def expression(source: str, flags: int = 0) -> re.Pattern[str]:
    """A pattern that compiles itself on its first use."""
    return cast("re.Pattern[str]", Expression(source, int(flags)))


def word_set(text: str) -> frozenset[str]:
    """The words of a text: a list of words that reads as one."""
    return frozenset(text.split())
