"""Regular expressions that are compiled when they are first used, and sets of words.

Compiling all of them takes tens of milliseconds; a program that never shows a secret needs few of them, and its import
and start must not wait.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
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


def holds(text: str, words: Iterable[str]) -> bool:
    """Whether a text has one of the words: the question before an expression that needs it, at a hundredth of its cost."""
    return any(word in text for word in words)


def any_of(words: Iterable[str]) -> str:
    """An expression for any of the words, as a tree: at each place of a text few letters are compared."""
    tree: dict[str, Any] = {}
    for word in sorted(words):
        node = tree
        for letter in word:
            if "" in node:  # a shorter word is enough
                break
            node = node.setdefault(letter, {})
        else:
            node.clear()
            node[""] = {}
    return _branches(tree)


def _branches(tree: dict[str, Any]) -> str:
    if "" in tree:
        return ""
    parts = [re.escape(letter) + _branches(below) for letter, below in tree.items()]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def longest_of(words: Iterable[str]) -> str:
    """As :func:`any_of`, but the longest word that is there: ``passwords`` before ``password``."""
    tree: dict[str, Any] = {}
    for word in words:
        node = tree
        for letter in word:
            node = node.setdefault(letter, {})
        node[""] = {}
    return _longest(tree)


def _longest(tree: dict[str, Any]) -> str:
    parts = [re.escape(letter) + _longest(below) for letter, below in tree.items() if letter]
    if not parts:
        return ""
    return f"(?:{'|'.join(parts)}){'?' if '' in tree else ''}"
