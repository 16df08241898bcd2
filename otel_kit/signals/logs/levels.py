"""Levels: their names, their OTel severities, and which logger lets which of them through.

A threshold is looked up once per logger name and kept in a :class:`Gate`, which every logger of that name shares.
:func:`set_level` rewrites the gates that are alive, so a filtered call costs one comparison and loggers made earlier follow.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

TRACE = 5
DEBUG = logging.DEBUG
INFO = logging.INFO
WARNING = logging.WARNING
ERROR = logging.ERROR
CRITICAL = logging.CRITICAL

NAMES: dict[str, int] = {
    "trace": TRACE,
    "debug": DEBUG,
    "info": INFO,
    "warning": WARNING,
    "warn": WARNING,
    "error": ERROR,
    "critical": CRITICAL,
    "fatal": CRITICAL,
}
VALID = "trace, debug, info, warning, error or critical"

# Python's level → the first of OTel's four severity numbers of that name, and the name as OTel writes it.
_SEVERITIES = (
    (CRITICAL, 21, "FATAL"),
    (ERROR, 17, "ERROR"),
    (WARNING, 13, "WARN"),
    (INFO, 9, "INFO"),
    (DEBUG, 5, "DEBUG"),
    (TRACE, 1, "TRACE"),
)
# Names from the program's stdlib loggers live in a table of this size at most, then it starts anew.
MAX_NAMES = 4096


@dataclass(frozen=True)
class Levels:
    """Which level a record needs at least: overall, and by the dotted prefix of its logger's name.

    Attributes:
        overall: the level for every logger without a rule of its own.
        loggers: level by logger name; it holds for the logger and for all below it.
    """

    overall: int = INFO
    loggers: Mapping[str, int] = field(default_factory=dict)

    def threshold(self, name: str) -> int:
        """The lowest level that the logger of that name lets through; the longest rule wins."""
        while self.loggers and name:
            if (level := self.loggers.get(name)) is not None:
                return level
            name = name.rpartition(".")[0]
        return self.overall


def parse_levels(text: str) -> Levels:
    """Read ``info,sqlalchemy=warning,shop.pay=debug``: one overall level, and rules by logger name.

    Raises:
        ValueError: a part is neither a level nor ``logger=level``; the message names it and what is valid.
    """
    overall: int | None = None
    rules: dict[str, int] = {}
    for part in (p.strip() for p in text.split(",")):
        name, equals, level = (p.strip() for p in part.rpartition("="))
        if equals and name:
            rules[name] = _level(level, part)
        elif equals or overall is not None:
            raise ValueError(
                f"{part!r} in {text!r} is not one overall level or logger=level; levels: {VALID}"
            )
        else:
            overall = _level(level, part)
    return Levels(INFO if overall is None else overall, rules)


def _level(name: str, part: str) -> int:
    level = NAMES.get(name.lower())
    if level is None:
        raise ValueError(f"{part!r} has no level that is known; levels: {VALID}")
    return level


def level_number(level: object) -> int:
    """The number of a level that a program gave to ``log.log()``: an integer or a name; INFO for anything else."""
    try:
        if isinstance(level, int):
            return int(level)
        return NAMES.get(level.lower(), INFO) if isinstance(level, str) else INFO
    except Exception:  # a lazy object that cannot tell what it is
        return INFO


def severity(level: int) -> tuple[int, str]:
    """OTel's severity number (1 to 24) and text of a Python level; levels in between take a number in between."""
    for base, number, text in _SEVERITIES:
        if level >= base:
            return number + min(level - base, 3), text
    return 1, "TRACE"


class Gate:
    """What all loggers of one name share: the name, and the level that a record needs at least."""

    __slots__ = ("__weakref__", "name", "threshold")

    def __init__(self, name: str, threshold: int) -> None:
        self.name = name
        self.threshold = threshold

    def __repr__(self) -> str:
        return f"<logger {self.name!r} from level {self.threshold}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return gate, (self.name,)


# Reentrant: a signal handler may ask for a logger while its thread is in here.
_lock = threading.RLock()
_levels = Levels()
_gates: WeakValueDictionary[str, Gate] = WeakValueDictionary()
_thresholds: dict[str, int] = {}
_followers: list[Callable[[Levels], None]] = []


def gate(name: str) -> Gate:
    """The one gate of that name, made when it is first asked for."""
    with _lock:
        found = _gates.get(name)
        if found is None:
            found = _gates[name] = Gate(name, _levels.threshold(name))
        return found


def threshold(name: str) -> int:
    """The same as a gate's, for loggers that are not ours and hold no gate."""
    found = _thresholds.get(name)
    if found is None:
        if len(_thresholds) >= MAX_NAMES:
            _thresholds.clear()
        found = _thresholds[name] = _levels.threshold(name)
    return found


def current() -> Levels:
    """The levels in force."""
    return _levels


def set_level(text: str) -> None:
    """Change levels while the program runs: overall, and per logger.

    Args:
        text: such as ``debug`` or ``info,sqlalchemy=warning,shop.pay=debug``. It replaces what was in force.

    Raises:
        TypeError: it is no text.
        ValueError: a part of the text is no level; nothing is changed then.
    """
    if not isinstance(text, str):
        raise TypeError(f"the level is {text!r}; valid: text such as 'info,shop.pay=debug'; levels: {VALID}")
    use(parse_levels(text))


def use(levels: Levels) -> None:
    """Put levels in force, for all loggers made so far and later."""
    global _levels, _thresholds
    with _lock:
        _levels, _thresholds = levels, {}
        for each in list(_gates.values()):
            each.threshold = levels.threshold(each.name)
        for follower in _followers:
            follower(levels)


def follow(follower: Callable[[Levels], None] | None) -> None:
    """Have a function called with the levels in force whenever they change; None lets all go."""
    _followers.clear()
    if follower is not None:
        _followers.append(follower)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
