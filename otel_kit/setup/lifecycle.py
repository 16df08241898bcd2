"""The process around us: its exit, its signals, its children.

What is covered: a normal end, ``sys.exit`` and unhandled exceptions (atexit), SIGTERM where the program left it to its
default, forked children, and children of multiprocessing under any start method, which end without atexit. Not covered:
SIGKILL and ``os._exit``.
"""

from __future__ import annotations

import _thread
import atexit
import functools
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import Any

from otel_kit import _guard, _imports
from otel_kit.setup.queues import LONGEST_WAIT
from otel_kit.setup.runtime import Runtime

DEFAULT_TIMEOUT = 5.0
# How long to wait for a lock that the interrupted main thread may itself be holding.
LOCK_PATIENCE = 0.2

_installed = False
_handler: Callable[[int, FrameType | None], None] | None = None
_terminating = False
_wakeup: tuple[int, ...] = ()
_set_signal = signal.signal


def install(runtime: Runtime) -> None:
    """Watch over the end of this process and of its children. Twice is once, but for SIGTERM: see :func:`_watch_sigterm`."""
    global _installed
    if not _installed:
        _installed = True
        atexit.register(_leave, runtime)
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=lambda: _forked(runtime))
        _imports.lock_first()
        _watch_multiprocessing(runtime)
    _watch_sigterm(runtime)


def _leave(runtime: Runtime) -> None:
    """Deliver, and say what could not be delivered. Called at the end, perhaps more than once."""
    try:
        runtime.leave(_timeout(runtime))
        runtime.report_losses()
    except Exception as error:
        _guard.contained("exit", error)


def _timeout(runtime: Runtime) -> float:
    return min(runtime.settings.shutdown_timeout, LONGEST_WAIT) if runtime.settings else DEFAULT_TIMEOUT


# -- children


def _forked(runtime: Runtime) -> None:
    try:
        _forget_wakeup()
        runtime.renew()
        _watch_multiprocessing(runtime)
        # A worker of gunicorn's with preload goes back to the default action itself, and so takes ours out.
        _watch_sigterm(runtime)
        _watch_celery(runtime)
    except Exception as error:
        _guard.contained("fork", error)


def _watch_multiprocessing(runtime: Runtime) -> None:
    """Have a child of multiprocessing deliver at its end: it leaves by ``os._exit``, without atexit.

    Registered twice, because a starting child forgets the finalizers that it has, and then runs what was registered for
    after the fork; a spawned one that calls ``init_telemetry`` later forgets nothing.
    """
    util = sys.modules.get("multiprocessing.util")
    process = sys.modules.get("multiprocessing.process")
    if util is None or process is None:
        return
    util.register_after_fork(runtime, lambda _: _finalize(util, runtime))
    if process.parent_process() is not None:
        _finalize(util, runtime)


def _watch_celery(runtime: Runtime) -> None:
    """Have a process of Celery's pool deliver at its end: it, too, leaves by ``os._exit``."""
    if signals := sys.modules.get("celery.signals"):
        signals.worker_process_shutdown.connect(
            lambda **_: _leave(runtime), weak=False, dispatch_uid="otel_kit.leave"
        )


def _finalize(util: Any, runtime: Runtime) -> None:
    # After everything else that the child does at its end.
    util.Finalize(None, _leave, args=(runtime,), exitpriority=-100)
    if signal.getsignal(signal.SIGTERM) is _handler:
        _watch_wakeup(runtime)


# -- SIGTERM


def _watch_sigterm(runtime: Runtime) -> None:
    """Deliver before SIGTERM ends the process, where the program and its framework left it to the default action."""
    global _handler
    if threading.current_thread() is not threading.main_thread():
        return
    try:
        _handler = _handler or functools.partial(_terminated, runtime)
        present = signal.getsignal(signal.SIGTERM)
        if present is signal.SIG_DFL:
            _set_signal(signal.SIGTERM, _handler)
        elif present is not _handler and signal.signal is _set_signal:
            signal.signal = _set_or_replace
    except (ValueError, OSError) as error:  # a subinterpreter, an embedding program
        _guard.contained("sigterm", error)


@functools.wraps(signal.signal)
def _set_or_replace(signalnum: int, handler: Any) -> Any:
    """In the place of ``signal.signal`` while a framework handles SIGTERM.

    uvicorn puts the default action back when it has served its last request, and sends itself the signal once more. The
    default action of a program with telemetry is ours.
    """
    if signalnum == signal.SIGTERM and handler == signal.SIG_DFL:
        signal.signal = _set_signal
        handler = _handler
    return _set_signal(signalnum, handler)


def _terminated(runtime: Runtime, number: int, frame: FrameType | None) -> None:
    """Deliver from another thread, then die of the signal after all.

    The main thread was interrupted anywhere, perhaps while it held a lock of ours. Then waiting here would be waiting for
    ourselves: it goes on, and the other thread ends the process when it has delivered.
    """
    global _terminating
    _terminating = True
    _set_signal(number, signal.SIG_DFL)
    delivered = _thread.allocate_lock()
    delivered.acquire()
    # Not threading.Thread: the main thread may have been interrupted inside of threading, and hold its lock.
    _thread.start_new_thread(_deliver_and_die, (runtime, number, delivered))
    if runtime.is_free(LOCK_PATIENCE):
        delivered.acquire(timeout=_timeout(runtime) + 1.0)
        os.kill(os.getpid(), number)


def _deliver_and_die(runtime: Runtime, number: int, delivered: _thread.LockType) -> None:
    _leave(runtime)
    delivered.release()
    os.kill(os.getpid(), number)


# Python runs a signal's handler when the main thread comes around to it. A pool's worker that is told to terminate is just then
# on its way into a semaphore that nobody will release any more, and where the signal comes a moment too early for the semaphore
# and too late for Python, it never comes around. So in these processes a thread listens to what the C half of the handler writes.


def _watch_wakeup(runtime: Runtime) -> None:
    global _wakeup
    if _wakeup or threading.current_thread() is not threading.main_thread():
        return
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    former = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    if former != -1:  # the program's own, or an event loop's
        signal.set_wakeup_fd(former, warn_on_full_buffer=False)
        os.close(reader)
        os.close(writer)
        return
    _wakeup = (reader, writer)
    _thread.start_new_thread(_listen, (runtime, reader))


def _listen(runtime: Runtime, reader: int) -> None:
    while numbers := os.read(reader, 64):
        if signal.SIGTERM in numbers and signal.getsignal(signal.SIGTERM) is _handler:
            time.sleep(LOCK_PATIENCE)
            if not _terminating:
                _leave(runtime)
                os._exit(128 + signal.SIGTERM)


def _forget_wakeup() -> None:
    """A forked child must not write into its parent's pipe."""
    global _wakeup
    if _wakeup:
        signal.set_wakeup_fd(-1)
        for end in _wakeup:
            os.close(end)
        _wakeup = ()
