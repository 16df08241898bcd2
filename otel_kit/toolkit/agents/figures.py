"""The metric instruments of this room, made when first used, and anew when a program sets another provider."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import metrics

from otel_kit import _guard, semconv
from otel_kit.signals.traces import get_tracer

SCOPE = "otel_kit.toolkit.agents"
tracer: Any = get_tracer(SCOPE)

# The boundaries that the conventions give:
# https://opentelemetry.io/docs/specs/semconv/gen-ai/gen-ai-metrics/
_CALL_SECONDS = [0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92]
_AGENT_SECONDS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6]
_TOKENS = [4**power for power in range(14)]
_STATE_SECONDS = [0.1, 1, 10, 60, 300, 1800, 3600, 21600, 86400, 604800]

_HISTOGRAMS: Mapping[str, tuple[str, str, list[float]]] = {
    semconv.METRIC_GEN_AI_CLIENT_TOKEN_USAGE: ("{token}", "Tokens used by calls of models.", _TOKENS),
    semconv.METRIC_GEN_AI_CLIENT_OPERATION_DURATION: ("s", "Duration of calls of models.", _CALL_SECONDS),
    semconv.METRIC_GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: (
        "s",
        "Time until the first piece of a streamed answer.",
        _CALL_SECONDS,
    ),
    semconv.METRIC_GEN_AI_INVOKE_AGENT_DURATION: ("s", "Duration of an agent's work.", _AGENT_SECONDS),
    semconv.METRIC_GEN_AI_EXECUTE_TOOL_DURATION: ("s", "Duration of a tool's work.", _CALL_SECONDS),
    semconv.METRIC_WORKFLOW_STATE_DURATION: ("s", "Time that workflows spent in a state.", _STATE_SECONDS),
    semconv.METRIC_WORKFLOW_DURATION: ("s", "Time from a workflow's start to its end.", _STATE_SECONDS),
}
_COUNTERS: Mapping[str, tuple[str, str]] = {
    semconv.METRIC_COST: ("{currency}", "What was spent."),
    semconv.METRIC_BUSINESS_EVENTS: ("{event}", "Events of the business."),
    semconv.METRIC_WORKFLOW_UNDECLARED: (
        "{transition}",
        "Transitions that the workflow's graph does not have.",
    ),
}

_UP_AND_DOWN: Mapping[str, tuple[str, str]] = {
    semconv.METRIC_WORKFLOW_ACTIVE: ("{workflow}", "Workflows under way, by state."),
    semconv.METRIC_BUSINESS_VALUE: ("1", "Values of events of the business, summed."),
}


class _Made:
    """The instruments of the provider that is set."""

    provider: Any = None
    instruments: Mapping[str, Any] = {}


def record(name: str, value: float, attributes: Mapping[str, Any]) -> None:
    """Record a value in one of the histograms above."""
    _use(name, lambda instrument: instrument.record(value, attributes))


def add(name: str, value: float, attributes: Mapping[str, Any]) -> None:
    """Add to one of the counters above."""
    _use(name, lambda instrument: instrument.add(value, attributes))


def _use(name: str, step: Callable[[Any], None]) -> None:
    try:
        provider = metrics.get_meter_provider()
        if provider is not _Made.provider:
            _Made.instruments, _Made.provider = _make(provider.get_meter(SCOPE)), provider
        step(_Made.instruments[name])
    except Exception as error:
        _guard.contained("agents.metrics", error)


def _make(meter: metrics.Meter) -> dict[str, Any]:
    made: dict[str, Any] = {
        name: meter.create_histogram(name, unit, text, explicit_bucket_boundaries_advisory=bounds)
        for name, (unit, text, bounds) in _HISTOGRAMS.items()
    }
    for name, (unit, text) in _COUNTERS.items():
        made[name] = meter.create_counter(name, unit, text)
    for name, (unit, text) in _UP_AND_DOWN.items():
        made[name] = meter.create_up_down_counter(name, unit, text)
    return made
