"""The standard library's own levels, lowered where the program has set none, without its handlers noticing.

``logging``'s root stands at WARNING until somebody changes it: in a program that configured nothing, an INFO record is never
even made. So as long as root is at WARNING and has no handler, it is put to ``log_level``; and a logger that an operator
named (``shop.pay=debug``) and that has no level of its own is put to that. Both keep what the program had: handlers, also those
added later (``basicConfig()`` without a level, ``addHandler``), get no record below it, and removal restores it. Whatever
the program sets itself, before or after, stands: ``setLevel``, ``basicConfig(level=…)`` and ``dictConfig`` replace our value.
"""

from __future__ import annotations

import logging

from otel_kit.signals.logs.levels import Levels
from otel_kit.signals.logs.program_handlers import is_the_programs


class Lowered(int):
    """A level that we put on a stdlib logger. An integer like any other, and it remembers what was there."""

    original: int


class _Lowering:
    """Whether any logger has a level of ours at this moment."""

    on = False


_named: set[str] = set()


def lower(levels: Levels) -> None:
    """Let through what these levels ask for, on loggers whose level the program has not set."""
    restore()
    root = logging.root
    if root.level == logging.WARNING and not any(map(is_the_programs, root.handlers)):
        _put(root, levels.overall)
    for name, level in levels.loggers.items():
        logger = logging.getLogger(name)
        if not logger.level:
            _named.add(name)
            _put(logger, level)


def follow(levels: Levels) -> None:
    """The same when levels change later, while a lowered root may have got handlers of the program."""
    held = isinstance(logging.root.level, Lowered)
    lower(levels)
    if held and not isinstance(logging.root.level, Lowered):
        _put(logging.root, levels.overall)


def restore() -> None:
    """Give all loggers back what they had, except where the program has set something since."""
    for logger in (logging.root, *map(logging.getLogger, _named)):
        if isinstance(logger.level, Lowered):
            logger.setLevel(logger.level.original)
    _named.clear()
    _Lowering.on = False


def program_level(logger: logging.Logger) -> int:
    """The effective level of a logger as if we had never been here; 0 where we are not."""
    if not _Lowering.on:
        return logging.NOTSET
    current: logging.Logger | None = logger
    while current is not None:
        level = current.level
        if type(level) is Lowered:
            level = level.original
        if level:
            return level
        current = current.parent
    return logging.NOTSET


def _put(logger: logging.Logger, level: int) -> None:
    if level < logger.getEffectiveLevel():
        lowered = Lowered(level)
        lowered.original = logger.level
        logger.setLevel(lowered)
        _Lowering.on = True
