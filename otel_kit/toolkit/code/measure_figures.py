"""Figures of the process that a measurement is made of: memory, CPU time, threads. Each costs a few microseconds at most."""

from __future__ import annotations

import _thread
import os
import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from time import process_time, thread_time
from typing import Any, NamedTuple

_PAGE = os.sysconf("SC_PAGE_SIZE") if hasattr(os, "sysconf") else 4096


class Figures(NamedTuple):
    """Of one moment.

    Attributes:
        memory: resident bytes; 0 where they cannot be had.
        peak: the most resident bytes that the process ever had.
        cpu: seconds of CPU of this thread, and of the whole process.
        threads: how many threads there are.
    """

    memory: int
    peak: int
    cpu: float
    process_cpu: float
    threads: int


def figures() -> Figures:
    """Those of this moment."""
    # Not threading.active_count(), whose lock a signal's handler might wait for for ever.
    return Figures(_memory(), _peak(), thread_time(), process_time(), _thread._count() + 1)


def _of_linux() -> int:
    file = os.open("/proc/self/statm", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(file, 128).split()[1]) * _PAGE
    finally:
        os.close(file)


def _of_psutil() -> int:
    memory: int = import_module("psutil").Process().memory_info().rss
    return memory


@lru_cache(maxsize=1)
def _resource() -> Any:
    return import_module("resource")  # not there on every system


def _peak_of_unix() -> int:
    resource = _resource()
    most: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def _or_nothing(read: Callable[[], int]) -> Callable[[], int]:
    def found() -> int:
        try:
            return read()
        except Exception:  # no file left to open, or no such figure on this system
            return 0

    return found


_memory = _or_nothing(_of_linux if sys.platform == "linux" else _of_psutil)
_peak = _or_nothing(_peak_of_unix)
