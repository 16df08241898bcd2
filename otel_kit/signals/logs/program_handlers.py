"""What the program's own handlers would do with a stdlib record: whether there is one, and whether it prints to the terminal."""

from __future__ import annotations

import logging
import sys
from typing import Any

MOST_WRAPPERS = 3  # around one another


def survey(logger: logging.Logger, level: int) -> tuple[bool, bool]:
    """Look at the handlers on a logger and above it: is there one, and does one print a record of this level?"""
    found = prints = False
    current: logging.Logger | None = logger
    while current is not None:
        for handler in current.handlers:
            found = True
            prints = prints or (level >= handler.level and _prints(handler))
        current = current.parent if current.propagate else None
    return found, prints


def _prints(handler: logging.Handler) -> bool:
    if isinstance(handler, logging.StreamHandler):
        return is_terminal_stream(handler.stream)
    if hasattr(handler, "queue"):
        # A listener in another thread prints or writes; before Python 3.12 the handler does not know it.
        listener = getattr(handler, "listener", None)
        return listener is None or any(_prints(each) for each in listener.handlers)
    target = getattr(handler, "target", None)
    if isinstance(target, logging.Handler):
        return _prints(target)
    return type(handler).__module__.startswith("rich.")


def is_terminal_stream(stream: object) -> bool:
    """Whether a stream is the process's standard output or error, also when something has wrapped it."""
    if stream is None:
        return False
    if stream is sys.stderr or stream is sys.stdout or stream is sys.__stderr__ or stream is sys.__stdout__:
        return True
    return _ends_at_terminal(stream, MOST_WRAPPERS)


def _ends_at_terminal(stream: Any, deepest: int) -> bool:
    try:
        if getattr(stream, "name", None) in ("<stdout>", "<stderr>") or stream.fileno() in (1, 2):
            return True
    except Exception:
        # Not a file, closed, or a proxy of nothing; gunicorn's and codecs' wrappers say what they hold.
        return deepest > 0 and any(_ends_at_terminal(each, deepest - 1) for each in _inside(stream))
    return False


def _inside(stream: Any) -> list[Any]:
    try:
        found = getattr(stream, "streams", None) or [getattr(stream, "stream", None)]
        return [each for each in found if each is not None]
    except Exception:
        return []


def is_the_programs(handler: logging.Handler) -> bool:
    """Whether a handler tells that the program has set up logging: a NullHandler or pytest's do not."""
    kind = type(handler)
    return not isinstance(handler, logging.NullHandler) and not kind.__module__.startswith("_pytest.")
