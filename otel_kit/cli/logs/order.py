"""Lines of several files in the order of their times."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence

from otel_kit.cli.logs.scan import Match
from otel_kit.cli.logs.source import Source

# Lines of several threads and processes reach a file in batches: so many neighbours are put in order.
WINDOW = 5000


def by_time(sources: Sequence[Source], read: Callable[[int], Iterator[Match]]) -> Iterator[Match]:
    """Merge files; one is not opened before its first line's time has come, so that rotated ones follow each other.

    Args:
        sources: sorted by the times of their first lines.
        read: gives the lines of a file by its number.
    """
    waiting, heap = 0, list[tuple[bytes, int, bytes, Iterator[Match]]]()
    while heap or waiting < len(sources):
        while waiting < len(sources) and (not heap or sources[waiting].first <= heap[0][0]):
            _push(heap, waiting, read(waiting))
            waiting += 1
        if heap:
            stamp, number, line, rest = heapq.heappop(heap)
            yield stamp, line
            _push(heap, number, rest)


def _push(heap: list[tuple[bytes, int, bytes, Iterator[Match]]], number: int, rest: Iterator[Match]) -> None:
    if (found := next(rest, None)) is not None:
        heapq.heappush(heap, (found[0], number, found[1], rest))


def settled(matches: Iterable[Match]) -> Iterator[bytes]:
    """Lines in order, where those that are not stand near each other; equal times stay as they came."""
    heap: list[tuple[bytes, int, bytes]] = []
    for number, (stamp, line) in enumerate(matches):
        if len(heap) < WINDOW:
            heapq.heappush(heap, (stamp, number, line))
        else:
            yield heapq.heappushpop(heap, (stamp, number, line))[2]
    while heap:
        yield heapq.heappop(heap)[2]
