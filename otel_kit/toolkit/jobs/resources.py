"""What the process and its children took: memory at its peak, seconds of CPU."""

from __future__ import annotations

import sys
from importlib import import_module
from time import process_time
from typing import Any


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


def since(before: dict[str, Any]) -> dict[str, Any]:
    """What was taken since then; peaks stay what they are."""
    now = taken()
    return {
        name: value - before.get(name, 0) if name.endswith("seconds") else value
        for name, value in now.items()
    }
