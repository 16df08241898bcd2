"""Whether a process is still the one that it was: its pid, and when it began.

A pid is given away again, and a system starts counting anew with each boot; the time at which the process began, in ticks
since a named boot, belongs to one process only. Wall clocks are not asked: they jump.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from functools import lru_cache
from importlib import import_module
from typing import Any

_START, _STATE = (
    19,
    0,
)  # of the fields behind the command's name: https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html


def identity(pid: int | None = None) -> dict[str, Any]:
    """What tells a process from all others: ``pid``, ``began``, ``boot``, ``host``.

    Args:
        pid: this process by default.
    """
    number = os.getpid() if pid is None else pid
    return {"pid": number, "began": _began(number), "boot": _boot(), "host": _host()}


def is_alive(known: Mapping[str, Any]) -> bool | None:
    """Whether that process runs still.

    Args:
        known: what :func:`identity` said of it.

    Returns:
        None where nobody can tell: it ran on another machine, or in another container.
    """
    if known.get("host") != _host():
        return None
    if known.get("boot") != _boot():
        return False
    began = _began(int(known.get("pid") or 0))
    return began is not None and began == known.get("began")


def _began(pid: int) -> float | None:
    """None for a process that is not there, or that is over and only waits to be collected."""
    try:
        return _of_linux(pid) if sys.platform == "linux" else _of_psutil(pid)
    except Exception:
        return None


def _of_linux(pid: int) -> float | None:
    with open(f"/proc/{pid}/stat", "rb") as stream:
        fields = stream.read().rpartition(b")")[2].split()
    return None if fields[_STATE] in (b"Z", b"X", b"x") else float(fields[_START])


def _of_psutil(pid: int) -> float | None:
    process = import_module("psutil").Process(pid)
    return None if process.status() == "zombie" else float(process.create_time())


@lru_cache(maxsize=1)
def _boot() -> str:
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as stream:
            return stream.read().strip()
    except OSError:
        return ""


def _host() -> str:
    return os.uname().nodename if hasattr(os, "uname") else os.environ.get("COMPUTERNAME", "")
