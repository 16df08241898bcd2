"""The items of a batch that several work on: handed out one by one, and their results put in order."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator
from time import monotonic
from typing import Any

from otel_kit.context import tally
from otel_kit.toolkit.jobs.book import FINISHED, TIMED_OUT, Book, Entry, signalled
from otel_kit.toolkit.jobs.result import DONE, FAILED, IN_DOUBT, SKIPPED, BatchResult, ItemResult

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 30.0


class ItemTimeout(TimeoutError):
    """An item took longer than it may."""


class Feed:
    """Hands items out and takes results back; its methods may be called from several threads.

    Args:
        book: of the batch.
        items: all of them.
        retries: how often an item that fails is tried again.
        stops_at_failure: whether a failure ends the batch.
        timeout: seconds until no more items are handed out.

    Attributes:
        running: items that are being worked on.
        reason: why it is over before the items are: an outcome.
        error: what an iterator of items raised.
        changed: notified when a worker ends.
    """

    def __init__(
        self, book: Book, items: Iterable[Any], *, retries: int, stops_at_failure: bool, timeout: float | None
    ) -> None:
        self.book, self._items = book, items
        self._walk: Iterator[Any] | None = None
        self._retries, self._stops = retries, stops_at_failure
        self._deadline = None if timeout is None else monotonic() + timeout
        self._results: dict[int, ItemResult[Any]] = {}
        self._index = -1
        self._exhausted = False
        self.running: dict[int, Entry] = {}
        self.reason = ""
        self.error: BaseException | None = None
        self.changed = threading.Condition(threading.RLock())

    def next(self) -> Entry | None:
        """The next item that is to be worked on; None where there is none, or no more is to begin."""
        with self.changed:
            while not self.is_over:
                try:
                    self._walk = self._walk or iter(self._items)
                    item = next(self._walk)
                    self._index += 1
                    entry = self.book.entry(self._index, item)
                except StopIteration:
                    self._exhausted = True
                    return None
                except BaseException as error:
                    self.error, self.reason = error, FAILED
                    return None
                if entry is not None:
                    self.running[entry.index] = entry
                    return entry
                self._note(Entry(self._index, item), SKIPPED)
            return None

    @property
    def is_over(self) -> bool:
        """Whether no more items are to begin; keeps the reason."""
        if self.book.stopping and not self.reason:
            self.reason = signalled(self.book.stopping)
        if self._deadline is not None and monotonic() >= self._deadline and not self.reason:
            self.reason = TIMED_OUT
        return bool(self.reason) or self._exhausted

    @property
    def until_deadline(self) -> float | None:
        """Seconds until the batch's timeout."""
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def may_retry(self, entry: Entry) -> bool:
        """Whether an item that just failed is tried again."""
        if entry.attempts > self._retries or self.reason or entry.index not in self.running:
            return False
        tally.count(tally.RETRY)
        return True

    def pause(self, entry: Entry) -> float:
        """Seconds before it is tried again: each time twice as long, and no two alike."""
        longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (entry.attempts - 1))
        return longest * random.uniform(0.5, 1.0)

    def done(self, entry: Entry, value: Any) -> None:
        """An item is done, unless it was given up meanwhile."""
        if self._ends(entry):
            seconds = self.book.done(entry)
            self._note(entry, DONE, value=value, seconds=seconds)

    def failed(self, entry: Entry, error: BaseException) -> None:
        """An item failed for good, unless it was given up meanwhile."""
        if self._ends(entry):
            seconds = self.book.failed(entry, error)
            self._note(entry, FAILED, error=error, seconds=seconds)
            if self._stops and not self.reason:
                self.reason = FAILED

    def _ends(self, entry: Entry) -> bool:
        with self.changed:
            return self.running.pop(entry.index, None) is not None

    def _note(
        self, entry: Entry, outcome: str, *, value: Any = None, error: Any = None, seconds: float = 0.0
    ) -> None:
        result = ItemResult(
            entry.index,
            entry.item,
            entry.label or self.book.label(entry.item),
            outcome,
            value,
            error,
            entry.attempts,
            seconds,
            entry.was_in_doubt,
        )
        with self.changed:
            self._results[entry.index] = result

    def give_up(self) -> None:
        """What still runs is in doubt."""
        with self.changed:
            if self.running:
                _ = self.is_over  # looks for the reason
            left, self.running = list(self.running.values()), {}
        for entry in left:
            self.book.abandon(entry)
            self._note(entry, IN_DOUBT)

    def result(self, total: int | None, seconds: float) -> BatchResult[Any]:
        """All of it, in order; closes the book."""
        self.give_up()
        outcome = self.reason or FINISHED
        self.book.close(outcome, self.error)
        with self.changed:
            items = [self._results[index] for index in sorted(self._results)]
        return BatchResult(self.book.name, outcome, items, total, seconds)


def attempt(feed: Feed, entry: Entry, call: Callable[[Any], Any], wait: Callable[[float], None]) -> None:
    """Work on one item until it is done or has failed for good."""
    feed.book.begin(entry)
    while True:
        entry.attempts += 1
        try:
            value = call(entry.item)
        except Exception as error:
            if not feed.may_retry(entry):
                return feed.failed(entry, error)
            wait(feed.pause(entry))
        except BaseException as error:  # sys.exit of an item ends the item, not the batch
            return feed.failed(entry, error)
        else:
            return feed.done(entry, value)
