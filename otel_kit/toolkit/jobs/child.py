"""A process that works on items for a worker's thread: it can be ended, and it may die without harm to the rest."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import threading
import traceback
from collections.abc import Callable
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate

from otel_kit.errors import JobError
from otel_kit.toolkit.jobs.feed import ItemTimeout

LOOK = 1.0  # seconds between two looks at whether the parent is still there
PATIENCE = 2.0

_starting = threading.Lock()


class Child:
    """One process, started when the first item comes, and anew after one that was ended.

    Args:
        function: called with each item.
        item_timeout: seconds for one item.
    """

    def __init__(self, function: Callable[[Any], Any], item_timeout: float | None) -> None:
        self._function, self._timeout = function, item_timeout
        self._process: Any = None
        self._pipe: Any = None

    def __call__(self, item: Any) -> Any:
        """The function's result, from the process.

        Raises:
            ItemTimeout: it took too long; the process is ended.
            JobError: the process died.
        """
        if self._process is None:
            self._start()
        carrier: dict[str, str] = {}
        propagate.inject(carrier)
        try:
            self._pipe.send_bytes(pickle.dumps((item, carrier)))
            if not self._pipe.poll(self._timeout):
                self.kill()
                raise ItemTimeout(f"took longer than {self._timeout:g} s; its process was ended")
            worked, value = pickle.loads(self._pipe.recv_bytes())
        except (EOFError, ConnectionError) as error:
            raise JobError(f"the process that worked on it died: {self._ending()}") from error
        if worked:
            return value
        raise value

    def _start(self) -> None:
        context = multiprocessing.get_context()
        # One after the other: a process that is forked meanwhile would hold the pipe's other end open.
        with _starting:
            self._pipe, theirs = context.Pipe()
            self._process = context.Process(
                target=_serve, args=(theirs, self._function, os.getpid()), daemon=True
            )
            self._process.start()
            theirs.close()

    def _ending(self) -> str:
        process = self._process
        process.join(PATIENCE)
        code = process.exitcode
        self.kill()
        if code is None:
            return "it closed its pipe"
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit status {code}"

    def kill(self) -> None:
        """End the process, whatever it does."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.join(PATIENCE)
            self._pipe.close()

    def close(self) -> None:
        """No more items: the process ends by itself, and delivers its telemetry."""
        process = self._process
        if process is None:
            return
        try:
            self._pipe.send_bytes(b"")
            process.join(PATIENCE)
        except OSError:
            pass
        self.kill()


def _serve(pipe: Any, function: Callable[[Any], Any], parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all of them; the parent decides
    while True:
        while not pipe.poll(LOOK):
            if os.getppid() != parent:
                return
        try:
            data = pipe.recv_bytes()
        except EOFError:
            return
        if not data:
            return
        item, carrier = pickle.loads(data)
        pipe.send_bytes(_worked(function, item, carrier))


def _worked(function: Callable[[Any], Any], item: Any, carrier: dict[str, str]) -> bytes:
    token = otel_context.attach(propagate.extract(carrier)) if carrier else None
    try:
        return pickle.dumps((True, function(item)))
    except Exception as error:
        return _failure(error)
    finally:
        if token is not None:
            otel_context.detach(token)


def _failure(error: Exception) -> bytes:
    error.add_note("".join(traceback.format_exception(error)).rstrip())
    try:
        data = pickle.dumps((False, error))
        pickle.loads(data)  # some exceptions can be pickled, and not be made again
    except Exception:
        return pickle.dumps((False, JobError(f"{type(error).__name__}: {error}")))
    return data
