"""A signal that comes in the moment before the main thread waits for something.

Python runs a signal's handler when the main thread comes around to it. One that comes when it has just looked for the last time,
and is not in its system call yet, interrupts nothing: the program would sleep on, for as long as it was going to. The moment is
a long one where threads compete for the interpreter's lock on a busy machine. So while something is open a thread listens to
what the C half of the handler writes, and then interrupts the main thread by SIGURG, which else does nothing.
"""

from __future__ import annotations

import _thread
import contextlib
import os
import signal
import sys
import threading
import time
from types import FrameType

NUDGE: int = getattr(signal, "SIGURG", 0)  # what is sent to nobody, and ignored by default
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8)  # before each: it, too, may come in such a moment


class _Ends:
    """Of the pipe."""

    reader = writer = -1


def listen() -> None:
    """From now on no signal is missed. In the main thread only.

    Where the program, or its event loop, is told of signals in this way itself, nothing happens.
    """
    # Trio has its own way, and warns of anybody else's.
    if _Ends.writer >= 0 or not NUDGE or "trio" in sys.modules:
        return
    if signal.getsignal(NUDGE) is not signal.SIG_DFL:
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if former != -1:
        signal.set_wakeup_fd(former)
        os.close(reader)
        os.close(writer)
        return
    signal.signal(NUDGE, _nothing)
    _Ends.reader, _Ends.writer = reader, writer
    # Not threading.Thread: a signal may come while the main thread holds a lock of threading's.
    _thread.start_new_thread(_listen, (reader, threading.get_ident()))


def _listen(reader: int, main: int) -> None:
    while numbers := os.read(reader, 64):
        if any(number != NUDGE for number in numbers):
            for pause in PAUSES:
                time.sleep(pause)
                signal.pthread_kill(main, NUDGE)
    os.close(reader)


def _nothing(number: int, frame: FrameType | None) -> None:
    """That the system call was interrupted is all."""


def rest() -> None:
    """Leave all as it was."""
    if _Ends.writer < 0:
        return
    with contextlib.suppress(ValueError, OSError):
        former = signal.set_wakeup_fd(-1)
        if former not in (-1, _Ends.writer):  # an event loop's that began meanwhile
            signal.set_wakeup_fd(former)
    if signal.getsignal(NUDGE) is _nothing:
        signal.signal(NUDGE, signal.SIG_DFL)
    os.close(_Ends.writer)  # the thread ends
    _Ends.reader = _Ends.writer = -1


def forked() -> None:
    """A child must not write into its parent's pipe."""
    reader = _Ends.reader
    if reader >= 0:
        rest()
        os.close(reader)
