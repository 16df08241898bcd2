"""What became of one attempt to deliver a list of items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

# Why an item was not delivered. One enumeration for stats(), for the line at exit (which alone knows UNANSWERED) and the docs.
QUEUE_FULL = "queue_full"
QUEUE_BYTES = "queue_bytes"
TOO_LARGE = "too_large"
UNENCODABLE = "unencodable"
REJECTED = "rejected"
PARTIAL_SUCCESS = "partial_success"
UNREACHABLE = "unreachable"
AFTER_SHUTDOWN = "after_shutdown"
UNANSWERED = "unanswered"
REASONS = (
    QUEUE_FULL,
    QUEUE_BYTES,
    TOO_LARGE,
    UNENCODABLE,
    REJECTED,
    PARTIAL_SUCCESS,
    UNREACHABLE,
    AFTER_SHUTDOWN,
    UNANSWERED,
)


class Outcome(NamedTuple):  # not a dataclass: making one costs a millisecond of every program's start
    """One attempt's result. What is neither dropped, nor to be split or retried, was delivered.

    Attributes:
        dropped: how many items were lost for good, by reason.
        split: the receiver or the encoder refused the list as a whole; halves may pass.
        retry: nothing was taken, and a later attempt may succeed.
        refused: with ``retry``: nobody listens there, so waiting a moment longer is pointless.
        unsure: with ``refused``: only a second failure in a row is proof.
        after: with ``retry``: seconds to wait, as the receiver asked.
        trouble: what went wrong, in words for one sentence on stderr; without secrets.
    """

    dropped: Mapping[str, int] = MappingProxyType({})
    split: bool = False
    retry: bool = False
    refused: bool = False
    unsure: bool = False
    after: float | None = None
    trouble: str = ""


DELIVERED = Outcome()


if TYPE_CHECKING:  # a Protocol costs a start-up a millisecond, and is nothing at run time

    class Sender(Protocol):
        """The far side of a batcher.

        Attributes:
            encoding: whether it is at work now, and needs the interpreter for it, not the network.
        """

        encoding: bool

        def send(self, items: Sequence[Any], timeout: float) -> Outcome:
            """Deliver the items within about ``timeout`` seconds. Called by one thread at a time."""

        def renew(self) -> None:
            """Forget connections: this process was forked, and they belong to the parent."""

        def close(self) -> None:
            """Release connections."""
