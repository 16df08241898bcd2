"""Wrong values of variables that OpenTelemetry's API and SDK read for themselves, most of them as they are imported.

There a misspelt word ends the program with a traceback. Here it costs one sentence, which the settings say.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from importlib import import_module

PROPAGATORS = "OTEL_PROPAGATORS"
# Each names an entry point; wrong ones raise wherever the API is used, so they have to go for good.
ENTRY_POINTS = {
    "OTEL_PYTHON_CONTEXT": "opentelemetry_context",
    "OTEL_PYTHON_TRACER_PROVIDER": "opentelemetry_tracer_provider",
    "OTEL_PYTHON_METER_PROVIDER": "opentelemetry_meter_provider",
    "OTEL_PYTHON_LOGGER_PROVIDER": "opentelemetry_logger_provider",
}
_BUILT_IN = {"tracecontext", "baggage", "none"}

# What was taken out of the process's environment, for the settings to tell.
removed: dict[str, str] = {}


@contextlib.contextmanager
def hidden(*names: str) -> Iterator[None]:
    """For the time of the block, these variables are not set."""
    kept = {name: os.environ.pop(name) for name in names if name in os.environ}
    try:
        yield
    finally:
        os.environ.update(kept)


def protect() -> None:
    """Have the API start whatever the variables say. Costs nothing where they are not set."""
    for name, group in ENTRY_POINTS.items():
        text = os.environ.get(name)
        if text is not None and not is_installed(group, text):
            removed[name] = os.environ.pop(name)
    words = os.environ.get(PROPAGATORS, "")
    if words and not all(_is_propagator(word.strip()) for word in words.split(",")):
        with hidden(PROPAGATORS):
            import_module("opentelemetry.propagate")


def _is_propagator(name: str) -> bool:
    return name in _BUILT_IN or is_installed("opentelemetry_propagator", name)


def is_installed(group: str, name: str) -> bool:
    """Whether there is an entry point of that name, and what it names can be imported."""
    from importlib.metadata import entry_points

    try:
        for entry in entry_points(group=group, name=name):
            entry.load()
            return True
    except Exception:  # whatever a stranger's module does as it is imported
        return False
    return False
