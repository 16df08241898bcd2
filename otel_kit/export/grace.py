"""What exit handlers emit after ours.

Python runs exit handlers in the reverse order of their registration: those that a program registered before ``init_telemetry``
come after ours, which has delivered everything. What they emit is delivered at once, each in the thread that emits it.
"""

from __future__ import annotations

import sys
import time
from typing import Any

from otel_kit import _guard


class Grace:
    """The time for that, one for all queues.

    Args:
        seconds: how long all these deliveries may take together.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds, self._said = seconds, False

    def deliver(self, batcher: Any) -> None:
        """Deliver what came into the queue, or close it for good."""
        began = time.monotonic()
        # While the interpreter is torn down (a __del__ emits) no thread runs that could deliver.
        may = self._seconds > 0 and not sys.is_finalizing()
        done = may and batcher.flush(began + self._seconds)
        self._seconds -= time.monotonic() - began
        if not done:
            batcher.abandon()
            self.missed(batcher)

    def missed(self, batcher: Any) -> None:
        """Say, once, that something comes too late: the line that counts the losses has been written."""
        if not self._said:
            self._said = True
            _guard.say(
                f"not delivered at exit: {batcher.name} to {batcher.outage.address}: what exit handlers emit from now on"
            )
