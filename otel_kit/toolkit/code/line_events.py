"""The lines of one frame as they are reached, by ``sys.monitoring``: other frames of the same code pay a look-up."""

from __future__ import annotations

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from types import CodeType, FrameType

from otel_kit.toolkit.code import monitoring
from otel_kit.toolkit.code.records import contained

Look = Callable[[int], None]

_lock = threading.RLock()
_looks: dict[FrameType, tuple[Look, ...]] = {}
_codes: Counter[CodeType] = Counter()


def watch_lines(frame: FrameType, look: Look) -> Callable[[], None] | None:
    """Call ``look`` with the number of each line of that frame just before it runs.

    Returns:
        What ends that; None where it is not possible.
    """
    with _lock:
        tool = monitoring.take()
        if tool is None:
            return None
        events = monitoring.monitoring.events
        monitoring.monitoring.register_callback(tool, events.LINE, _on_line)
        _looks[frame] = (*_looks.get(frame, ()), look)
        _codes[frame.f_code] += 1
        monitoring.monitoring.set_local_events(tool, frame.f_code, events.LINE)

    def stop() -> None:
        with _lock:
            _forget(frame, look)
            _codes[frame.f_code] -= 1
            if not _codes[frame.f_code]:
                del _codes[frame.f_code]
                monitoring.monitoring.set_local_events(tool, frame.f_code, 0)
            if not _codes:
                monitoring.monitoring.register_callback(tool, events.LINE, None)
            monitoring.give_back()

    return stop


def _forget(frame: FrameType, look: Look) -> None:
    rest = list(_looks[frame])
    rest.remove(look)
    if rest:
        _looks[frame] = tuple(rest)
    else:
        del _looks[frame]


def _on_line(code: CodeType, line: int) -> None:
    for look in _looks.get(sys._getframe(1), ()):
        try:
            look(line)
        except Exception as error:
            contained(error)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
