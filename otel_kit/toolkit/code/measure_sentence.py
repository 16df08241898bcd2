"""A measurement in one sentence: ``slow: GET /search 1523 ms: database 1245 ms in 15 queries, own code 199 ms``."""

from __future__ import annotations

from otel_kit.context import tally
from otel_kit.context.tally import Tally

# What takes time, as people say it: the noun, and its singular and plural.
_SAID = {
    tally.QUERY: ("database", "query", "queries"),
    tally.HTTP_CALL: ("HTTP", "call", "calls"),
    tally.CACHE_CALL: ("cache", "call", "calls"),
}


def sentence(name: str, duration: float, counted: Tally, *, slow: bool, error: str) -> str:
    """Where the time of an operation went.

    Args:
        name: of the operation.
        duration: seconds.
        counted: within it.
        slow: whether it took too long.
        error: the type of the exception that ended it, empty for none.
    """
    begin = f"{'slow: ' if slow else ''}{name} {f'failed with {error} after ' if error else ''}{milliseconds(duration)}"
    parts = _parts(duration, counted)
    return f"{begin}: {', '.join(parts)}" if parts else begin


def _parts(duration: float, counted: Tally) -> list[str]:
    counts, seconds = counted.counts, counted.seconds
    parts = []
    for kind in sorted(seconds, key=lambda kind: -seconds[kind]):
        noun, one, several = _SAID.get(kind, (kind.replace("_", " "), "time", "times"))
        times = counts.get(kind, 0)
        parts.append(f"{noun} {milliseconds(seconds[kind])} in {times} {one if times == 1 else several}")
    own = duration - sum(seconds.values())
    if parts and own > 0:
        parts.append(f"own code {milliseconds(own)}")
    return parts


def milliseconds(seconds: float) -> str:
    """``1523 ms``, ``4.2 ms``, ``12 µs``."""
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1000:.{0 if seconds >= 0.01 else 1}f} ms"
