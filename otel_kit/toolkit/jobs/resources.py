"""What a run took, or the command that is one: memory at its peak, seconds of CPU."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from importlib import import_module
from time import process_time
from typing import Any, NamedTuple


def taken() -> dict[str, Any]:
    """So far: ``peak_memory_bytes``, ``cpu_seconds``, ``children_peak_memory_bytes``, ``children_cpu_seconds``.

    Children count when they are over. The peak is the whole process's, from its beginning: no system knows it of a part.
    """
    try:
        resource = import_module("resource")  # not there on every system
    except ImportError:
        return {"cpu_seconds": process_time()}
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "peak_memory_bytes": peak(own),
        "cpu_seconds": own.ru_utime + own.ru_stime,
        "children_peak_memory_bytes": peak(children),
        "children_cpu_seconds": children.ru_utime + children.ru_stime,
    }


def peak(usage: Any) -> int:
    """Bytes, of what ``getrusage`` or ``wait4`` give."""
    most: int = usage.ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


def since(before: dict[str, Any], aside: float = 0.0) -> dict[str, Any]:
    """What was taken since then; peaks stay what they are.

    Args:
        before: what was taken until then.
        aside: seconds of CPU of this process that something else took meanwhile.
    """
    now = taken()
    now["cpu_seconds"] = max(before["cpu_seconds"], now["cpu_seconds"] - aside)
    return {
        name: value - before.get(name, 0) if name.endswith("seconds") else value
        for name, value in now.items()
    }


class Used(NamedTuple):
    """What people want to know of a run.

    Attributes:
        peak: bytes; None where nobody knows.
        cpu: seconds; None where nobody knows.
        bound: the peak is that or less.
    """

    peak: int | None
    cpu: float | None
    bound: bool = False


def used(summary: Mapping[str, Any]) -> Used:
    """Of a command's run what the command took, and what it started; of another what the process and its children took.

    The system counts what a new process has of its parent until it becomes the command: where the command needed less
    than the launcher, its peak is not known, only that it is no higher.
    """
    found = summary.get("resources") or {}
    own, children = found.get("peak_memory_bytes"), found.get("children_peak_memory_bytes")
    own_cpu, children_cpu = found.get("cpu_seconds"), found.get("children_cpu_seconds")
    if summary.get("command") and children is not None:
        return Used(children or None, children_cpu, bound=bool(children) and children <= (own or 0))
    cpu = None if own_cpu is None else own_cpu + (children_cpu or 0.0)
    return Used(max(own or 0, children or 0) or None, cpu)
