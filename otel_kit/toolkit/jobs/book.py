"""The books of one batch: which items are done, failed, in doubt; and what is told of each."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Sized
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry.trace import Span, StatusCode, set_span_in_context

from otel_kit import _guard, semconv
from otel_kit._facts import Facts
from otel_kit.context import current_context
from otel_kit.context.before import Before
from otel_kit.errors import ArgumentError
from otel_kit.signals import get_tracer
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.jobs import figures, stopping
from otel_kit.toolkit.jobs.journal import ADDRESS, BEGUN, DONE, FAILED, LONGEST_LABEL, Journal, item_id
from otel_kit.toolkit.jobs.places import runs_directory
from otel_kit.toolkit.jobs.progress import Progress
from otel_kit.toolkit.jobs.runs import SCOPE, current_run
from otel_kit.toolkit.jobs.stage import jobs, note_error

ALL_SPANS = 100
MOST_NAMED = 1000
FINISHED, TIMED_OUT, LEFT = "finished", "timeout", "left"
_SIGNALLED = {2: "interrupted"}

Key = Callable[[Any], Any]


class Entry:
    """An item that is being worked on.

    Attributes:
        index: its place among the items.
        item: itself.
        id: in the journal; empty where there is none.
        label: what it is called there.
        was_in_doubt: an earlier process was at it when it was cut off.
        attempts: how often it was tried.
    """

    __slots__ = (
        "attempts",
        "began",
        "current",
        "id",
        "index",
        "item",
        "label",
        "span",
        "was_in_doubt",
    )

    def __init__(
        self, index: int, item: Any, id_: str = "", label: str = "", was_in_doubt: bool = False
    ) -> None:
        self.index, self.item, self.id, self.label = index, item, id_, label
        self.was_in_doubt = was_in_doubt
        self.attempts = 0
        self.began = 0.0
        self.span: Span | None = None
        self.current: Any = None  # what makes the span the current one


class Book:
    """What happens to the items of a batch.

    Args:
        name: of the batch.
        items: all of them, for their number.
        total: their number, where ``items`` does not know it.
        resume: go on where an earlier process was cut off.
        key: what an item is known by.
        retry_failed: when resuming, try again what failed.
    """

    graceful = True

    def __init__(
        self, name: str, items: Any, *, total: int | None, resume: bool, key: Key | None, retry_failed: bool
    ) -> None:
        self.name, self._key, self._retry_failed = name, key, retry_failed
        self._total = total if total is not None else len(items) if isinstance(items, Sized) else None
        self._items: Any = items
        self._resume = resume
        self._lock = threading.RLock()
        self._seen: dict[str, int] = {}
        self.stopping = 0
        self.on_stop: Callable[[int], None] | None = None
        self.in_doubt: list[str] = []
        self.failures: list[str] = []
        self.outcome = ""
        self._abandoned = 0
        self._failed_before: set[str] = set()
        self._open = False
        self._journal: Journal | None = None
        self._named = {semconv.BATCH_NAME: name}
        self._done_as = Facts({**self._named, semconv.BATCH_ITEM_OUTCOME: "done"})
        self._failed_as = Facts({**self._named, semconv.BATCH_ITEM_OUTCOME: "failed"})
        self._begun, self._next_span = 0, 1
        self._span: Span | None = None
        self.context: Any = None
        self._before: Before | None = None
        self._durations: Any = None

    # -- beginning and end

    def open(self) -> None:
        """Begin.

        Raises:
            JobError: another process is at this batch.
            ArgumentError: items cannot be known again in another process.
        """
        self._run = current_run()
        run_id = current_context().get("run_id")
        self._pid = os.getpid()
        if self._resume:
            self._journal = Journal(self.name, os.path.join(runs_directory(), "journals"))
            self._journal.open()
        journal = self._journal
        self.progress = Progress(
            self.name,
            self._total,
            None if run_id is None else str(run_id),
            journal.keep if journal else _nothing,
            lambda entry: self.label(entry.item),
        )
        self._count_done()
        self._open = True
        self._began = time.perf_counter()
        if jobs.on:
            self._begin_span()
        self.progress.start()
        if self._run is not None:
            self._run.has_progress(self.progress.path)
        stopping.watch(self, interrupts=True)

    def _begin_span(self) -> None:
        self._before = Before()
        self._span = get_tracer(SCOPE).start_span(f"batch {self.name}", attributes=self._named)
        self.context = set_span_in_context(self._span)
        name = semconv.METRIC_BATCH_ITEM_DURATION
        self._durations = figures.duration(name, "Duration of items of batches.", of_items=True)

    def _count_done(self) -> None:
        """How far it is already, before the first item, so that progress begins where it ended."""
        journal = self._journal
        if journal is None or not journal.states:
            return
        # All of them from the beginning: this process may be cut off, too.
        self.in_doubt = list(journal.labels.values())[:MOST_NAMED]
        if hasattr(self._items, "__len__") and iter(self._items) is not self._items:
            seen: dict[str, int] = {}
            states = [journal.states.get(_id(self._known(item), seen)) for item in self._items]
        else:
            states = list(journal.states.values())
        done, failed = states.count(DONE), states.count(FAILED)
        self._failed_before = {item for item, state in journal.states.items() if state == FAILED}
        progress = self.progress
        progress.skipped = done + (0 if self._retry_failed else failed)
        progress.processed, progress.failed = done + failed, failed
        again = f"; in doubt, and done again: {', '.join(self.in_doubt[:5])}" if self.in_doubt else ""
        total = "" if self._total is None else f" of {self._total:,}"
        failed_too = f", {failed:,} of them failed" if failed else ""
        _guard.say(f"batch {self.name} goes on after {done + failed:,}{total}{failed_too}{again}")

    def close(self, outcome: str, error: BaseException | None = None) -> None:
        """It is over."""
        with self._lock:
            if not self._open:
                return
            self._open = False
        stopping.unwatch(self)
        if os.getpid() != self._pid:
            return
        try:
            self._close(outcome, error)
        except Exception as failure:
            _guard.contained("jobs.batch", failure)

    def _close(self, outcome: str, error: BaseException | None) -> None:
        self.outcome = outcome
        self.progress.stop(outcome)
        if self._journal is not None:
            whole = outcome == FINISHED and not self.progress.failed and not self._abandoned
            self._journal.close(complete=whole)
        facts = self.facts()
        if self._run is not None:
            self._run.had_batch(facts)
        if self._span is not None:
            self._end_span(self._span, facts, error)

    def _end_span(self, span: Span, facts: dict[str, Any], error: BaseException | None) -> None:
        attributes = {
            **self._named,
            semconv.BATCH_OUTCOME: facts["outcome"],
            semconv.BATCH_PROCESSED: facts["processed"],
            semconv.BATCH_FAILED: facts["failed"],
            semconv.BATCH_SKIPPED: facts["skipped"],
            semconv.BATCH_IN_DOUBT: facts["in_doubt"],
        }
        if facts["total"] is not None:
            attributes[semconv.BATCH_TOTAL] = facts["total"]
        span.set_attributes(attributes)
        if error is not None:
            note_error(span, error)
        elif facts["outcome"] != FINISHED:
            span.set_status(StatusCode.ERROR, facts["outcome"])
        token = otel_context.attach(self.context)
        try:
            body = f"batch {self.name} {facts['outcome']}: {facts['processed']:,} items, {facts['failed']:,} failed"
            well = facts["outcome"] == FINISHED and not facts["failed"]
            figures.tell(semconv.EVENT_BATCH_ENDED, body, attributes, well=well)
        finally:
            otel_context.detach(token)
        span.end()

    def facts(self) -> dict[str, Any]:
        """For the summary of a run."""
        found = self.progress.facts()
        return {
            "name": self.name,
            "outcome": self.outcome or found["status"],
            "processed": found["processed"],
            "total": found["total"],
            "failed": found["failed"],
            "skipped": found["skipped"],
            "in_doubt": len(self.in_doubt),
            "seconds": found["elapsed_seconds"],
            "rate_per_second": found["rate_per_second"],
            "failures": self.failures[:10],
            "doubts": self.in_doubt[:10],
            "progress": self.progress.path,
        }

    # -- signals

    def stop(self, number: int) -> None:
        """No new items; see ``stopping``."""
        self.stopping = number
        if self.on_stop is not None:
            self.on_stop(number)

    @property
    def is_open(self) -> bool:
        """Whether it goes on still."""
        return self._open

    def cut(self, number: int) -> None:
        """The process ends at once."""
        if self._open and os.getpid() == self._pid:
            self._open = False
            self.outcome = self.progress.status = signalled(number)
            self.progress.last_words()
            if self._run is not None:
                self._run.had_batch(self.facts())
            if self._journal is not None:
                self._journal.close(complete=False)

    # -- items

    def entry(self, index: int, item: Any) -> Entry | None:
        """An item's turn has come: None where it is done already. Raises ArgumentError as :meth:`open`."""
        if self._journal is None:
            return Entry(index, item)
        known = self._known(item)
        id_ = _id(known, self._seen)
        state = self._journal.states.get(id_)
        if state == DONE or (state == FAILED and not self._retry_failed):
            return None
        label = item if self._key is None and type(item) is str else known
        return Entry(index, item, id_, label[:LONGEST_LABEL], state == BEGUN)

    def _known(self, item: Any) -> str:
        if self._key is not None:
            return text(self._key(item))
        if type(item) is int:
            return str(item)
        shown = repr(item)
        if ADDRESS in shown and type(item) is not str:
            valid = "items whose repr() is the same in each process, or key=… that says what one is known by"
            raise ArgumentError("batch(items)", shown[:200], valid)
        return shown

    def label(self, item: Any) -> str:
        """What an item is called."""
        try:
            shown = (
                text(self._key(item)) if self._key is not None else item if type(item) is str else repr(item)
            )
        except Exception:
            shown = f"<{type(item).__name__}>"
        return shown[:LONGEST_LABEL]

    def begin(self, entry: Entry) -> None:
        """It is being worked on."""
        if self._journal is not None:
            self._journal.begin(entry.id, entry.label)
        self.progress.current = entry
        entry.began = time.perf_counter()
        if self._span is not None:
            self._begun += 1
            if self._begun >= self._next_span:
                self._next_span = next_thinned(self._begun)
                # Of two batches that go on side by side, as in a zip, the spans end in another order than they began.
                entry.current = get_tracer(SCOPE).start_as_current_span(**self._item_span(entry))
                entry.span = entry.current.__enter__()

    def _item_span(self, entry: Entry) -> dict[str, Any]:
        attributes: dict[str, Any] = {**self._named, semconv.BATCH_ITEM_INDEX: entry.index}
        if self._key is not None or self._journal is not None:
            attributes[semconv.BATCH_ITEM_KEY] = self.label(entry.item)
        return {"name": f"{self.name} item", "context": self.context, "attributes": attributes}

    def done(self, entry: Entry, *, next_at_once: bool = False) -> float:
        """It is done; gives the seconds that it took.

        Args:
            entry: the item.
            next_at_once: see :meth:`Journal.end_with_next`.
        """
        seconds = time.perf_counter() - entry.began
        with self._lock:
            if self._journal is not None:
                if next_at_once:
                    self._journal.end_with_next(entry.id)
                else:
                    self._journal.end(entry.id, DONE)
            self._count(entry)
        if self._durations is not None:
            self._durations.record(seconds, self._done_as)
        if entry.span is not None:
            self._end_item_span(entry, entry.span, None)
        return seconds

    def failed(self, entry: Entry, error: BaseException) -> float:
        """It failed; gives the seconds that it took."""
        seconds = time.perf_counter() - entry.began
        with self._lock:
            if self._journal is not None:
                self._journal.end(entry.id, FAILED)
            self.progress.failed += 1
            self._count(entry)
            if len(self.failures) < MOST_NAMED:
                self.failures.append(self.label(entry.item))
        if self._durations is not None:
            self._durations.record(seconds, self._failed_as)
            if entry.span is None:  # thinned out, but what fails is told
                began = time.time_ns() - int(seconds * 1e9)
                entry.span = get_tracer(SCOPE).start_span(**self._item_span(entry), start_time=began)
            self._end_item_span(entry, entry.span, error)
        elif self._run is not None:
            self._run.had_problem(error)
        return seconds

    def _count(self, entry: Entry) -> None:
        if self._failed_before and entry.id in self._failed_before:  # among the processed ones already
            self._failed_before.discard(entry.id)
            self.progress.failed -= 1
        else:
            self.progress.processed += 1
        self.progress.worked += 1

    def abandon(self, entry: Entry) -> None:
        """Nobody knows what becomes of it."""
        with self._lock:
            self._abandoned += 1
            if len(self.in_doubt) < MOST_NAMED and not entry.was_in_doubt:
                self.in_doubt.append(self.label(entry.item))
        if entry.span is not None:
            self._end_item_span(entry, entry.span, None, in_doubt=True)

    def _end_item_span(
        self, entry: Entry, span: Span, error: BaseException | None, *, in_doubt: bool = False
    ) -> None:
        current, entry.span, entry.current = entry.current, None, None
        if entry.attempts > 1:
            span.set_attribute(semconv.BATCH_ITEM_ATTEMPTS, entry.attempts)
        span.set_attribute(
            semconv.BATCH_ITEM_OUTCOME, "in doubt" if in_doubt else "done" if error is None else "failed"
        )
        if error is not None:
            note_error(span, error)
        if current is not None:
            current.__exit__(None, None, None)
        else:
            span.end()

    def go_back(self) -> None:
        """Nobody goes through the items any more."""
        if self._before is not None:
            self._before.go_back()


def _id(known: str, seen: dict[str, int]) -> str:
    occurrence = seen.get(known, 0)
    seen[known] = occurrence + 1
    return item_id(known, occurrence)


def next_thinned(number: int) -> int:
    """The next item that has a span: each of the first 100, then one in 10, from 1,000 on one in 100 …"""
    step = 1
    while number >= ALL_SPANS * step:
        step *= 10
    return number - number % step + step


def signalled(number: int) -> str:
    """The outcome of a batch that a signal ended."""
    return _SIGNALLED.get(number, "stopped")


def _nothing() -> None:
    """There is no journal to keep."""
