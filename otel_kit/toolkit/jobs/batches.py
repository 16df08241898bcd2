"""``batch``: go through items one by one, so that it can be watched, stopped and resumed."""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from otel_kit.errors import ArgumentError
from otel_kit.toolkit.jobs import stopping
from otel_kit.toolkit.jobs.book import FINISHED, LEFT, TIMED_OUT, Book, Entry, signalled

Item = TypeVar("Item")
FAILED = "failed"


class batch(Generic[Item]):
    """Go through items: ``for lead in otel_kit.batch("leads", leads, resume=True):``; ``async for`` likewise.

    Tells its progress as a bar on a terminal or a line every 30 s, in ``logs/progress/<name>.json``, and as metrics
    ``otel_kit.batch.*``. Emits a span for the batch and one for each item, thinned: each of the first 100, then one in 10,
    from 1,000 on one in 100, and so on; a record ``otel_kit.batch.ended``. SIGINT and SIGTERM end it after the item that runs,
    with exit status 130 or 143; a second one at once.

    An item is done when the next one is asked for. One whose body the loop leaves by ``break`` or an exception is in doubt;
    to have exceptions told, and what leaves cleanly counted as done, use ``with batch(…) as items: for item in items:``. One
    that the body deals with is told by ``items.failed(error)``.

    Args:
        name: of the batch, the same each time.
        items: anything that ``for`` or ``async for`` goes through.
        total: how many, where ``items`` has no length.
        resume: leave out what an earlier process has done; until all is done, without a failure, the batch is the same one.
        key: for ``resume``: what an item is known by; its ``repr()`` by default. The order may change.
        retry_failed: for ``resume``: try again what failed.
        timeout: seconds after which no more items are given; the outcome is ``timeout`` then.
        grace: seconds that the running item is given after a signal.

    Attributes:
        outcome: ``finished``, ``timeout``, ``stopped``, ``interrupted``, ``failed``, ``left``; empty while it runs.
        in_doubt: what items are called that an earlier process, or this one, was at when it was cut off.
        failures: what items are called that failed.

    Raises:
        ArgumentError: an argument is wrong; or, while resuming, an item has no text that is the same in each process.
        JobError: another process is at this batch, as the loop begins.
    """

    def __init__(
        self,
        name: str,
        items: Iterable[Item] | AsyncIterable[Item],
        *,
        total: int | None = None,
        resume: bool = False,
        key: Callable[[Item], Any] | None = None,
        retry_failed: bool = True,
        timeout: float | None = None,
        grace: float = stopping.GRACE,
    ) -> None:
        check_name("batch(name)", name)
        check_seconds("batch(timeout)", timeout)
        check_seconds("batch(grace)", grace)
        self._items: Any = items
        self._timeout, self._grace = timeout, grace
        self._plan: dict[str, Any] = {
            "total": total,
            "resume": resume,
            "key": key,
            "retry_failed": retry_failed,
        }
        self._name = name
        self._book: Book | None = None
        self._walk: _Walk | None = None
        self._held = False

    @property
    def outcome(self) -> str:
        return self._book.outcome if self._book else ""

    @property
    def in_doubt(self) -> list[str]:
        return list(self._book.in_doubt) if self._book else []

    @property
    def failures(self) -> list[str]:
        return list(self._book.failures) if self._book else []

    def failed(self, error: BaseException) -> None:
        """The item that runs has failed with this exception, and the loop goes on."""
        if self._walk is not None:
            self._walk.failed(error)

    def _begun(self) -> _Walk:
        if self._walk is not None:
            self._walk.leave(None)
        self._book = Book(self._name, self._items, **self._plan)
        self._book.open()
        self._walk = _Walk(self._book, self._timeout, self._grace, self._items)
        self._walk.held = self._held
        return self._walk

    def __iter__(self) -> Iterator[Item]:
        items = iter(self._items)
        return cast("Iterator[Item]", _Items(items, self._begun()))

    def __aiter__(self) -> AsyncIterator[Item]:
        items = aiter(self._items)
        return cast("AsyncIterator[Item]", _AsyncItems(items, self._begun()))

    def __enter__(self) -> Self:
        self._held = True
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._held = False
        if self._walk is not None:
            self._walk.end_held(error)


