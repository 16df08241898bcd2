"""The far side of a batcher where an exporter made for the SDK is wanted: the console's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from otel_kit.export.outcome import DELIVERED, REJECTED, Outcome


class ExporterSender:
    """Delivers to a ``SpanExporter`` or ``MetricExporter``.

    Args:
        make: gives the exporter; called in the delivering thread at the first delivery.
        clean: makes an item fit for it.
        pack: makes what it takes of a list of items.
        weigh: what an item counts in the ledger.
    """

    encoding = False

    def __init__(
        self,
        make: Callable[[], Any],
        clean: Callable[[Any], Any],
        pack: Callable[[Sequence[Any]], Any],
        weigh: Callable[[Any], int],
    ) -> None:
        self._make, self._clean, self._pack, self._weigh = make, clean, pack, weigh
        self._exporter: Any = None

    def send(self, items: Sequence[Any], timeout: float) -> Outcome:
        """Hand the items over; what the exporter does not call a success is a rejection."""
        if self._exporter is None:
            self._exporter = self._make()
        result = self._exporter.export(self._pack([self._clean(item) for item in items]))
        if result is not None and result.name != "SUCCESS":
            return Outcome(
                {REJECTED: sum(map(self._weigh, items))}, trouble=f"the exporter says {result.name}"
            )
        return DELIVERED

    def renew(self) -> None:
        """Have a new exporter made in a forked child."""
        self._exporter = None

    def close(self) -> None:
        """Shut the exporter down; a later delivery makes a new one."""
        exporter, self._exporter = self._exporter, None
        if exporter is not None:
            exporter.shutdown()
