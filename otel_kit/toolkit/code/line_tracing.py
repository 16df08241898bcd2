"""The lines of one frame as they are reached, by ``sys.settrace``: for Python 3.11.

Another tracer goes on: it gets the events of that frame and of all others, and its place back. Limit: what the thread
calls meanwhile is slower by one call of ours for each of its.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType, FunctionType, MethodType
from typing import Any

from otel_kit.toolkit.code.records import contained

Look = Callable[[int], None]
Trace = Callable[[FrameType, str, Any], Any]


class _Tracer:
    """The trace function of one thread, while a frame of it is watched."""

    def __init__(self) -> None:
        self.users = 0
        self.before: Any = None
        self.function: Trace = self._called  # one object, which sys.gettrace() gives back

    def start(self) -> None:
        self.users += 1
        if sys.gettrace() is not self.function:
            self.before = sys.gettrace()
            sys.settrace(self.function)

    def stop(self) -> None:
        self.users -= 1
        # Where somebody else has taken our place, or another thread ends it, it ends as the thread calls something.
        if not self.users and sys.gettrace() is self.function:
            sys.settrace(self.before)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A frame begins: whoever traced before may want to trace it."""
        before = self.before
        if not self.users and sys.gettrace() is self.function:
            sys.settrace(before)
        if before is None:
            return None
        here = sys.gettrace() is self.function  # else another tracer passes events on to us
        local = before(frame, event, arg)
        # Tracers in C put themselves in our place as they are called.
        if here and self.users and sys.gettrace() is not self.function:
            sys.settrace(self.function)
        return local


class _Here(threading.local):
    def __init__(self) -> None:
        self.tracer = _Tracer()


_here = _Here()


def watch_lines(frame: FrameType, look: Look) -> Callable[[], None]:
    """Call ``look`` with the number of each line of that frame, which runs in this thread, just before the line runs.

    Returns:
        What ends that.
    """
    tracer = _here.tracer
    tracer.start()
    earlier = frame.f_trace
    deliver = earlier if earlier is not None else _tracer_in_c(tracer.before)

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal deliver
        if event == "line":
            try:
                look(frame.f_lineno)
            except Exception as error:
                contained(error)
        if deliver is not None:
            deliver = deliver(frame, event, arg)
        return local

    def stop() -> None:
        if frame.f_trace is local:
            frame.f_trace = deliver if earlier is not None else None
        tracer.stop()

    frame.f_trace = local
    return stop


def _tracer_in_c(tracer: Trace | None) -> Trace | None:
    """A tracer that is written in C sees the events of a frame without having said so in the frame."""
    return None if isinstance(tracer, FunctionType | MethodType) else tracer
