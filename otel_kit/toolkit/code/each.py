"""``each``: one span for a whole loop, with what its iterations took."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from types import TracebackType
from typing import Any, Generic, Self, TypeVar, cast

from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.caller import module
from otel_kit.toolkit.code.loop import EXHAUSTED, FAILED, Loop

Item = TypeVar("Item")

MOST_SLOWEST = 100

_code = part("code")


class each(Generic[Item]):
    """Go through something, with one span for the loop, which is current inside of it.

    The span has ``otel_kit.loop.*``: ``count``, ``rate`` (items per second), ``mean`` and ``p95`` (seconds, the latter within
    5%), ``slowest`` and ``errors`` (texts that begin with the index, from 0), ``error_count``, and ``end``: ``exhausted``,
    ``left`` by break or return, or ``failed``. What an iteration takes includes what it took to get its item.

    An exception that leaves the loop is known by its index; to have it told with its type, too, use ``with each(…) as rows:``
    around the loop. One that the loop's body deals with is told by ``rows.failed(error)``.

    Args:
        items: anything that a ``for`` or ``async for`` goes through.
        name: the span's name.
        slowest: how many of the slowest iterations are told, up to 100.
        spans: a span for an iteration's body, too: for each of the first 100, then for one in 10, from the 1000th on for one
            in 100, and so on.

    Raises:
        ArgumentError: an argument is wrong; ``items`` that cannot be gone through raise TypeError, as without.
    """

    def __init__(
        self,
        items: Iterable[Item] | AsyncIterable[Item],
        name: str,
        *,
        slowest: int = 5,
        spans: bool = False,
    ) -> None:
        if not isinstance(name, str) or not name:
            raise ArgumentError("each(name)", name, "a text")
        if type(slowest) is not int or not 0 <= slowest <= MOST_SLOWEST:
            raise ArgumentError("each(slowest)", slowest, f"a whole number from 0 to {MOST_SLOWEST}")
        if not isinstance(spans, bool):
            raise ArgumentError("each(spans)", spans, "True or False")
        self._items: Any = items
        self._arguments = (name, module(sys._getframe(1)), slowest, spans)
        self._loop: Loop | None = None
        self._held = False

    def __iter__(self) -> Iterator[Item]:
        items = iter(self._items)
        if not _code.on:
            return cast("Iterator[Item]", items)
        return _Items(items, self._begun())

    def __aiter__(self) -> AsyncIterator[Item]:
        items = aiter(self._items)
        if not _code.on:
            return cast("AsyncIterator[Item]", items)
        return _AsyncItems(items, self._begun())

    def _begun(self) -> Loop:
        if self._loop is not None and self._held:
            self._loop.end_held(None)
        loop = self._loop = Loop(*self._arguments)
        loop.held = self._held
        return loop

    def failed(self, error: BaseException) -> None:
        """The iteration that runs has failed with this exception, and the loop goes on."""
        if self._loop is not None:
            self._loop.note(error)

    def __enter__(self) -> Self:
        self._held = True
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._held = False
        if self._loop is not None:
            self._loop.end_held(exc)


class _Items(Generic[Item]):
    """The iterator of a ``for``. No generator: the loop must be known to be left at that moment."""

    __slots__ = ("_loop", "_next")

    def __init__(self, items: Iterator[Item], loop: Loop) -> None:
        self._next, self._loop = items.__next__, loop

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Item:
        loop = self._loop
        loop.step()
        try:
            item = self._next()
        except StopIteration:
            loop.end(EXHAUSTED)
            raise
        except BaseException as error:
            loop.end(FAILED, error)
            raise
        loop.give()
        return item

    def __del__(self) -> None:
        if not sys.is_finalizing():  # there is no frame around it, and nobody left to tell
            self._loop.leave(sys._getframe(1))


class _AsyncItems(Generic[Item]):
    """The iterator of an ``async for``."""

    __slots__ = ("_loop", "_next")

    def __init__(self, items: AsyncIterator[Item], loop: Loop) -> None:
        self._next, self._loop = items.__anext__, loop

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Item:
        loop = self._loop
        loop.step()
        try:
            item = await self._next()
        except StopAsyncIteration:
            loop.end(EXHAUSTED)
            raise
        except BaseException as error:
            loop.end(FAILED, error)
            raise
        loop.give()
        return item

    def __del__(self) -> None:
        if not sys.is_finalizing():  # there is no frame around it, and nobody left to tell
            self._loop.leave(sys._getframe(1))
