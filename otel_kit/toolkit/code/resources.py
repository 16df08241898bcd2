"""What the process uses, told at intervals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

from otel_kit import semconv
from otel_kit.signals.logs.levels import INFO, gate
from otel_kit.toolkit.code.process import figures
from otel_kit.toolkit.code.records import contained, say

EVERY_SECONDS = 10.0
MEGABYTE = 2**20


class Resources:
    """A record at intervals, from a thread of its own, until :meth:`stop`.

    Args:
        every: seconds.
        more: gives further attributes.
    """

    def __init__(self, every: float, more: Callable[[], Mapping[str, Any]]) -> None:
        self._every, self._more = every, more
        self._over = threading.Event()
        # Our prefix: it carries no ids of the thread that started it.
        self._thread = threading.Thread(target=self._repeat, name="otel-kit-resources", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """No more records."""
        self._over.set()
        if threading.current_thread() is not self._thread:
            self._thread.join(1)

    def _repeat(self) -> None:
        cpu, since = time.process_time(), time.monotonic()
        while not self._over.wait(self._every):
            try:
                now, spent = time.monotonic(), time.process_time()
                self._tell((spent - cpu) / (now - since))
                cpu, since = spent, now
            except Exception as error:
                contained(error)

    def _tell(self, share: float) -> None:
        found = figures()
        memory = found[semconv.METRIC_PROCESS_MEMORY_USAGE] / MEGABYTE
        threads = found[semconv.METRIC_PROCESS_THREAD_COUNT]
        body = f"resources: CPU {share:.0%}, memory {memory:,.0f} MiB, {threads} threads"
        say(gate("otel_kit.debug"), INFO, body, {**found, **self._more()}, semconv.EVENT_CODE_RESOURCES)
