"""What follows work into another process: the trace in W3C headers, and the ids. Plain texts, so that they can be pickled."""

from __future__ import annotations

import contextvars
from collections.abc import Callable
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate
from opentelemetry.context import Context

from otel_kit import _guard
from otel_kit.context import current_context, ids

Luggage = tuple[dict[str, str], dict[str, Any]]


def packed() -> Luggage:
    """Headers and ids of the context that holds here. Nothing is raised."""
    headers: dict[str, str] = {}
    try:
        propagate.inject(headers)
        return headers, current_context()
    except Exception as error:
        _guard.contained("instrument.luggage", error)
        return headers, {}


def hold(luggage: Luggage) -> None:
    """Let it hold here from now on, and nothing else."""
    try:
        headers, found = luggage
        otel_context.attach(propagate.extract(headers, Context()))
        ids.restore(ids.Bound(found))
    except Exception as error:
        _guard.contained("instrument.luggage", error)


class Carried:
    """A function with its luggage; it can be pickled where the function can, and leaves nothing behind."""

    __slots__ = ("function", "luggage")

    def __init__(self, function: Callable[..., Any], luggage: Luggage) -> None:
        self.function, self.luggage = function, luggage

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return contextvars.copy_context().run(self._run, args, kwargs)

    def _run(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        hold(self.luggage)
        return self.function(*args, **kwargs)


class Held:
    """Unpacks itself where it is unpickled: in a new process, before the process begins its work."""

    __slots__ = ("luggage",)

    def __init__(self, luggage: Luggage) -> None:
        self.luggage = luggage

    def __reduce__(self) -> tuple[Callable[[Luggage], None], tuple[Luggage]]:
        return hold, (self.luggage,)
