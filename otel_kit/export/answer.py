"""What a receiver said to one request, the same for HTTP and gRPC."""

from __future__ import annotations

from typing import NamedTuple

SHORTEST_WAIT = 1.0


class Answer(NamedTuple):
    """The request was accepted, unless ``trouble`` says otherwise.

    Attributes:
        body: the response message, where the request was accepted.
        trouble: what went wrong, for one sentence on stderr; empty if nothing.
        retry: a later attempt may succeed.
        refused: nobody listens there who would understand.
        unsure: with ``refused``: a second attempt may tell otherwise, as after a name that was not found.
        after: seconds to wait before it, as the receiver asked.
        too_large: the receiver refused the size of the request.
    """

    body: bytes = b""
    trouble: str = ""
    retry: bool = False
    refused: bool = False
    unsure: bool = False
    after: float | None = None
    too_large: bool = False


def asked(seconds: float) -> float | None:
    """The wait that a receiver asks for; None if it asks for hardly any: then the usual backoff holds, which grows."""
    return seconds if seconds >= SHORTEST_WAIT else None  # not a number is neither
