"""Attributes that are made once and told again and again, as those of one statement or of one route."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

_NUMBERS = frozenset((int, float, bool))


class Facts(dict[str, Any]):
    """A dict that nobody changes once it is made. A span takes it as a whole, and a metric finds its series by ``key``.

    Args:
        attributes: by their names; texts and numbers.

    Attributes:
        key: stands for them, and is cheap to look up.
        longest: characters of the longest text; beyond every limit where a value is neither text nor number.
    """

    __slots__ = ("key", "longest")

    def __init__(self, attributes: Mapping[str, Any]) -> None:
        super().__init__(attributes)
        self.key = object()
        self.longest = max(map(_length, self.items()), default=0)


def _length(pair: tuple[Any, Any]) -> int:
    name, value = pair
    if type(name) is not str or not name:
        return sys.maxsize
    if type(value) is str:
        return len(value)
    return 0 if type(value) in _NUMBERS else sys.maxsize
