"""The supplier of the inventory: it is busy on purpose when it is called first."""

from __future__ import annotations

from collections.abc import Sequence

import otel_kit

TRIES = 3


class Busy(ConnectionError):
    """Nobody takes the call."""


@otel_kit.watch_attributes
class Supplier:
    """Somebody who delivers; each change of an attribute becomes a record."""

    def __init__(self) -> None:
        self.calls = 0

    def deliver(self, products: Sequence[str]) -> None:
        """Bring the products. Raises Busy for every other call."""
        self.calls += 1
        if self.calls % 2:
            raise Busy("call again")

    def order(self, products: Sequence[str]) -> bool:
        """Call until somebody takes the call; whether the products come."""
        for attempt in range(1, TRIES + 1):
            try:
                self.deliver(products)
                return True
            except Busy:
                otel_kit.retried("call the supplier", attempt=attempt, wait=0.0)
        return False
