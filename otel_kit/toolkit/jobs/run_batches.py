"""``run_batch``: have a function work on items, in threads, processes or tasks."""

from __future__ import annotations

import asyncio
import inspect
import os
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sized
from time import monotonic, perf_counter
from typing import Any, Literal, TypeVar, overload

from otel_kit.errors import ArgumentError, JobError
from otel_kit.toolkit.jobs import stopping
from otel_kit.toolkit.jobs.batches import check_name, check_seconds
from otel_kit.toolkit.jobs.book import Book, Entry
from otel_kit.toolkit.jobs.child import Child
from otel_kit.toolkit.jobs.feed import Feed, ItemTimeout
from otel_kit.toolkit.jobs.pool import POLL, Pool
from otel_kit.toolkit.jobs.result import BatchResult

Item = TypeVar("Item")
Value = TypeVar("Value")

KINDS = ("thread", "process", "async")
ON_ERROR = ("continue", "stop", "raise")


@overload
def run_batch(
    name: str,
    items: Iterable[Item],
    function: Callable[[Item], Value],
    *,
    workers: int = ...,
    kind: Literal["thread", "process"] = ...,
    item_timeout: float | None = ...,
    timeout: float | None = ...,
    retries: int = ...,
    resume: bool = ...,
    key: Callable[[Item], Any] | None = ...,
    retry_failed: bool = ...,
    on_error: Literal["continue", "stop", "raise"] = ...,
    total: int | None = ...,
    grace: float = ...,
) -> BatchResult[Value]: ...


@overload
def run_batch(
    name: str,
    items: Iterable[Item],
    function: Callable[[Item], Awaitable[Value]],
    *,
    kind: Literal["async"],
    workers: int = ...,
    item_timeout: float | None = ...,
    timeout: float | None = ...,
    retries: int = ...,
    resume: bool = ...,
    key: Callable[[Item], Any] | None = ...,
    retry_failed: bool = ...,
    on_error: Literal["continue", "stop", "raise"] = ...,
    total: int | None = ...,
    grace: float = ...,
) -> Coroutine[Any, Any, BatchResult[Value]]: ...


def run_batch(
    name: str,
    items: Iterable[Any],
    function: Callable[[Any], Any],
    *,
    workers: int = 4,
    kind: Literal["thread", "process", "async"] = "thread",
    item_timeout: float | None = None,
    timeout: float | None = None,
    retries: int = 0,
    resume: bool = False,
    key: Callable[[Any], Any] | None = None,
    retry_failed: bool = True,
    on_error: Literal["continue", "stop", "raise"] = "continue",
    total: int | None = None,
    grace: float = stopping.GRACE,
) -> Any:
    """Call a function with each item, several at a time; results come in the order of the items, failures named.

    Progress, spans, metrics, signals and resuming are those of :class:`batch`. After SIGINT or SIGTERM no new items begin, what
    runs is given ``grace`` seconds, and then the program is left by ``SystemExit`` 130 or 143, whose ``result`` is what there is.

    Args:
        name: of the batch.
        items: taken one by one, as workers become free.
        function: of an item; a coroutine function for ``async``. With ``process`` it must be picklable where processes are
            spawned, and items, results and exceptions everywhere.
        workers: how many items are worked on at a time.
        kind: ``thread``, ``process``, or ``async``, which returns an awaitable.
        item_timeout: seconds for one attempt at an item. A thread cannot be ended: it is given up, and goes on unseen.
        timeout: seconds for all. What runs then is in doubt, and the result is a partial one.
        retries: how often an item is tried again, after pauses that double from 0.1 s.
        resume, key, retry_failed, total, grace: as for :class:`batch`.
        on_error: what a failed item means: ``continue``, ``stop`` (no new items), or ``raise`` (stop, and raise JobError).

    Returns:
        A :class:`BatchResult`; an awaitable of one for ``async``.

    Raises:
        ArgumentError: an argument is wrong.
        JobError: another process is at this batch; or, with ``on_error="raise"``, an item failed.
    """
    _check(name, function, workers, kind, retries, on_error)
    for argument, seconds in (("item_timeout", item_timeout), ("timeout", timeout), ("grace", grace)):
        check_seconds(f"run_batch({argument})", seconds)

    book = Book(name, items, total=total, resume=resume, key=key, retry_failed=retry_failed)

    def begun() -> Feed:
        book.open()
        return Feed(book, items, retries=retries, stops_at_failure=on_error != "continue", timeout=timeout)

    known = total if total is not None else len(items) if isinstance(items, Sized) else None
    if kind == "async":
        return _run_async(begun, function, workers, item_timeout, grace, known, on_error)
    feed = begun()
    began = perf_counter()
    try:
        _run_pool(feed, function, workers, kind, item_timeout, grace)
    finally:
        result = feed.result(known, perf_counter() - began)
    return _judged(feed, result, on_error)


