"""Threads that work on items, and are given up where they take too long: nobody can end a thread from outside."""

from __future__ import annotations

import contextvars
import math
import threading
from collections.abc import Callable
from time import monotonic
from typing import Any

from otel_kit import _guard
from otel_kit.toolkit.jobs.book import Entry
from otel_kit.toolkit.jobs.feed import Feed, ItemTimeout, attempt

POLL = 0.1

Call = Callable[[Any], Any]


class _Worker:
    """One thread."""

    def __init__(self, pool: Pool, number: int) -> None:
        self.entry: Entry | None = None
        self.began = math.inf  # of the attempt that is under way
        self.given_up = False
        self._pool, self._number = pool, number
        context = contextvars.copy_context()
        # Daemons: one that hangs must not keep the program from ending.
        self.thread = threading.Thread(
            target=context.run, args=(self._work,), name=f"{pool.name} {number}", daemon=True
        )
        self.thread.start()

    def _work(self) -> None:
        pool = self._pool
        call: Call | None = None
        try:
            while not self.given_up and (entry := pool.feed.next()) is not None:
                call = call or pool.make_call()
                self.entry = entry
                attempt(pool.feed, entry, self._timed(call), pool.pause)
                self.entry = None
        except BaseException as error:
            _guard.contained("jobs.worker", error)
        finally:
            if call is not None:
                pool.end_call(call)
            pool.ended(self)

    def _timed(self, call: Call) -> Call:
        def timed(item: Any) -> Any:
            self.began = monotonic()
            try:
                return call(item)
            finally:
                self.began = math.inf

        return timed


class Pool:
    """All workers of a batch.

    Args:
        feed: gives the items.
        workers: how many.
        make_call: makes what a worker calls with each item.
        end_call: told when the worker needs it no more.
        item_timeout: seconds for one attempt, enforced by giving the thread up; None where ``make_call``'s does it.
    """

    def __init__(
        self,
        feed: Feed,
        workers: int,
        make_call: Callable[[], Call],
        end_call: Callable[[Call], None],
        item_timeout: float | None,
    ) -> None:
        self.feed, self.make_call, self.end_call = feed, make_call, end_call
        self.name = f"batch {feed.book.name}"
        self._item_timeout = item_timeout
        self._over = threading.Event()
        self._alive: set[_Worker] = set()
        self._number = 0
        for _ in range(workers):
            self._start()

    def _start(self) -> None:
        self._number += 1
        with self.feed.changed:
            self._alive.add(_Worker(self, self._number))

    def ended(self, worker: _Worker) -> None:
        """A worker has nothing left to do."""
        with self.feed.changed:
            self._alive.discard(worker)
            self.feed.changed.notify_all()

    def pause(self, seconds: float) -> None:
        """Wait, unless the batch is over."""
        self._over.wait(seconds)

    def wait(self, grace: float) -> None:
        """Until all is done, or the time is over: the batch's, or what is granted after a signal."""
        asked: float | None = None
        while True:
            with self.feed.changed:
                if not self._alive:
                    break
                self.feed.changed.wait(self._patience())
            self._give_up_slow()
            feed = self.feed
            if feed.until_deadline == 0.0:
                break
            if feed.book.stopping:
                self._over.set()
                asked = asked or monotonic()
                if monotonic() - asked >= grace:
                    break
        self._over.set()

    def _patience(self) -> float:
        left = self.feed.until_deadline
        return POLL if left is None else min(POLL, left)

    def _give_up_slow(self) -> None:
        limit = self._item_timeout
        if limit is None:
            return
        with self.feed.changed:
            slow = [w for w in self._alive if w.entry is not None and monotonic() - w.began > limit]
        for worker in slow:
            entry = worker.entry
            if entry is None or worker.given_up:
                continue
            worker.given_up = True
            self.ended(worker)
            words = f"took longer than {limit:g} s; its thread goes on, as nobody can end it"
            self.feed.failed(entry, ItemTimeout(words))
            if not self.feed.is_over:
                self._start()
