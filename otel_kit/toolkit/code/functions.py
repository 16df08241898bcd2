"""All functions of some packages while they run: a span for each call, in steps where it is a generator or a coroutine.

Somebody tells what happens to frames (``function_events``, ``function_tracing``); here it becomes calls.
"""

from __future__ import annotations

import inspect
import threading
from collections import OrderedDict
from collections.abc import Callable
from time import perf_counter
from types import CodeType, FrameType
from typing import Any

from otel_kit.context.parts import part
from otel_kit.signals.logs.caller import module
from otel_kit.signals.logs.levels import DEBUG
from otel_kit.toolkit.code.call import Call
from otel_kit.toolkit.code.packages import Packages
from otel_kit.toolkit.code.records import contained
from otel_kit.toolkit.code.site import Options, Site

MOST_PAUSED = 10_000  # generators between two steps; Python does not tell of each that is given up
_FUNCTION = inspect.CO_OPTIMIZED | inspect.CO_NEWLOCALS
_OPTIONS = Options(args=True, result=True, logs=True)

_code = part("code")


class _Busy(threading.local):
    """Whether this thread is in here: what is called from here is not watched."""

    now = False


class Functions:
    """The functions of packages.

    Args:
        packages: whose.
        calls: each call is told; else only the modules as they are done.
        on_module: called with a module's namespace when it has been executed.

    Attributes:
        count: how many calls were told.
        seconds: how long that took.
        over: no calls are begun any more.
        released: whoever tells of frames has given its place back.
        tracers: trace functions, by whose they are.
    """

    def __init__(self, packages: Packages, calls: bool, on_module: Callable[[dict[str, Any]], None]) -> None:
        self._packages, self._wants_calls, self._on_module = packages, calls, on_module
        self._sites: dict[CodeType, Site | None] = {}
        # By the id of the frame: to hold a frame would keep its variables alive. The interpreter holds it while it runs.
        self._running: dict[int, Call] = {}
        self._paused: OrderedDict[int, tuple[CodeType, Call]] = OrderedDict()
        self._busy = _Busy()
        self.tracers: dict[int, Any] = {}
        self.over = self.released = False
        self.count, self.seconds = 0, 0.0

    @property
    def idle(self) -> bool:
        """Whether no call is under way."""
        return not self._running

    def holds(self, code: CodeType) -> bool:
        """Whether it is code of these packages that can be told of."""
        return self._packages.hold(code.co_filename) and (is_function(code) or code.co_name == "<module>")

    def began(self, frame: FrameType) -> None:
        """A function begins, or a generator's first step."""
        self._do(self._begin, frame)

    def resumed(self, frame: FrameType) -> None:
        """A generator's or coroutine's next step begins."""
        if self._is_paused(frame):
            self._do(self._resume, frame)

    def stepped(self, frame: FrameType) -> None:
        """One of the two."""
        if self._is_paused(frame):
            self._do(self._resume, frame)
        else:
            self.began(frame)

    def _is_paused(self, frame: FrameType) -> bool:
        found = self._paused.get(id(frame))
        return found is not None and found[0] is frame.f_code

    def paused(self, frame: FrameType) -> None:
        """A step is over."""
        if id(frame) in self._running:
            self._do(self._pause, frame)

    def returned(self, frame: FrameType, result: object) -> None:
        """A function is over."""
        if id(frame) in self._running:
            self._do(self._return, frame, result)
        elif frame.f_code.co_name == "<module>" and not self.over and self.holds(frame.f_code):
            self._do(self._on_module, frame.f_globals)

    def raised(self, frame: FrameType, error: BaseException) -> None:
        """An exception leaves a function."""
        if id(frame) in self._running or self._is_paused(frame):
            self._do(self._raise, frame, error)

    def end(self) -> None:
        """Begin no more calls, and let go of what is paused."""
        self.over = True
        while self._paused:
            self._give_up(self._paused.popitem()[1])

    def _do(self, step: Callable[..., None], *arguments: Any) -> None:
        """Take a step of ours inside the program's: it raises nothing, and is not watched itself."""
        if self._busy.now:
            return
        self._busy.now, began = True, perf_counter()
        try:
            step(*arguments)
        except Exception as error:
            contained(error)
        finally:
            self._busy.now = False
            self.seconds += perf_counter() - began

    def _begin(self, frame: FrameType) -> None:
        site = self._site_of(frame)
        if site is None or self.over or not _code.on:
            return
        if id(frame) in self._paused:  # that frame is gone, and its place in memory is taken
            self._give_up(self._paused.pop(id(frame)))
        call = Call(site, site.arguments_of(frame), DEBUG, steps=True)
        call.__enter__()
        self._running[id(frame)] = call
        self.count += 1

    def _resume(self, frame: FrameType) -> None:
        _, call = self._paused.pop(id(frame))
        call.__enter__()
        self._running[id(frame)] = call

    def _pause(self, frame: FrameType) -> None:
        call = self._running.pop(id(frame))
        call.__exit__()
        if self.over:
            call.raised(GeneratorExit())
            return
        self._paused[id(frame)] = frame.f_code, call
        if len(self._paused) > MOST_PAUSED:
            self._give_up(self._paused.popitem(last=False)[1])

    def _give_up(self, paused: tuple[CodeType, Call]) -> None:
        paused[1].raised(GeneratorExit())

    def _return(self, frame: FrameType, result: object) -> None:
        self._running.pop(id(frame)).returned(result)

    def _raise(self, frame: FrameType, error: BaseException) -> None:
        call = self._running.pop(id(frame), None)
        if call is None:
            _, call = self._paused.pop(id(frame))
        call.raised(error)

    def _site_of(self, frame: FrameType) -> Site | None:
        code = frame.f_code
        if code not in self._sites:
            wanted = self._wants_calls and is_function(code) and self._packages.hold(code.co_filename)
            self._sites[code] = Site.of_code(code, module(frame), _OPTIONS) if wanted else None
        return self._sites[code]


def is_function(code: CodeType) -> bool:
    """Whether code is that of a function, not of a class, a module or a comprehension."""
    return code.co_flags & _FUNCTION == _FUNCTION and (code.co_name[0] != "<" or code.co_name == "<lambda>")
