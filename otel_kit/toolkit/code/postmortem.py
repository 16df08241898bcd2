"""``debug_on_error``: the debugger, where an exception leaves a function; in development on a terminal, and nowhere else."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from otel_kit import _guard
from otel_kit.context.debugging import DEVELOPMENT, debugging
from otel_kit.context.parts import part
from otel_kit.context.wrapped import wrap

Function = TypeVar("Function", bound=Callable[..., Any])

_MARK = "__otel_kit_debugged__"
_code = part("code")


def debug_on_error(function: Function) -> Function:
    """Open Python's debugger on the frames of an exception that leaves the function, then let it go on.

    Only where telemetry is set up with the environment ``development``, ``dev`` or ``local`` (or Python runs with ``-X dev``), by
    the main thread, with a terminal to type at and to read from, and unless ``PYTHONBREAKPOINT=0``.

    Args:
        function: sync, async, a generator or an async generator.

    Raises:
        ArgumentError: it is no function.
    """
    by = "debug_on_error(function)"
    return wrap(function, _begin, debug_on_error, by=by, part=_code)  # type: ignore[no-any-return]


def _begin(args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> _Run | None:
    return _RUN if debugging_is_possible() else None


def debugging_is_possible() -> bool:
    """Whether somebody sits at a terminal who develops this program."""
    develops = debugging.environment in DEVELOPMENT or (sys.flags.dev_mode and not debugging.environment)
    return (
        bool(develops)
        and threading.current_thread() is threading.main_thread()
        and os.environ.get("PYTHONBREAKPOINT") != "0"
        and all(_is_terminal(stream) for stream in (sys.stdin, sys.stdout))
    )


def _is_terminal(stream: Any) -> bool:
    try:
        return bool(stream.isatty())
    except Exception:  # None, closed, or somebody's own
        return False


class _Run(contextlib.AbstractContextManager[None]):
    def __exit__(self, *exc: object) -> None:
        """There is nothing around a step."""

    def returned(self, result: object = None) -> None:
        """There is nothing to look at."""

    def raised(self, error: BaseException) -> None:
        """Look at it, once, however many functions it leaves."""
        if not isinstance(error, Exception) or getattr(error, "__dict__", {}).get(_MARK):
            return
        with contextlib.suppress(Exception):
            error.__dict__[_MARK] = True
        _guard.say(f"{type(error).__name__}: the debugger is open where it was raised; q goes on")
        import pdb  # dear to import

        # Past our own wrapper, which is the outermost frame.
        traceback = error.__traceback__
        pdb.post_mortem(traceback.tb_next if traceback and traceback.tb_next else traceback)


_RUN = _Run()
