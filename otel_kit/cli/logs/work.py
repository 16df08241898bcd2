"""One function over all parts: in several processes where there is enough to do, and the results in order."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any, TypeVar

from otel_kit.cli.logs.part import PART, Part

R = TypeVar("R")

_PACKED = 8  # about how many times larger logs are when unpacked


class _Job:
    """What a forked process inherits: neither conditions nor open files can be sent to one."""

    parts: Sequence[Part] = ()
    function: Callable[[Part], Any]


def _run(number: int) -> Any:
    return _Job.function(_Job.parts[number])


class Work:
    """The results of a function for each part, computed ahead of whoever asks for them.

    Args:
        parts: what is to be done, in the order in which it is asked for, or nearly.
        function: what is done.
    """

    def __init__(self, parts: Sequence[Part], function: Callable[[Part], R]) -> None:
        self._parts, self._function = parts, function
        self._pool: ProcessPoolExecutor | None = None
        self._begun: dict[int, Future[Any]] = {}
        self._workers = _workers_for(parts)
        if self._workers > 1:
            _Job.parts, _Job.function = parts, staticmethod(function)
            self._pool = ProcessPoolExecutor(self._workers, get_context("fork"))

    def result(self, number: int) -> Any:
        """The result for a part."""
        if self._pool is None:
            return self._function(self._parts[number])
        for ahead in range(number, min(len(self._parts), number + 2 * self._workers)):
            if ahead not in self._begun:
                self._begun[ahead] = self._pool.submit(_run, ahead)
        found = self._begun[number].result()
        self._begun[number] = Future()  # the result is with the caller now
        return found

    def __iter__(self) -> Iterator[Any]:
        try:
            for number in range(len(self._parts)):
                yield self.result(number)
        finally:
            self.close()

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def _workers_for(parts: Sequence[Part]) -> int:
    size = sum(
        part.source.size * _PACKED if part.source.is_packed else part.end - part.start for part in parts
    )
    # Elsewhere a process begins with an empty interpreter, and beside threads a fork may hang.
    if sys.platform != "linux" or threading.active_count() > 1:
        return 1
    return max(1, min(len(parts), size // PART, len(os.sched_getaffinity(0)), 8))
