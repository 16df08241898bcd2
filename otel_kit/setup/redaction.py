"""The redactor in the pipeline: made when the first item needs it, because its rules cost milliseconds of import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs import LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from otel_kit import _guard
from otel_kit._imports import late
from otel_kit.setup.config import Settings, read

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from otel_kit.pipeline.redact import Redactor


def _same(span: ReadableSpan) -> ReadableSpan:
    return span


def before_setup() -> Callable[[str, Any], Any]:
    """Redacts for helpers that work without ``init_telemetry``, as it would without arguments."""
    return redaction_of(read(None, {})).value


class Redaction(LogRecordProcessor):
    """Takes secrets out of what leaves: the step for log records, and functions for the other signals.

    Args:
        settings: ``redact`` and ``redact_rules``.

    Attributes:
        span: a span without secrets.
    """

    def __init__(self, settings: Settings) -> None:
        self.off = settings.redact == "off"
        self._mode, self._rules = settings.redact, settings.redact_rules

    def __getattr__(self, name: str) -> Any:
        # Not cached_property, whose lock a forked child may inherit held.
        if name == "_redact":
            self._redact: Any = late("otel_kit.pipeline.redact")
            return self._redact
        if name == "redactor":
            rules = self._redact.Rules(**{**self._rules, "mode": self._mode})
            self.redactor: Redactor = self._redact.Redactor(rules)
            return self.redactor
        if name == "span":
            # A function that is called per span: one frame less.
            self.span: Callable[[ReadableSpan], ReadableSpan] = (
                _same if self.off else partial(self._redact.redact_span, self.redactor)
            )
            return self.span
        raise AttributeError(name)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Redact a log record, in place."""
        if not self.off:
            redactor = self.redactor
            self._redact.redact_log(redactor, log_record.log_record)
            scope = log_record.instrumentation_scope
            if scope is not redactor.known_scopes.get(id(scope)):
                log_record.instrumentation_scope = self._redact.redact_scope(redactor, scope)

    def metrics(self, data: MetricsData) -> MetricsData:
        """A collection without secrets."""
        redacted: MetricsData = data if self.off else self._redact.redact_metrics(self.redactor, data)
        return redacted

    def resource(self, resource: Resource, settings: Settings) -> Resource:
        """A resource without secrets. Only what somebody set by hand can hold one: the rest needs no redactor."""
        if self.off or not settings.resource_attributes:
            return resource
        redacted: Resource = self._redact.redact_resource(self.redactor, resource)
        return redacted

    def text(self, text: str) -> str:
        """A text without secrets; for stderr."""
        return text if self.off else self.redactor.text(text, "stderr")

    def baggage(self, key: str, value: str) -> str:
        """The value of a baggage entry without secrets."""
        return value if self.off else str(self.redactor.value(key, value, "baggage"))

    def value(self, key: str, value: Any) -> Any:
        """A value without secrets, for a file that a helper writes; None where a rule drops it."""
        if self.off:
            return value
        self.redactor.begin()
        shown = self.redactor.value(key, value, "file")
        return None if shown is self._redact.DROPPED else shown

    def shutdown(self) -> None:
        """Nothing is held."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Nothing is held."""
        return True


def redacted() -> dict[str, dict[str, int]]:
    """How often each rule redacted, by surface: ``{"dsn": {"log.body": 3}}``."""
    # Another thread may be importing the module at this moment: then there is nothing to count yet.
    counts: dict[tuple[str, str], int] = getattr(
        sys.modules.get("otel_kit.pipeline.redact"), "redaction_counts", dict
    )()
    found: dict[str, dict[str, int]] = {}
    for (rule, surface), count in sorted(counts.items()):
        found.setdefault(rule, {})[surface] = count
    return found


def redaction_of(settings: Settings) -> Redaction:
    """The redaction that the settings ask for; it says so once when there is none."""
    if settings.redact == "off" and not _told:
        _told.append(True)
        _guard.say("redaction is off (redact='off'): secrets leave the process as they are")
    return Redaction(settings)


_told: list[bool] = []
