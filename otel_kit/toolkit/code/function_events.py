"""What happens to functions, by ``sys.monitoring``: code of other packages costs nothing after its first call."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType
from typing import Any

from otel_kit.toolkit.code import monitoring
from otel_kit.toolkit.code.functions import Functions


def watch_functions(functions: Functions) -> Callable[[], None] | None:
    """Tell ``functions`` what happens to frames.

    Returns:
        What ends that, as soon as no call is under way any more; None where it is not possible.
    """
    tool = monitoring.take()
    if tool is None:
        return None
    at = monitoring.monitoring
    callbacks = _callbacks(functions, lambda: _over(functions, tool))
    for event, callback in callbacks.items():
        at.register_callback(tool, event, callback)
    at.set_events(tool, sum(callbacks))
    at.restart_events()  # of an earlier time, some code may still be left out

    def stop() -> None:
        functions.end()
        _over(functions, tool)

    return stop


def _over(functions: Functions, tool: int) -> None:
    """Give the place at ``sys.monitoring`` back, once."""
    if functions.over and functions.idle and not functions.released:
        functions.released = True
        monitoring.monitoring.set_events(tool, 0)
        for event in _callbacks(functions, lambda: None):
            monitoring.monitoring.register_callback(tool, event, None)
        monitoring.give_back()


def _callbacks(functions: Functions, check: Callable[[], None]) -> dict[int, Callable[..., Any]]:
    events, leave_out = monitoring.monitoring.events, monitoring.monitoring.DISABLE

    def begin(code: CodeType, offset: int) -> Any:
        if not functions.holds(code):
            return leave_out
        functions.began(sys._getframe(1))
        return None

    def resume(code: CodeType, offset: int) -> Any:
        if not functions.holds(code):
            return leave_out
        functions.resumed(sys._getframe(1))
        return None

    def leave(code: CodeType, offset: int, result: object) -> Any:
        if not functions.holds(code):
            return leave_out
        functions.returned(sys._getframe(1), result)
        if functions.over:
            check()
        return None

    def pause(code: CodeType, offset: int, result: object) -> Any:
        if not functions.holds(code):
            return leave_out
        functions.paused(sys._getframe(1))
        if functions.over:
            check()
        return None

    # The next two are told of all code: the interpreter cannot leave any out.
    def throw(code: CodeType, offset: int, error: BaseException) -> None:
        functions.resumed(sys._getframe(1))

    def unwind(code: CodeType, offset: int, error: BaseException) -> None:
        functions.raised(sys._getframe(1), error)
        if functions.over:
            check()

    return {
        events.PY_START: begin,
        events.PY_RESUME: resume,
        events.PY_RETURN: leave,
        events.PY_YIELD: pause,
        events.PY_THROW: throw,
        events.PY_UNWIND: unwind,
    }
