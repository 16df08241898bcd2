"""otel_kit: one call, and a program's traces, metrics and logs are OpenTelemetry signals.

::

    import otel_kit

    telemetry = otel_kit.init_telemetry("checkout")      # the only line a program needs
    tracer = otel_kit.get_tracer(__name__)               # an OpenTelemetry Tracer
    log = otel_kit.get_logger(__name__)                  # a structlog logger
    meter = otel_kit.get_meter(__name__)                 # an OpenTelemetry Meter

The map, in the order in which a signal crosses the house:

- ``errors``, ``semconv``, ``_guard``: what everything else may lean on
- ``context``: WHO, the ids that follow the work, propagation, baggage
- ``signals``: WHAT a program emits, traces, metrics, logs; on the OpenTelemetry API alone
- ``instrument``: signals from libraries, one file per library
- ``toolkit``: helpers by use-case, on the two above: code, errors, data, agents, trust, jobs
- ``pipeline``: BETWEEN, one step per file: enrich, redact, limit
- ``export``: OUT, OTLP, console, log files
- ``setup``: the only place that knows all of the above: settings, resource, wiring, lifecycle
- ``cli``: one file per command
- ``testing``: what users' tests need

Names are imported on first use, so that ``import otel_kit`` costs next to nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from otel_kit import _environment
from otel_kit._imports import late

if TYPE_CHECKING:
    from otel_kit import errors, instrument, redact, semconv, testing
    from otel_kit.context import (
        bind,
        bind_context,
        carry,
        clear_context,
        current_context,
        unbind_context,
    )
    from otel_kit.errors import OtelKitError
    from otel_kit.setup import Telemetry, init_telemetry
    from otel_kit.signals import get_logger, get_meter, get_tracer, set_level, span
    from otel_kit.toolkit.agents import agent, business_event, cost, workflow
    from otel_kit.toolkit.code.attributes import watch_attributes
    from otel_kit.toolkit.code.block import block
    from otel_kit.toolkit.code.captured import capture
    from otel_kit.toolkit.code.debug import debug_everything
    from otel_kit.toolkit.code.each import each
    from otel_kit.toolkit.code.measure import measure
    from otel_kit.toolkit.code.measured import measured
    from otel_kit.toolkit.code.operations import operations
    from otel_kit.toolkit.code.postmortem import debug_on_error
    from otel_kit.toolkit.code.traced import traced
    from otel_kit.toolkit.data import check, checks, observe_cache, track_changes
    from otel_kit.toolkit.errors import add_error_rule, analyze, degraded, fallback, recovered, retried
    from otel_kit.toolkit.jobs import batch, run, run_batch
    from otel_kit.toolkit.trust import audit, security

__version__ = "0.1.0"

_HOMES = {
    "Telemetry": "otel_kit.setup",
    "init_telemetry": "otel_kit.setup",
    "get_logger": "otel_kit.signals",
    "get_meter": "otel_kit.signals",
    "get_tracer": "otel_kit.signals",
    "set_level": "otel_kit.signals",
    "span": "otel_kit.signals",
    "bind": "otel_kit.context",
    "bind_context": "otel_kit.context",
    "carry": "otel_kit.context",
    "clear_context": "otel_kit.context",
    "current_context": "otel_kit.context",
    "unbind_context": "otel_kit.context",
    "OtelKitError": "otel_kit.errors",
    "agent": "otel_kit.toolkit.agents",
    "business_event": "otel_kit.toolkit.agents",
    "cost": "otel_kit.toolkit.agents",
    "workflow": "otel_kit.toolkit.agents",
    "block": "otel_kit.toolkit.code",
    "capture": "otel_kit.toolkit.code",
    "debug_everything": "otel_kit.toolkit.code",
    "debug_on_error": "otel_kit.toolkit.code",
    "each": "otel_kit.toolkit.code",
    "traced": "otel_kit.toolkit.code",
    "watch_attributes": "otel_kit.toolkit.code",
    "degraded": "otel_kit.toolkit.errors",
    "fallback": "otel_kit.toolkit.errors",
    "recovered": "otel_kit.toolkit.errors",
    "retried": "otel_kit.toolkit.errors",
    "measure": "otel_kit.toolkit.code",
    "measured": "otel_kit.toolkit.code",
    "operations": "otel_kit.toolkit.code",
    "add_error_rule": "otel_kit.toolkit.errors",
    "analyze": "otel_kit.toolkit.errors",
    "check": "otel_kit.toolkit.data",
    "checks": "otel_kit.toolkit.data",
    "observe_cache": "otel_kit.toolkit.data",
    "track_changes": "otel_kit.toolkit.data",
    "batch": "otel_kit.toolkit.jobs",
    "run": "otel_kit.toolkit.jobs",
    "run_batch": "otel_kit.toolkit.jobs",
    "audit": "otel_kit.toolkit.trust",
    "security": "otel_kit.toolkit.trust",
}
_MODULES = ("errors", "instrument", "redact", "semconv", "testing")

__all__ = [
    "OtelKitError",
    "Telemetry",
    "__version__",
    "add_error_rule",
    "agent",
    "analyze",
    "audit",
    "batch",
    "bind",
    "bind_context",
    "block",
    "business_event",
    "capture",
    "carry",
    "check",
    "checks",
    "clear_context",
    "cost",
    "current_context",
    "debug_everything",
    "debug_on_error",
    "degraded",
    "each",
    "errors",
    "fallback",
    "get_logger",
    "get_meter",
    "get_tracer",
    "init_telemetry",
    "instrument",
    "measure",
    "measured",
    "observe_cache",
    "operations",
    "recovered",
    "redact",
    "retried",
    "run",
    "run_batch",
    "security",
    "semconv",
    "set_level",
    "span",
    "testing",
    "traced",
    "track_changes",
    "unbind_context",
    "watch_attributes",
    "workflow",
]


_environment.protect()  # before anything of OpenTelemetry is imported


def __getattr__(name: str) -> object:
    if name in _MODULES:
        with _undisturbed():
            module: object = late(f"otel_kit.{name}")
            return module
    if name not in _HOMES:
        raise AttributeError(f"module 'otel_kit' has no attribute {name!r}")
    with _undisturbed():
        if name == "init_telemetry":
            late("otel_kit.toolkit")  # from now on exceptions are described
        if name in ("run", "batch", "run_batch"):  # they work without it, and write files
            late("otel_kit.context.redacted").redact_before_setup_with(_usual_redaction)
        value = getattr(late(_HOMES[name]), name)
    globals()[name] = value
    return value


def _usual_redaction() -> object:
    """The redaction that holds before ``init_telemetry``."""
    return late("otel_kit.setup.redaction").before_setup()


@contextmanager
def _undisturbed() -> Iterator[None]:
    """No signal's handler runs inside the block: in the middle of an import it would find half a module if it uses the same."""
    signal = sys.modules.get("signal")  # whoever has set a handler has imported it
    if signal is None or not hasattr(signal, "pthread_sigmask"):
        yield
        return
    former = signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, former)


def __dir__() -> list[str]:
    return sorted(__all__)
