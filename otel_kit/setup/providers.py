"""The three providers: made once, set as the global ones, and the same objects for the life of the process."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, propagate, trace
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.sdk._logs import LogRecordLimits
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, sampling
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from otel_kit import _guard
from otel_kit._imports import late
from otel_kit.context import Baggage
from otel_kit.context.request_ids import RequestIds
from otel_kit.export.logs import LoggerProvider
from otel_kit.export.meters import Backing, MeterProvider
from otel_kit.export.spans import TracerProvider
from otel_kit.setup.config import Settings

if TYPE_CHECKING:
    from opentelemetry.propagators.textmap import TextMapPropagator

# What the API hands out while nobody has set a provider.
_UNSET = {"ProxyTracerProvider", "_ProxyMeterProvider", "ProxyLoggerProvider"}


class Providers:
    """Ours, and whether each is the global one.

    Attributes:
        tracer, meter, logger: the providers.
        ours: the signals whose global provider is ours; another one was set by the program before.
    """

    def __init__(self) -> None:
        self.tracer, self.meter, self.logger = TracerProvider(), MeterProvider(), LoggerProvider()
        self.ours: frozenset[str] = frozenset()
        self._told: set[str] = set()

    def install(self) -> None:
        """Set them as the global ones, where the program has not set its own."""
        self.ours = frozenset(
            signal
            for signal, mine, get, set_global in (
                ("traces", self.tracer, trace.get_tracer_provider, trace.set_tracer_provider),
                ("metrics", self.meter, metrics.get_meter_provider, metrics.set_meter_provider),
                ("logs", self.logger, _logs.get_logger_provider, _logs.set_logger_provider),
            )
            if self._claim(signal, mine, get, set_global)
        )

    def _claim(self, signal: str, mine: Any, get: Any, set_global: Any) -> bool:
        present = get()
        if type(present).__name__ in _UNSET:
            set_global(mine)
            return True
        if present is not mine and signal not in self._told:
            self._told.add(signal)
            kind = f"{type(present).__module__}.{type(present).__qualname__}"
            _guard.say(
                f"the program has set its own provider for {signal} ({kind}); it is used, and nothing is added to it"
            )
        return present is mine


def sampler_of(settings: Settings) -> sampling.Sampler:
    """The head sampler that the settings name."""
    named: dict[str, sampling.Sampler] = {
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
        "traceidratio": sampling.TraceIdRatioBased(settings.sampler_arg),
    }
    name = settings.sampler
    return sampling.ParentBased(named[name[12:]]) if name.startswith("parentbased_") else named[name]


def span_limits_of(settings: Settings) -> SpanLimits:
    """The limits of spans; every one is given, or the SDK would read the environment."""

    def limit(value: int | None) -> int:
        return SpanLimits.UNSET if value is None else value

    return SpanLimits(
        max_attributes=limit(settings.attribute_count_limit),
        max_attribute_length=limit(settings.attribute_value_length_limit),
        max_span_attributes=limit(settings.span_attribute_count_limit),
        max_span_attribute_length=limit(settings.span_attribute_value_length_limit),
        max_events=limit(settings.span_event_count_limit),
        max_links=limit(settings.span_link_count_limit),
        max_event_attributes=limit(settings.event_attribute_count_limit),
        max_link_attributes=limit(settings.link_attribute_count_limit),
    )


def record_limits_of(settings: Settings) -> LogRecordLimits:
    """The limits of log records; every one is given, as above."""

    def limit(value: int | None) -> int:
        return LogRecordLimits.UNSET if value is None else value

    return LogRecordLimits(
        limit(settings.attribute_count_limit),
        limit(settings.attribute_value_length_limit),
        limit(settings.logrecord_attribute_count_limit),
        limit(settings.logrecord_attribute_value_length_limit),
    )


def propagator_of(settings: Settings, redact: Callable[[str, str], str]) -> TextMapPropagator:
    """What carries trace and ids to other services; ``redact`` sees the key and value of what travels as baggage."""
    made: dict[str, Callable[[], TextMapPropagator]] = {
        "tracecontext": TraceContextTextMapPropagator,
        "baggage": lambda: Baggage(settings.baggage_ids, redact),
    }
    chosen = [made[name]() if name in made else _installed_propagator(name) for name in _named(settings)]
    return CompositePropagator([*chosen, RequestIds()] if chosen else [])


def _named(settings: Settings) -> tuple[str, ...]:
    return () if settings.propagators == ("none",) else settings.propagators


def _installed_propagator(name: str) -> TextMapPropagator:
    """The propagator of another package, such as b3; one that cannot be made carries nothing."""
    from importlib.metadata import entry_points

    try:
        [entry, *_] = entry_points(group="opentelemetry_propagator", name=name)
        made: TextMapPropagator = entry.load()()
    except Exception as error:
        _guard.say(f"the propagator {name} cannot be used: {type(error).__name__}: {str(error)[:200]}")
        return CompositePropagator([])
    return made


def set_propagator(settings: Settings, redact: Callable[[str, str], str]) -> None:
    """Make it the global one."""
    propagate.set_global_textmap(propagator_of(settings, redact))


def backing_of(settings: Settings, resource: Resource, *, on: bool) -> Backing:
    """The SDK's side of the metrics, which is not imported before it is needed."""
    shape = (settings.temporality, settings.histogram_aggregation) if on else None

    def options() -> dict[str, Any]:
        from opentelemetry.sdk import metrics as sdk

        filters: dict[str, Any] = {
            "trace_based": sdk.TraceBasedExemplarFilter,
            "always_on": sdk.AlwaysOnExemplarFilter,
            "always_off": sdk.AlwaysOffExemplarFilter,
        }
        return {
            "resource": resource,
            "exemplar_filter": filters[settings.exemplar_filter](),
            "series_limit": settings.series_limit,
            "metric_ids": settings.metric_ids,
        }

    return Backing(
        make=lambda: late("otel_kit.pipeline.series").MeterProvider(**options()),
        update=lambda provider: provider.reconfigure(**options()),
        shape=shape,
    )
