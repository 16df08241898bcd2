"""Values that a program can hand in, and that break something somewhere."""

from __future__ import annotations

import collections
import dataclasses
import datetime
import decimal
import enum
import fractions
import pathlib
import types
import uuid
from collections.abc import Callable
from typing import Any


class Unspeakable:
    """Neither text nor repr."""

    def __str__(self) -> str:
        raise ValueError("no text")

    __repr__ = __str__


class Liar:
    """Claims to be a dict."""

    @property
    def __class__(self) -> Any:
        return dict

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError


class Slippery:
    """Raises when it is asked what it is."""

    @property
    def __class__(self) -> Any:
        raise RuntimeError("nobody's business")

    @__class__.setter
    def __class__(self, value: Any) -> None:
        raise TypeError


class OddText(str):
    """Text that compares, hashes and shows itself wrong."""

    def __str__(self) -> str:
        raise ValueError

    def __eq__(self, other: object) -> bool:
        raise ValueError

    def __hash__(self) -> int:
        raise ValueError


class OddNumber(int):
    """A number that refuses to be one."""

    def __index__(self) -> int:
        raise ValueError

    def __lt__(self, other: object) -> bool:
        raise ValueError


class BrokenMapping(collections.UserDict[str, Any]):
    """A mapping whose items cannot be had."""

    def items(self) -> Any:
        raise RuntimeError("no items")


class BrokenSequence(collections.UserList[Any]):
    """A sequence that cannot be walked."""

    def __iter__(self) -> Any:
        raise RuntimeError("no walk")


class NoString:
    """Its text is no text."""

    def __str__(self) -> Any:
        return 7


class Color(enum.Enum):
    """An enumeration."""

    RED = 1


@dataclasses.dataclass
class Point:
    """A dataclass that is inside itself."""

    other: Any = None


def _cycle() -> list[Any]:
    cycle: list[Any] = [1]
    cycle.append(cycle)
    return cycle


def _dict_cycle() -> dict[str, Any]:
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    return cycle


def _deep(levels: int) -> dict[str, Any]:
    outer: dict[str, Any] = {}
    inner = outer
    for _ in range(levels):
        inner["in"] = {}
        inner = inner["in"]
    return outer


def _wide() -> list[Any]:
    value: list[Any] = ["x"]
    for _ in range(30):
        value = [value] * 10
    return value


def _point() -> Point:
    point = Point()
    point.other = point
    return point


HOSTILE: dict[str, Any] = {
    "lone surrogate": "a\ud800b",
    "surrogate pair": "\ud83d\ude00",
    "NUL": "a\x00b",
    "control characters": "\x1b[31m\r\n",
    "empty": "",
    "1 MB": "x" * 1_000_000,
    "5 MB": "y" * 5_000_000,
    "int of 65 bits": 2**64,
    "negative int of 65 bits": -(2**64),
    "int of 10,000 digits": 10**10_000,
    "NaN": float("nan"),
    "infinity": float("-inf"),
    "None": None,
    "bytes": b"\xff\xfe",
    "1 MB of bytes": b"z" * 1_000_000,
    "bytearray": bytearray(b"abc"),
    "memoryview": memoryview(b"abc"),
    "no text": Unspeakable(),
    "a liar": Liar(),
    "slippery": Slippery(),
    "odd text": OddText("odd"),
    "odd number": OddNumber(5),
    "no string": NoString(),
    "cyclic list": _cycle(),
    "cyclic dict": _dict_cycle(),
    "dataclass in itself": _point(),
    "33 deep": _deep(33),
    "5,000 deep": _deep(5_000),
    "endless on the wire": _wide(),
    "mixed list": [1, "a", None, 2.5, [b"x"], {"k": Unspeakable()}],
    "odd keys": {1: "a", None: "b", ("t",): "c", Unspeakable(): "d", "\ud800": "e", "": "f"},
    "broken mapping": BrokenMapping(a=1),
    "broken sequence": BrokenSequence([1]),
    "100,000 items": list(range(100_000)),
    "range": range(10**12),
    "set": {1, 2},
    "generator": (number for number in range(3)),
    "mapping proxy": types.MappingProxyType({"a": 1}),
    "Decimal": decimal.Decimal("1.10"),
    "Fraction": fractions.Fraction(1, 3),
    "datetime": datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC),
    "UUID": uuid.UUID(int=7),
    "Path": pathlib.PurePosixPath("/tmp/x"),
    "Enum": Color.RED,
    "class": Point,
    "function": _deep,
    "exception": ValueError("inside"),
    "complex": 1 + 2j,
}


def check_all(check: Callable[[Any], None]) -> None:
    """Check each hostile value, and fail with the names of those that raise; a report of the values would be endless."""
    failed = {}
    for kind, value in HOSTILE.items():
        try:
            check(value)
        except Exception as error:
            failed[kind] = type(error).__name__
    assert failed == {}
