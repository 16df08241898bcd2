"""What the program's own handlers would do with a stdlib record: whether there is one, and whether it prints to the terminal."""

from __future__ import annotations

import logging
import sys


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
    return getattr(stream, "name", None) in ("<stdout>", "<stderr>")


def is_the_programs(handler: logging.Handler) -> bool:
    """Whether a handler tells that the program has set up logging: a NullHandler or pytest's do not."""
    kind = type(handler)
    return not isinstance(handler, logging.NullHandler) and not kind.__module__.startswith("_pytest.")
