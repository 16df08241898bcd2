"""SIGINT and SIGTERM while a run or a batch is open, where the program left them to their defaults.

The first one asks: batches take no new items and end when the running ones have; a run without a batch is left as by
``sys.exit``, so that its ``finally`` blocks run. The second one ends the process at once, with everything recorded. The exit
status is 130 or 143 (128 and the signal's number).
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any, Protocol

from otel_kit import _guard
from otel_kit.toolkit.jobs import waking

GRACE = 10.0
_NAMES = ("SIGTERM", "SIGHUP")
# Who sets these handlers does by them what the default does, or tells telemetry to leave: not the program's own.
_DEFAULTS = ("otel_kit.setup.lifecycle", "asyncio.runners")


class Stopped(SystemExit):
    """A signal asked the program to end, and it does: exit status 128 and the signal's number.

    Attributes:
        signal: the signal's number.
        result: what a batch had done until then.
    """

    def __init__(self, number: int, result: Any = None) -> None:
        super().__init__(128 + number)
        self.signal, self.result = number, result


class Interrupted(Stopped, KeyboardInterrupt):
    """The same for SIGINT."""


class Stoppable(Protocol):
    """What is told of signals."""

    graceful: bool  # it can end by itself; else the program is interrupted

    def stop(self, number: int) -> None:
        """End soon. Called in a signal's handler."""

    def cut(self, number: int) -> None:
        """Record everything, now: the process ends. Called in a signal's handler."""


class _State:
    open: list[Stoppable] = []  # noqa: RUF012 (one for the process)
    former: dict[int, Any] = {}  # noqa: RUF012
    asked = 0
    number = 0  # of the last signal
    is_over = False  # the grace period


def stopped(number: int, result: Any = None) -> Stopped:
    """The exception that ends the program for a signal."""
    return (Interrupted if number == signal.SIGINT else Stopped)(number, result)


def watch(item: Stoppable, *, interrupts: bool = False) -> None:
    """Have something told of signals, from the main thread; in others nothing happens.

    Args:
        item: what is told.
        interrupts: of SIGINT, too.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    _State.open.append(item)
    for name in (*_NAMES, *(("SIGINT",) if interrupts else ())):
        number = getattr(signal, name, None)
        if number is not None and number not in _State.former:
            _take(number)
    try:
        waking.listen()
    except (ValueError, OSError) as error:  # a subinterpreter, no more files
        _guard.contained("jobs.signals", error)


def unwatch(item: Stoppable) -> None:
    """Tell it no longer."""
    if item not in _State.open or threading.current_thread() is not threading.main_thread():
        return
    _State.open.remove(item)
    if not any(each.graceful for each in _State.open):
        _give_back(signal.SIGINT)
    if not _State.open:
        for number in list(_State.former):
            _give_back(number)
        waking.rest()
        _State.asked, _State.number, _State.is_over = 0, 0, False


def asked() -> int:
    """The signal that asked the program to end, 0 for none."""
    return _State.number


def _take(number: int) -> None:
    try:
        former = signal.getsignal(number)
        if _is_default(former):
            signal.signal(number, _on_signal)
            _State.former[number] = former
    except (ValueError, OSError) as error:  # a subinterpreter, an embedding program
        _guard.contained("jobs.signals", error)


def _give_back(number: int) -> None:
    former = _State.former.pop(number, None)
    if former is not None and signal.getsignal(number) is _on_signal:
        with contextlib.suppress(ValueError, OSError):
            signal.signal(number, former)


def _is_default(handler: Any) -> bool:
    if handler in (signal.SIG_DFL, signal.default_int_handler):
        return True
    inner = getattr(handler, "func", handler)
    return getattr(inner, "__module__", "") in _DEFAULTS


def _on_signal(number: int, frame: FrameType | None) -> None:
    if _State.is_over:
        _State.is_over = False
        raise stopped(number)
    _State.asked += 1
    _State.number = number
    if _State.asked > 1:
        end_now(number)
    graceful = [each for each in _State.open if each.graceful]
    if not graceful:
        raise stopped(number)
    for each in graceful:
        each.stop(number)


def end_now(number: int) -> None:
    """Record everything that is open, and end the process."""
    for each in reversed(_State.open):
        try:
            each.cut(number)
        except Exception as error:
            _guard.contained("jobs.cut", error)
    os._exit(128 + number)


def interrupt_after(seconds: float, number: int, still: Callable[[], bool]) -> None:
    """Interrupt the main thread when a grace period is over.

    Args:
        seconds: how long it is.
        number: the signal's.
        still: whether there is still something to interrupt.
    """

    main = threading.main_thread().ident or 0

    def over() -> None:
        time.sleep(seconds)
        if _State.open and still():
            _State.is_over = True
            # A real one, which interrupts a system call, too.
            signal.pthread_kill(main, number)

    # Not threading.Thread: the main thread may have been interrupted inside of threading, and hold its lock.
    _thread.start_new_thread(over, ())


def _after_fork() -> None:
    """A child is asked to end for itself: what is open here is its parent's."""
    _State.open.clear()
    if threading.current_thread() is threading.main_thread():
        for number in list(_State.former):
            _give_back(number)
        waking.forked()
    _State.asked, _State.is_over = 0, False


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
