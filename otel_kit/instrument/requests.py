"""requests: one client span and one duration per call, by contrib's package.

It wraps ``Session.send`` on the class, so sessions made before are seen too, and keeps quiet while urllib3 works below
and while otel_kit exports.
"""

from __future__ import annotations

from otel_kit.instrument._contrib import load


def instrument() -> None:
    """Turn it on; nothing happens where it is on already.

    Raises:
        NotPossibleError: if contrib's package is not installed.
    """
    instrumentor = load("requests").RequestsInstrumentor()
    if not instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.instrument(skip_dep_check=True)


def undo() -> None:
    """Turn it off again."""
    instrumentor = load("requests").RequestsInstrumentor()
    if instrumentor.is_instrumented_by_opentelemetry:
        instrumentor.uninstrument()
