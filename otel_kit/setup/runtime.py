"""What runs in this process: the providers wired to the pipeline and to the queues, as the settings say."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.resources import Resource

from otel_kit import _guard, semconv
from otel_kit.context import carry_threads, parts
from otel_kit.context.calls import host_of
from otel_kit.context.debugging import debug, debugging, end_debugging
from otel_kit.context.described import description_of, news
from otel_kit.context.files import files
from otel_kit.context.redacted import redact_with
from otel_kit.context.within import within
from otel_kit.export.batch import Batcher
from otel_kit.export.logs import Inside, LogQueue
from otel_kit.export.meters import MeterProvider
from otel_kit.export.metrics import Collector, Item
from otel_kit.export.spanqueue import SpanQueue
from otel_kit.instrument import (
    Client,
    Web,
    _sql,
    instrument_all,
    report,
    start_process_metrics,
    stop_process_metrics,
    uninstrument_all,
)
from otel_kit.pipeline.enrich import LogEnricher, SpanEnricher
from otel_kit.pipeline.exceptions import ReportedExceptions
from otel_kit.pipeline.exceptions import report as report_exception
from otel_kit.pipeline.limit import LogLimiter, clean_metrics, clean_span, clean_value
from otel_kit.setup import health
from otel_kit.setup.config import Settings
from otel_kit.setup.providers import (
    Providers,
    backing_of,
    record_limits_of,
    sampler_of,
    set_propagator,
    span_limits_of,
)
from otel_kit.setup.queues import (
    SIGNALS,
    Place,
    Queues,
    console_places,
    file_places,
    otlp_places,
    seconds_from_now,
)
from otel_kit.setup.redaction import Redaction, redacted, redaction_of
from otel_kit.setup.resource import build_resource, process_attributes
from otel_kit.signals import logs

if TYPE_CHECKING:
    from otel_kit.export.console.logs import ConsoleLogProcessor


COLLECTION_OF_RUN = 0.5  # seconds that the end of a run waits for its metrics to be collected


def _same(item: Any) -> Any:
    return item


def _not_reported(*_: object) -> None:
    """What is done about an exception that leaves a span when log records of exceptions are not wanted."""


class Cleaning:
    """What happens to an item in the delivering thread, just before the encoder. Log records are clean earlier.

    Attributes:
        redaction: the one in force; a setting that changes holds for what still waits, too.
    """

    redaction: Redaction | None = None

    def span(self, span: Any) -> Any:
        """A span without secrets that can be encoded."""
        return clean_span(self.redaction.span(span) if self.redaction else span)

    def metrics(self, data: Any) -> Any:
        """A collection without secrets that can be encoded."""
        return clean_metrics(self.redaction.metrics(data) if self.redaction else data)


_cleaning = Cleaning()
CLEANERS: dict[str, Callable[[Any], Any]] = {"traces": _cleaning.span, "metrics": _same, "logs": _same}


def places_of(settings: Settings) -> list[Place]:
    """Where the settings want items to go."""
    return [*otlp_places(settings, CLEANERS), *console_places(settings, CLEANERS), *file_places(settings)]


def web_of(settings: Settings) -> Web:
    """How requests to this program are watched."""
    return Web(
        access_log=settings.access_log,
        excluded=settings.excluded_urls,
        request_headers=settings.capture_request_headers,
        response_headers=settings.capture_response_headers,
        body_bytes=settings.capture_body,
        user_id=settings.user_id_from,
        session_id=settings.session_id_from,
    )


def sql_of(settings: Settings) -> _sql.Sql:
    """How SQL is watched."""
    return _sql.Sql(
        slow_query=settings.sql_slow_query,
        n_plus_one=settings.sql_n_plus_one,
        transactions=settings.sql_transactions,
        parameters=settings.sql_parameters,
        commenter=settings.sql_commenter,
    )


def client_of(settings: Settings) -> Client:
    """How calls of this program to other services are watched."""
    return Client(
        propagate_to=settings.propagate_to,
        request_headers=settings.capture_client_request_headers,
        response_headers=settings.capture_client_response_headers,
    )


def console_of(settings: Settings) -> ConsoleLogProcessor | None:
    """What shows log records on the console, if they are to be shown."""
    style = settings.console
    if style == "off":
        if "console" not in settings.logs_exporter:
            return None
        style = "auto"
    processor: ConsoleLogProcessor = import_module("otel_kit.export.console.logs").ConsoleLogProcessor(
        style, skip=logs.already_shown
    )
    return processor


def _import_for_metrics(provider: MeterProvider, settings: Settings) -> None:
    """Import what the first collection would import while it runs callbacks of the program."""
    provider.real()
    if settings.process_metrics:
        import_module("psutil")


NOTHING: dict[str, Any] = {"endpoints": {}}


class Runtime:
    """One for each process; :func:`otel_kit.init_telemetry` configures it, again and again if it likes.

    Attributes:
        settings: the effective ones; None before the first call.
        on: whether anything is emitted: not when disabled, not after shutdown.
    """

    def __init__(self) -> None:
        self.settings: Settings | None = None
        self.on = False
        self._delivered = True  # what the last shutdown answered
        self.providers: Providers | None = None
        self._lock = threading.RLock()
        self._queues = Queues(started=self._emitting)
        self._collector: Collector | None = None
        self._resource = Resource.get_empty()

    # -- wiring

    def configure(self, settings: Settings, places: Callable[[], list[Place]] | None = None) -> None:
        """Emit as the settings say from now on.

        Args:
            settings: the effective settings.
            places: where items go instead of the OTLP endpoints, for tests.
        """
        with self._lock:
            self.settings, self._delivered = settings, True
            redaction = _cleaning.redaction = redaction_of(settings)
            _guard.show_errors_through(redaction.text)
            redact_with(redaction.value)
            files.audit, files.state = settings.audit_file, settings.state_directory
            within.follow = self.follow_run
            news.on = settings.error_news
            debugging.exception_locals = settings.exception_locals
            debugging.environment = (settings.environment or "").lower()
            set_propagator(settings, redaction.baggage)
            carry_threads(settings.carry_threads)
            if settings.disabled:
                self._switch_off()
                return
            self._resource = redaction.resource(build_resource(settings), settings)
            providers = self.providers or self._made_providers()
            queues = self._queues.use(places() if places else places_of(settings), settings)
            self._wire_traces(providers, settings, queues["traces"])
            self._wire_metrics(providers, settings, queues["metrics"])
            self._wire_logs(providers, settings, queues["logs"], redaction)
            providers.install()
            self.on = True
            self._turn_on(settings)

    def _made_providers(self) -> Providers:
        self.providers = providers = Providers()
        health.observe(providers.meter, lambda signal: self._queues.stats(signal) if self._tells else NOTHING)
        health.observe_redactions(providers.meter, lambda: redacted() if self._tells else {})
        return providers

    @property
    def _tells(self) -> bool:
        return self.on and self.settings is not None and self.settings.process_metrics

    def _wire_traces(self, providers: Providers, settings: Settings, batchers: list[Batcher[Any]]) -> None:
        queue = [SpanQueue(batchers)] if batchers else []
        providers.tracer.reconfigure(
            resource=self._resource,
            sampler=sampler_of(settings),
            span_limits=span_limits_of(settings),
            processors=[SpanEnricher(), *queue],  # also without an exporter: log records carry the span's ids
            clean=clean_value,
            on_exception=report_exception if settings.exception_logs else _not_reported,
            describe=description_of,
            host_of=host_of,
        )

    def _wire_metrics(self, providers: Providers, settings: Settings, batchers: list[Batcher[Item]]) -> None:
        provider = providers.meter
        provider.reconfigure(backing_of(settings, self._resource, on=bool(batchers)))
        self._stop_collecting()
        if batchers:
            self._collector = Collector(
                batchers,
                provider.collect,
                interval=settings.metric_interval,
                timeout=settings.metric_timeout,
                clean=_cleaning.metrics,
                prepare=lambda: _import_for_metrics(provider, settings),
            )

    def _wire_logs(
        self, providers: Providers, settings: Settings, batchers: list[Batcher[Any]], redaction: Redaction
    ) -> None:
        queue, console = LogQueue(batchers), console_of(settings)
        sinks = [*([console] if console else []), *([queue] if batchers else [])]
        # Redaction comes before the limits: half of a secret, cut off at a limit, would look like none.
        steps = (LogEnricher(), redaction, LogLimiter(), ReportedExceptions())
        limits = record_limits_of(settings)
        providers.logger.reconfigure(Inside(self._resource, limits, steps, tuple(sinks), queue.refuse))

    def _turn_on(self, settings: Settings) -> None:
        """What reaches into the program, last: everything behind it is ready."""
        logs.activate(console=console_of(settings) is not None, levels=settings.log_level)
        parts.switch(on=True, without=settings.disabled_toolkit)
        debug(settings.debug)
        logs.install_bridges(
            warnings=settings.capture_warnings, uncaught_exceptions=settings.capture_uncaught
        )
        if settings.process_metrics and self._collector:
            start_process_metrics()
        else:
            stop_process_metrics()
        if self._collector:
            self._collector.start()
        _sql.use(sql_of(settings))
        instrument_all(
            settings.instrument,
            settings.disabled_instrumentations,
            web=web_of(settings),
            client=client_of(settings),
            slow_callback=settings.slow_callback,
        )

    def _emitting(self) -> None:
        """The first item of a queue came, in a forked child perhaps: metrics are wanted too."""
        if self._collector is not None:
            self._collector.start()

    # -- flush and shutdown

    def flush(self, timeout: float) -> bool:
        """Collect the metrics and deliver everything, all signals at the same time.

        Returns:
            True only if all was acknowledged within ``timeout`` seconds.
        """
        if not self.on:
            return self._delivered
        deadline = seconds_from_now(timeout)
        collected = self._collect(deadline)
        return self._queues.flush(deadline) and collected

    def _collect(self, deadline: float) -> bool:
        """Have the metrics collected; meanwhile the other signals are on their way already."""
        collector = self._collector
        asked = collector.ask() if collector else 0
        for batcher in self._queues.every():
            batcher.prod(deadline)
        return collector.wait(asked, deadline) if collector else True

    def shutdown(self, timeout: float) -> bool:
        """Deliver everything and stop; what is emitted later is counted as too late.

        Args:
            timeout: seconds for all signals together.

        Returns:
            True only if all was acknowledged.
        """
        deadline = seconds_from_now(timeout)
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False  # another thread is at it
        try:
            if self.on:
                self._delivered = self._deliver_and_stop(deadline)
            return self._delivered
        finally:
            self._lock.release()

    def _deliver_and_stop(self, deadline: float) -> bool:
        collected = self._collect(deadline)
        logs.deactivate()
        self._queues.refuse_more()
        done = self._queues.flush(deadline) and collected
        self._switch_off()
        return done

    def leave(self, timeout: float) -> None:
        """Deliver everything: the process ends. What exit handlers emit yet is delivered in the rest of the time.

        Args:
            timeout: seconds for all signals together.
        """
        deadline = seconds_from_now(timeout)
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return  # another thread is at it
        try:
            if self.on:
                self._queues.insist()
                self._collect(deadline)
                self._queues.flush(deadline)
                self._stop_collecting()
                self._queues.linger(deadline - time.monotonic())
        finally:
            self._lock.release()

    def _stop_collecting(self) -> None:
        if self._collector is not None:
            self._collector.stop()
        self._collector = None

    def _switch_off(self) -> None:
        logs.deactivate()
        end_debugging()
        parts.switch(on=False)
        logs.remove_bridges()
        uninstrument_all()
        carry_threads(False)
        if self._collector is not None:
            stop_process_metrics()
        self._stop_collecting()
        if self.providers is not None and self.settings is not None:
            self.providers.meter.reconfigure(backing_of(self.settings, self._resource, on=False))
        self._queues.close()
        self.on = False

    def reset(self) -> None:
        """Off, and with empty books, as if nothing had been: for tests."""
        self.shutdown(0.0)
        files.audit = files.state = None
        redact_with(None)
        with self._lock:
            self._queues, self._delivered = Queues(started=self._emitting), True
            if self.providers is not None:
                self.providers.tracer.reconfigure(processors=[])
                self.providers.logger.reconfigure(Inside(self._resource, self.providers.logger.inside.limits))

    def is_free(self, patience: float) -> bool:
        """Whether the calling thread holds no lock of ours, as one that a signal interrupted may."""
        return not self._lock._is_owned() and self._queues.is_free(patience)  # type: ignore[attr-defined]

    def renew(self) -> None:
        """In a forked child: own queues, own ids, own sums; threads start with the first item."""
        self._lock, self._delivered = threading.RLock(), True
        self._queues.renew()
        if self.settings is None or self.providers is None or not self.on:
            return
        self._resource = self._resource.merge(Resource(process_attributes(self.settings)))
        collector = self._collector
        self.providers.meter.renew(collector.start if collector else lambda: None)
        if collector is not None:
            collector.renew()
        self._tell_resource(self.providers, self.settings)

    def _tell_resource(self, providers: Providers, settings: Settings) -> None:
        providers.tracer.reconfigure(resource=self._resource)
        inside = providers.logger.inside
        providers.logger.reconfigure(
            Inside(self._resource, inside.limits, inside.steps, inside.sinks, inside.lost)
        )
        providers.meter.reconfigure(backing_of(settings, self._resource, on=self._collector is not None))

    def follow_run(self) -> None:
        """The process came into a run, or left one: the resource says so from now on. Metrics so far belong to the old one."""
        if semconv.RUN_ID in self._resource.attributes and (collector := self._collector) is not None:
            collector.wait(collector.ask(), time.monotonic() + COLLECTION_OF_RUN)
        with self._lock:
            if self.settings is None or self.providers is None or not self.on:
                return
            attributes = {k: v for k, v in self._resource.attributes.items() if k != semconv.RUN_ID}
            if within.run:
                attributes[semconv.RUN_ID] = within.run
            self._resource = Resource(attributes, self._resource.schema_url)
            self._tell_resource(self.providers, self.settings)

    def stats(self) -> dict[str, Any]:
        """The books of each signal, what is instrumented, and the errors that were contained."""
        libraries = report()
        return {
            **{signal: self._queues.stats(signal) for signal in SIGNALS},
            "instrumented": {
                "on": list(libraries.on),
                "waiting": list(libraries.waiting),
                "impossible": dict(libraries.impossible),
                "left": dict(libraries.left),
            },
            "redacted": redacted(),
            "contained": _guard.contained_counts(),
        }

    def report_losses(self) -> None:
        """One line on stderr where something was not delivered."""
        self._queues.report_losses()
