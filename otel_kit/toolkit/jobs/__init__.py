"""Jobs: runs, batches and their progress, for work that lasts for hours without a browser in front.

- ``runs``: one run · ``stage``: a part of it · ``heard``: what happened within · ``surroundings``: where it ran
- ``summary``: what is left of it, as a file and as a page on the terminal · ``index``: all runs of a directory
- ``settling``: runs that ended without saying so · ``alive``: whether a process is still the one that it was
- ``batches``: go through items · ``run_batches``: have a function work on them, by ``pool``, ``child`` or tasks · ``feed``: hands
  items out · ``result``: what it came to · ``book``: what is known of each · ``journal``: what outlives the process
- ``progress``: how far it is · ``rate``: how fast · ``bar``, ``bar_rich``, ``terminal``: on a terminal
- ``running``: which runs are open in this process, and what its children learn of them · ``stopping``: signals
- ``places``: directories and files, and what happens where they cannot be written · ``runid``: ids that sort

Files are written whether telemetry is on or not; signals are emitted where it is on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_kit._imports import late

if TYPE_CHECKING:
    from otel_kit.toolkit.jobs.batches import batch
    from otel_kit.toolkit.jobs.result import BatchResult, ItemResult
    from otel_kit.toolkit.jobs.run_batches import run_batch
    from otel_kit.toolkit.jobs.runs import Run, run

_HOMES = {
    "BatchResult": "otel_kit.toolkit.jobs.result",
    "ItemResult": "otel_kit.toolkit.jobs.result",
    "Run": "otel_kit.toolkit.jobs.runs",
    "batch": "otel_kit.toolkit.jobs.batches",
    "run": "otel_kit.toolkit.jobs.runs",
    "run_batch": "otel_kit.toolkit.jobs.run_batches",
}

__all__ = ["BatchResult", "ItemResult", "Run", "batch", "run", "run_batch"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'otel_kit.toolkit.jobs' has no attribute {name!r}")
    value = getattr(late(_HOMES[name]), name)
    globals()[name] = value
    return value