def _run_pool(
    feed: Feed,
    function: Callable[[Any], Any],
    workers: int,
    kind: str,
    item_timeout: float | None,
    grace: float,
) -> None:
    if kind == "thread":
        Pool(feed, workers, lambda: function, lambda call: None, item_timeout).wait(grace)
        return
    children: list[Child] = []

    def made() -> Child:
        child = Child(function, item_timeout)
        children.append(child)
        return child

    try:
        Pool(feed, workers, made, lambda child: child.close(), None).wait(grace)  # type: ignore[attr-defined]
    finally:
        feed.give_up()
        for child in children:
            child.kill()


async def _run_async(
    begun: Callable[[], Feed],
    function: Callable[[Any], Awaitable[Any]],
    workers: int,
    item_timeout: float | None,
    grace: float,
    total: int | None,
    on_error: str,
) -> BatchResult[Any]:
    feed = begun()
    began = perf_counter()
    tasks = [asyncio.create_task(_work(feed, function, item_timeout)) for _ in range(workers)]
    try:
        await _watched(feed, tasks, grace)
    finally:
        feed.give_up()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        result = feed.result(total, perf_counter() - began)
    return _judged(feed, result, on_error)


async def _watched(feed: Feed, tasks: list[asyncio.Task[None]], grace: float) -> None:
    asked: float | None = None
    left: set[asyncio.Task[None]] = set(tasks)
    while left and feed.until_deadline != 0.0:
        patience = POLL if feed.until_deadline is None else min(POLL, feed.until_deadline)
        _, left = await asyncio.wait(left, timeout=patience)
        if feed.book.stopping:
            asked = asked or monotonic()
            if monotonic() - asked >= grace:
                return


async def _work(feed: Feed, function: Callable[[Any], Awaitable[Any]], item_timeout: float | None) -> None:
    while (entry := feed.next()) is not None:
        feed.book.begin(entry)
        await _attempt(feed, entry, function, item_timeout)


async def _attempt(
    feed: Feed, entry: Entry, function: Callable[[Any], Awaitable[Any]], item_timeout: float | None
) -> None:
    while True:
        entry.attempts += 1
        limit = asyncio.timeout(item_timeout)
        try:
            async with limit:
                value = await function(entry.item)
        except Exception as error:
            failure: Exception = error
            if limit.expired():
                failure = ItemTimeout(f"took longer than {item_timeout:g} s")
            if not feed.may_retry(entry):
                return feed.failed(entry, failure)
            await asyncio.sleep(feed.pause(entry))
        else:
            return feed.done(entry, value)


def _judged(feed: Feed, result: BatchResult[Any], on_error: str) -> BatchResult[Any]:
    """The result, where it is not to be an exception."""
    if feed.error is not None:
        raise feed.error
    if feed.book.stopping:
        raise stopping.stopped(feed.book.stopping, result)
    if on_error == "raise" and result.failures:
        first = result.failures[0]
        message = f"batch {result.name!r}: item {first.name} failed: {type(first.error).__name__}"
        raise JobError(message, result) from first.error
    return result


def _check(
    name: object, function: object, workers: object, kind: object, retries: object, on_error: object
) -> None:
    check_name("run_batch(name)", name)
    if not callable(function):
        raise ArgumentError("run_batch(function)", function, "something that can be called with an item")
    if type(workers) is not int or workers < 1:
        raise ArgumentError(
            "run_batch(workers)", workers, f"a whole number from 1 on; this machine has {os.cpu_count()} CPUs"
        )
    if type(retries) is not int or retries < 0:
        raise ArgumentError("run_batch(retries)", retries, "a whole number from 0 on")
    if kind not in KINDS:
        raise ArgumentError("run_batch(kind)", kind, ", ".join(KINDS), KINDS)
    if on_error not in ON_ERROR:
        raise ArgumentError("run_batch(on_error)", on_error, ", ".join(ON_ERROR), ON_ERROR)
    if (kind == "async") != _is_async(function):
        valid = "a coroutine function for kind='async', and a plain one else"
        raise ArgumentError("run_batch(function)", getattr(function, "__qualname__", function), valid)


def _is_async(function: Any) -> bool:
    inner = getattr(type(function), "__call__", None)  # noqa: B004 (of an object that can be called)
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inner)
