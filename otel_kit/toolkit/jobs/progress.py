"""The progress of a batch: counted by whoever works, and told by a thread of its own, so that it costs an item nothing.

It is told as a file that is replaced at once, at most ten times a second; as a line at the bottom of a terminal, or a line
every 30 s where there is none; and as metrics.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from otel_kit import _guard, semconv
from otel_kit.toolkit.jobs import bar, figures
from otel_kit.toolkit.jobs.alive import identity, is_alive
from otel_kit.toolkit.jobs.places import attempt, file_name, progress_directory, read_json, write_json
from otel_kit.toolkit.jobs.rate import Rate
from otel_kit.toolkit.jobs.stage import jobs
from otel_kit.toolkit.jobs.terminal import bottom, is_terminal, width

TICK = 0.2
STILL = 1.0  # seconds after which the file is written though nothing has changed
LINE_EVERY = 30.0
LONGEST_ITEM = 80


class Progress:
    """How far a batch is.

    Args:
        name: of the batch.
        total: how many items; None where nobody knows.
        run_id: the run that it belongs to.
        keep: called at each tick, too.
        label: what the current item is called.
    """

    def __init__(
        self,
        name: str,
        total: int | None,
        run_id: str | None,
        keep: Callable[[], None],
        label: Callable[[Any], str],
    ) -> None:
        self.name, self.total, self.status = name, total, "running"
        self.processed = self.failed = self.skipped = 0
        self.worked = 0  # of these, here and now: what the rate is made of
        self.current: Any = None  # the item that was begun last
        self._run_id, self._keep, self._label = run_id, keep, label
        self._began = self._moved = time.monotonic()
        self._seen = -1
        self._rate = Rate()
        self._written = self._said = 0.0
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._draw: Callable[[Any, int], str] | None = None
        self._before: object = None
        self._process = identity()
        self.path = _free_path(name, self._process)

    def start(self) -> None:
        """Begin to tell."""
        self._said = time.monotonic()
        if is_terminal(sys.stderr):
            self._draw = bar.drawing()
            self._before = bottom.owner
            bottom.take(self)
        self._write()
        self._thread = threading.Thread(target=self._tell, name=f"otel_kit progress {self.name}", daemon=True)
        try:
            self._thread.start()
        except RuntimeError:  # the program is at its very end
            self._thread = None

    def stop(self, status: str) -> None:
        """Tell the last, and no more."""
        self.status = status
        self._over.set()
        if os.getpid() != self._pid:
            return
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(2.0)
        self.last_words()

    def last_words(self) -> None:
        """Write the file as it is in the end."""
        found = self.facts()
        self._write(found)
        if self._draw is not None:
            bottom.give_back(self, self._before)
        if self._draw is not None or found["elapsed_seconds"] >= LINE_EVERY:
            _guard.say(bar.line(found))
        self._measure(found)

    def facts(self) -> dict[str, Any]:
        """How it stands."""
        now = time.monotonic()
        elapsed = now - self._began
        processed, worked, total = self.processed, self.worked, self.total
        if total is not None and processed > total:
            total = processed  # it said another length than it has
        if processed != self._seen:
            self._seen, self._moved = processed, now
        left = None if total is None else total - processed
        running = self.status == "running"
        rate = self._rate.per_second(elapsed, worked)
        if not running and worked and elapsed:
            rate = worked / elapsed
        eta = self._rate.seconds_left(elapsed, worked, left) if left is not None and running else None
        return {
            "operation": self.name,
            "status": self.status,
            "processed": processed,
            "total": total,
            "percentage": None if total is None else round(100 * processed / total, 2) if total else 100.0,
            "failed": self.failed,
            "skipped": self.skipped,
            "rate_per_second": None if rate is None else round(rate, 4),
            "elapsed_seconds": round(elapsed, 3),
            "eta_seconds": None if eta is None else round(eta, 1),
            "idle_seconds": round(now - self._moved, 3),
            "current_item": self._current(),
            "timestamp": datetime.now(UTC).isoformat(),
            "pid": self._process["pid"],
            "run_id": self._run_id,
            "process": self._process,
        }

    def _current(self) -> str | None:
        current = self.current
        if current is None or self.status != "running":
            return None
        try:
            return self._label(current)[:LONGEST_ITEM]
        except Exception:
            return None

    def _tell(self) -> None:
        while not self._over.wait(TICK):
            try:
                self._tick()
            except Exception as error:
                _guard.contained("jobs.progress", error)

    def _tick(self) -> None:
        self._keep()
        now = time.monotonic()
        self._rate.add(now - self._began, self.worked)
        if self.processed == self._seen and now - self._written < STILL and self._draw is None:
            return
        found = self.facts()
        if now - self._written >= STILL:
            self._measure(found)
        self._write(found)
        if self._draw is not None:
            bottom.draw(self, self._draw(found, width()))
        elif now - self._said >= LINE_EVERY:
            self._said = now
            _guard.say(bar.line(found))

    def _write(self, found: dict[str, Any] | None = None) -> None:
        self._written = time.monotonic()
        facts = found or self.facts()
        attempt(f"the progress of batch {self.name}", self.path, lambda: write_json(self.path, facts))

    def _measure(self, found: dict[str, Any]) -> None:
        if not jobs.on:
            return
        named = {semconv.BATCH_NAME: self.name}
        for name, unit, key, words in _GAUGES:
            if found[key] is not None:
                figures.gauge(name, unit, words).set(found[key], named)


_GAUGES = (
    (semconv.METRIC_BATCH_PROCESSED, "{item}", "processed", "Items of a batch that are done or failed."),
    (semconv.METRIC_BATCH_FAILED, "{item}", "failed", "Items of a batch that failed."),
    (semconv.METRIC_BATCH_TOTAL, "{item}", "total", "Items of a batch."),
    (semconv.METRIC_BATCH_RATE, "{item}/s", "rate_per_second", "How fast a batch goes."),
    (semconv.METRIC_BATCH_ETA, "s", "eta_seconds", "How long a batch takes yet."),
)


def _free_path(name: str, process: dict[str, Any]) -> str:
    """The file of that name, unless another batch that runs at this moment has it."""
    folder = progress_directory()
    path = os.path.join(folder, f"{file_name(name)}.json")
    found = read_json(path)
    if found is None or found.get("status") != "running":
        return path
    holder = found.get("process") or {}
    if holder == process:
        number = next(
            i for i in range(2, 1000) if not _is_running(os.path.join(folder, f"{file_name(name)}.{i}.json"))
        )
        return os.path.join(folder, f"{file_name(name)}.{number}.json")
    taken = is_alive(holder) is not False
    return os.path.join(folder, f"{file_name(name)}.{process['pid']}.json") if taken else path


def _is_running(path: str) -> bool:
    return (read_json(path) or {}).get("status") == "running"
