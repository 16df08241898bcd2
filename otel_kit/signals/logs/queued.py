"""Records on their way through a queue of the program, of which a record of ours has been made already.

``QueueHandler`` puts a copy of a record into a queue, and many listeners give it to ``logging`` once more
(``getLogger(made.name).handle(made)``, as the logging cookbook has it). The copy is remembered: by itself in a queue of this
process, and by a field of its own in one to another process, where a listener takes it off again.
"""

from __future__ import annotations

import functools
import logging
import weakref
from collections.abc import Callable
from typing import Any

from otel_kit._imports import when_imported

_MARK = "_otel_kit_taken"
_WITHIN_PROCESS = ("queue", "_queue", "collections", "asyncio.queues")

_copies: weakref.WeakSet[logging.LogRecord] = weakref.WeakSet()


class _Watch:
    """Whether queued records are of interest, and which of them a record was made of."""

    on = False
    is_taken: Callable[[logging.LogRecord], bool] = staticmethod(lambda made: False)


def install(is_taken: Callable[[logging.LogRecord], bool]) -> None:
    """Remember queued copies from now on.

    Args:
        is_taken: whether a record of ours is made of such a stdlib record.
    """
    _Watch.on, _Watch.is_taken = True, staticmethod(is_taken)
    when_imported("logging.handlers", _patch)


def remove() -> None:
    """Remember no more copies."""
    _Watch.on = False
    _copies.clear()


def was_taken(made: logging.LogRecord) -> bool:
    """Whether this is the copy of a record that was taken before it went through a queue."""
    if _copies and made in _copies:
        _copies.discard(made)
        return True
    return vars(made).pop(_MARK, False) is True


def _patch() -> None:
    from logging.handlers import QueueHandler

    prepare = QueueHandler.prepare
    if hasattr(prepare, "__wrapped__"):
        return

    @functools.wraps(prepare)
    def remembering(handler: QueueHandler, made: logging.LogRecord) -> Any:
        copy = prepare(handler, made)
        if _Watch.on and isinstance(copy, logging.LogRecord) and copy is not made and _Watch.is_taken(made):
            _remember(handler, copy)
        return copy

    QueueHandler.prepare = remembering  # type: ignore[method-assign, assignment]


def _remember(handler: Any, copy: logging.LogRecord) -> None:
    if type(getattr(handler, "queue", None)).__module__ in _WITHIN_PROCESS:
        _copies.add(copy)
    else:
        vars(copy)[_MARK] = True
