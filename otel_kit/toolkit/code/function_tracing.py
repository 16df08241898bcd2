"""What happens to functions, by ``sys.settrace``: for Python 3.11.

All code costs one call of ours per call. Another tracer goes on as before. Limits: threads that run already are not
seen, and a debugger that starts later ends it for its thread.
"""

from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable
from opcode import opname
from types import FrameType
from typing import Any

from otel_kit.toolkit.code.functions import Functions

_STEPS = inspect.CO_GENERATOR | inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR


def watch_functions(functions: Functions) -> Callable[[], None]:
    """Tell ``functions`` what happens to frames of this thread, and of threads that begin later.

    Returns:
        What ends that.
    """
    here, later = _Tracer(functions, sys.gettrace()), _Tracer(functions, threading.gettrace())
    sys.settrace(here.function)
    threading.settrace(later.function)

    def stop() -> None:
        functions.end()
        here.leave()
        if threading.gettrace() is later.function:
            threading.settrace(later.first)

    return stop


class _Tracer(threading.local):
    """A trace function, and whose place it has taken in each thread."""

    def __init__(self, functions: Functions, before: Any) -> None:
        self._functions, self.first, self.before = functions, before, before

    @property
    def function(self) -> Any:
        """The trace function, always the same object."""
        found = self._functions.tracers.get(id(self))
        if found is None:
            found = self._functions.tracers[id(self)] = self._called
        return found

    def leave(self) -> None:
        """Give this thread's place back, when no call is under way any more that is to be told of."""
        if self._functions.over and self._functions.idle and sys.gettrace() is self.function:
            sys.settrace(self.before)

    def _called(self, frame: FrameType, event: str, arg: Any) -> Any:
        """A frame begins or goes on."""
        functions, before = self._functions, self.before
        self.leave()
        here = sys.gettrace() is self.function  # else another tracer passes events on to us
        theirs = None if before is None else before(frame, event, arg)
        # Tracers in C, and those that prepare a thread, put themselves in our place.
        if here and sys.gettrace() is not self.function:
            self.before = sys.gettrace()
            sys.settrace(self.function)
        if functions.over or not functions.holds(frame.f_code):
            return theirs
        functions.stepped(frame)
        return _local(functions, frame, theirs, self.leave)


def _local(functions: Functions, frame: FrameType, theirs: Any, leave: Callable[[], None]) -> Any:
    in_steps = bool(frame.f_code.co_flags & _STEPS)
    error: BaseException | None = None
    caught = False
    frame.f_trace_lines = in_steps or theirs is not None

    def local(frame: FrameType, event: str, arg: Any) -> Any:
        nonlocal error, caught, theirs
        if event == "exception":
            error, caught = arg[1], False
        elif event == "line":  # of an except or finally clause: the exception may be over, or come back
            caught = True
        elif event == "return":
            frame.f_trace_lines = True
            _tell_return(functions, frame, arg, error, caught)
            error = None
            leave()
        if theirs is not None:
            theirs = theirs(frame, event, arg)
        return local

    return local


def _tell_return(
    functions: Functions, frame: FrameType, arg: object, error: BaseException | None, caught: bool
) -> None:
    # The event is the same for a return, a yield and an exception; the instruction tells which it was.
    instruction = opname[frame.f_code.co_code[frame.f_lasti]]
    if instruction == "RETURN_VALUE":
        functions.returned(frame, arg)
    elif instruction == "YIELD_VALUE" and (error is None or caught):
        functions.paused(frame)
    else:
        functions.raised(frame, error or RuntimeError("an exception left"))
