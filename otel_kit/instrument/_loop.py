"""How long one callback may hold the event loop up before it is told; chosen by the settings before asyncio is there."""

from __future__ import annotations

SECONDS = 0.1


class Threshold:
    """The one that holds now, in seconds; infinite for never."""

    seconds = SECONDS


def use(seconds: float) -> None:
    """Let another one hold from now on; 0 for never."""
    Threshold.seconds = seconds or float("inf")
