"""httpx: one client span and one duration per call, sync and async, by contrib's package.

It wraps the transports' classes, so clients made before are seen too, and keeps quiet while otel_kit exports.
"""

from __future__ import annotations

from otel_kit.instrument._contrib import load


def instrument() -> None:
    """Turn it on; nothing happens where it is on already.

    Raises:
        NotPossibleError: if contrib's package is not installed.
    """
    instrumentor = load("httpx").HTTPXClientInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)


def undo() -> None:
    """Turn it off again."""
    instrumentor = load("httpx").HTTPXClientInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