class _Walk:
    """One way through the items."""

    def __init__(self, book: Book, timeout: float | None, grace: float, items: Any) -> None:
        self.book, self._grace = book, grace
        self._at_hand = type(items) in (list, tuple, range)  # the next one is not waited for
        self._deadline = None if timeout is None else time.monotonic() + timeout
        self._entry: Entry | None = None
        self._index = -1
        self.held = False
        book.on_stop = self._ask

    def _ask(self, number: int) -> None:
        stopping.interrupt_after(self._grace, number, lambda: self._entry is not None)

    def step(self) -> bool:
        """The body has come back for the next item; whether there may be one."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self.book.done(entry, next_at_once=self._at_hand)
        book = self.book
        if book.stopping:
            self.end(signalled(book.stopping))
            raise stopping.stopped(book.stopping)
        if self._deadline is not None and time.monotonic() >= self._deadline:
            self.end(TIMED_OUT)
            return False
        return True

    def take(self, item: Any) -> bool:
        """An item came; whether it is to be worked on."""
        self._index += 1
        try:
            entry = self.book.entry(self._index, item)
            if entry is None:
                return False
            entry.attempts = 1
            self.book.begin(entry)
        except BaseException as error:
            self.end(FAILED, error)
            raise
        self._entry = entry
        return True

    def failed(self, error: BaseException) -> None:
        """The program says so of the item that runs."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self.book.failed(entry, error)

    def end(self, outcome: str, error: BaseException | None = None) -> None:
        """There are no more."""
        self.book.close(outcome, error)

    def leave(self, error: BaseException | None) -> None:
        """The loop was left in the middle of an item."""
        entry, self._entry = self._entry, None
        if entry is not None:
            self.book.abandon(entry)
        number = self.book.stopping
        outcome = signalled(number) if number else FAILED if error is not None else LEFT
        self.end(outcome, error)

    def end_held(self, error: BaseException | None) -> None:
        """The block around the loop is over."""
        if not self.book.is_open:
            return
        entry, self._entry = self._entry, None
        if entry is not None and isinstance(error, Exception):
            self.book.failed(entry, error)
        elif entry is not None and error is None:
            self.book.done(entry)
        else:
            self._entry = entry
        self.leave(error)


class _Items(Generic[Item]):
    """The iterator of a ``for``. No generator: the loop must be known to be left at that moment."""

    __slots__ = ("_next", "_walk")

    def __init__(self, items: Iterator[Item], walk: _Walk) -> None:
        self._next, self._walk = items.__next__, walk

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        walk = self._walk
        while True:
            if not walk.step():
                raise StopIteration
            try:
                item = self._next()
            except StopIteration:
                walk.end(FINISHED)
                raise
            except BaseException as error:
                walk.end(FAILED, error)
                raise
            if walk.take(item):
                return item

    def __del__(self) -> None:
        if not self._walk.held and self._walk.book.is_open:
            self._walk.leave(sys.exception() if hasattr(sys, "exception") else None)
        self._walk.book.go_back()


class _AsyncItems(Generic[Item]):
    """The iterator of an ``async for``."""

    __slots__ = ("_next", "_walk")

    def __init__(self, items: AsyncIterator[Item], walk: _Walk) -> None:
        self._next, self._walk = items.__anext__, walk

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        walk = self._walk
        while True:
            if not walk.step():
                raise StopAsyncIteration
            try:
                item = await self._next()
            except StopAsyncIteration:
                walk.end(FINISHED)
                raise
            except BaseException as error:
                walk.end(FAILED, error)
                raise
            if walk.take(item):
                return item

    def __del__(self) -> None:
        if not self._walk.held and self._walk.book.is_open:
            self._walk.leave(None)
        self._walk.book.go_back()


def check_name(argument: str, name: object) -> None:
    """Raises ArgumentError where a name is none."""
    if not isinstance(name, str) or not name:
        raise ArgumentError(argument, name, "a text")


def check_seconds(argument: str, seconds: object) -> None:
    """Raises ArgumentError where it is no time."""
    number = isinstance(seconds, int | float) and not isinstance(seconds, bool)
    if seconds is not None and not (number and seconds >= 0):  # type: ignore[operator]
        raise ArgumentError(argument, seconds, "seconds as a number, or None")
