"""What a batch came to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

Value = TypeVar("Value")

DONE, FAILED, SKIPPED, IN_DOUBT = "done", "failed", "skipped", "in doubt"


@dataclass(slots=True)
class ItemResult(Generic[Value]):
    """What became of one item.

    Attributes:
        index: its place among the items.
        item: itself.
        name: what it is called.
        outcome: ``done``, ``failed``, ``skipped`` (done by an earlier process), or ``in doubt``: it was running when the batch
            ended, and nobody knows.
        value: what the function returned.
        error: why it failed.
        attempts: how often it was tried.
        seconds: that it took, all attempts together.
        was_in_doubt: an earlier process was at it when it was cut off; it may have been done twice.
    """

    index: int
    item: Any
    name: str
    outcome: str
    value: Value | None = None
    error: BaseException | None = None
    attempts: int = 0
    seconds: float = 0.0
    was_in_doubt: bool = False


@dataclass(slots=True)
class BatchResult(Generic[Value]):
    """What became of all items, in their order.

    Attributes:
        name: of the batch.
        outcome: ``finished``, ``timeout``, ``stopped``, ``interrupted``, or ``failed`` where a failure was to end it.
        items: those that had their turn.
        total: how many there are; None where nobody knows.
        seconds: that it took.
    """

    name: str
    outcome: str = ""
    items: list[ItemResult[Value]] = field(default_factory=list)
    total: int | None = None
    seconds: float = 0.0

    @property
    def complete(self) -> bool:
        """Whether each item is done, now or before."""
        return self.outcome == "finished" and all(each.outcome in (DONE, SKIPPED) for each in self.items)

    @property
    def partial(self) -> bool:
        """Whether there are items that did not have their turn, or did not end."""
        return self.outcome != "finished"

    @property
    def values(self) -> list[Value]:
        """What the function returned, in the order of the items, for those that were done."""
        return [each.value for each in self.items if each.outcome == DONE]  # type: ignore[misc]

    @property
    def failures(self) -> list[ItemResult[Value]]:
        """The items that failed."""
        return [each for each in self.items if each.outcome == FAILED]

    @property
    def in_doubt(self) -> list[ItemResult[Value]]:
        """Those of which nobody knows whether they are done, or done twice."""
        return [each for each in self.items if each.outcome == IN_DOUBT or each.was_in_doubt]

    def __iter__(self) -> Iterator[ItemResult[Value]]:
        return iter(self.items)

    def __len__(self) -> int:
        return len(self.items)
