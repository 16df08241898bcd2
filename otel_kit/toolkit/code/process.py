"""What the process uses at the moment."""

from __future__ import annotations

import threading
import time
from typing import Any

from otel_kit import semconv


def figures() -> dict[str, Any]:
    """CPU time in seconds, memory in bytes, threads, and open files where the system counts them."""
    import psutil  # dear to import

    process = psutil.Process()
    found: dict[str, Any] = {
        semconv.METRIC_PROCESS_CPU_TIME: round(time.process_time(), 6),
        semconv.METRIC_PROCESS_MEMORY_USAGE: process.memory_info().rss,
        semconv.METRIC_PROCESS_THREAD_COUNT: threading.active_count(),
    }
    if hasattr(process, "num_fds"):
        found[semconv.METRIC_PROCESS_UNIX_FILE_DESCRIPTOR_COUNT] = process.num_fds()
    return found
