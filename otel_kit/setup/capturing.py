"""The whole pipeline, but with memory at its end: what ``otel_kit.testing.capture`` is made of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from otel_kit.setup import slim  # noqa: F401 (first, as in telemetry)

# isort: split
from otel_kit import _guard
from otel_kit.export.outcome import DELIVERED, UNENCODABLE, Outcome
from otel_kit.setup.config import resolve
from otel_kit.setup.queues import SIGNALS, Place
from otel_kit.setup.runtime import CLEANERS
from otel_kit.setup.telemetry import _runtime

Take = Callable[[str, Sequence[Any]], None]

PATIENCE = 10.0
_QUIET: dict[str, Any] = {
    "console": "off",
    "process_metrics": False,
    "error_news": False,  # would depend on what other tests did before
    "instrument": (),
    "traces_queue_size": 1_000_000,
    "logs_queue_size": 1_000_000,
    "metric_interval": 3600.0,
}


class MemorySender:
    """Takes what has passed the pipeline."""

    encoding = False

    def __init__(self, signal: str, take: Take) -> None:
        self._signal, self._take = signal, take

    def send(self, items: Sequence[Any], timeout: float) -> Outcome:
        """Keep the items; those that cannot be made fit for the encoder are dropped, as on the wire."""
        kept = []
        for item in items:
            try:
                kept.append(CLEANERS[self._signal](item))
            except Exception as error:
                _guard.contained(f"{self._signal}.clean", error)
        self._take(self._signal, kept)
        lost = len(items) - len(kept)
        return Outcome({UNENCODABLE: lost}) if lost else DELIVERED

    def renew(self) -> None:
        """There is no connection."""

    def close(self) -> None:
        """There is no connection."""


@contextlib.contextmanager
def into(take: Take, service_name: str, arguments: Mapping[str, Any]) -> Iterator[None]:
    """For the time of the block everything goes to ``take(signal, items)``; then the former telemetry goes on."""
    former = _runtime.settings if _runtime.on else None
    settings = resolve(service_name, {**_QUIET, **arguments}, environ={}, start_dir=os.sep)
    _runtime.configure(settings, lambda: [_place(signal, take) for signal in SIGNALS])
    try:
        yield
        flush()
    finally:
        if former is None:
            _runtime.shutdown(PATIENCE)
        else:
            _runtime.configure(former)


def _place(signal: str, take: Take) -> Place:
    return Place(signal, "memory", object(), lambda: MemorySender(signal, take), PATIENCE)


def flush() -> None:
    """Wait until everything emitted so far has passed the pipeline."""
    _runtime.flush(PATIENCE)
