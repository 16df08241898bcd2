"""``init_telemetry`` and the handle that it returns."""

from __future__ import annotations

from numbers import Real
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry import metrics, trace

from otel_kit.setup import slim  # noqa: F401 (first: what it saves is imported by all the others)

# isort: split
from otel_kit.setup import lifecycle
from otel_kit.setup.config import Settings, resolve
from otel_kit.setup.runtime import Runtime
from otel_kit.signals import logs

if TYPE_CHECKING:
    from otel_kit.signals.logs import BoundLogger

_runtime = Runtime()


class Telemetry:
    """What the program holds of its telemetry. All handles of a process lead to the same telemetry.

    As a context manager it shuts down at the end of the block.

    Attributes:
        settings: the effective settings.
        tracer: an OpenTelemetry tracer with the service's name as its scope.
        meter: an OpenTelemetry meter, likewise.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.tracer: trace.Tracer = trace.get_tracer(settings.service_name)
        self.meter: metrics.Meter = metrics.get_meter(settings.service_name)
        self._logger: BoundLogger | None = None

    @property
    def logger(self) -> BoundLogger:
        """A structlog logger; structlog is imported for the first one."""
        # Not cached_property, whose lock a forked child may inherit held.
        if self._logger is None:
            self._logger = logs.get_logger(self.settings.service_name)
        return self._logger

    def force_flush(self, timeout: float | None = None) -> bool:
        """Deliver everything emitted so far: spans, log records and a collection of the metrics.

        Args:
            timeout: seconds for all signals together, ``math.inf`` for as long as it takes (a day at most); the setting
                ``shutdown_timeout`` by default.

        Raises:
            TypeError: ``timeout`` is no number.

        Returns:
            True only if everything since the last answer was acknowledged: what a receiver rejected before the call, or what
            was dropped, makes it False once. False comes at once where nobody listens at an endpoint; what was not
            delivered then goes on waiting.
        """
        return _runtime.flush(self._seconds(timeout))

    def shutdown(self, timeout: float | None = None) -> bool:
        """Deliver everything and stop emitting. Called at exit by itself; ``init_telemetry`` starts anew.

        Args:
            timeout: seconds for all signals together, also those of a shutdown that another thread is at; as for
                :meth:`force_flush`.

        Raises:
            TypeError: ``timeout`` is no number.

        Returns:
            True only if everything since the last flush was acknowledged; what was not is counted as dropped.
        """
        return _runtime.shutdown(self._seconds(timeout))

    def _seconds(self, timeout: object) -> float:
        if timeout is None:
            return self.settings.shutdown_timeout
        # Not a number that is none: no comparison with it holds, and so no deadline would ever come.
        if isinstance(timeout, bool) or not isinstance(timeout, Real) or timeout != timeout:
            raise TypeError(f"timeout is {timeout!r}; valid: seconds as a number, math.inf, or None")
        return timeout  # type: ignore[return-value]

    def stats(self) -> dict[str, Any]:
        """The books, with ``accepted = delivered + waiting + Σ dropped`` at any moment.

        Returns:
            For each of ``traces``, ``metrics`` (in data points) and ``logs``: ``accepted``, ``delivered``, ``waiting``,
            ``dropped`` by reason, and ``endpoints``, the same for each address. An item for two endpoints counts twice.
            ``instrumented``: which libraries are on, are waited for, are not possible or left off, and why. ``contained``:
            errors of otel_kit that did not reach the program, by the part that failed. In a forked child the books begin
            anew.
        """
        return _runtime.stats()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        return f"Telemetry({self.settings.service_name!r})"


def init_telemetry(service_name: str | None = None, **settings: Any) -> Telemetry:
    """Set up traces, metrics and logs of this process; from now on they are delivered by OTLP.

    Called again it replaces the settings and doubles nothing: tracers, meters, loggers and instruments handed out before go
    on to work. Called after :meth:`Telemetry.shutdown` it starts anew. Safe to call from several threads.

    Args:
        service_name: becomes ``service.name``; ``OTEL_SERVICE_NAME`` where it is None.
        settings: see docs/settings.md or ``otel-kit config``; what is not given comes from ``OTEL_*`` and ``OTEL_KIT_*``
            variables, then ``[tool.otel_kit]`` of pyproject.toml, then the default.

    Raises:
        UnknownSettingError: no setting has that name; the nearest one is named.
        SettingError: a setting has a value that it cannot have; with ``strict=True`` also in a variable or file.
    """
    resolved = resolve(service_name, settings)
    _runtime.configure(resolved)
    lifecycle.install(_runtime)
    return Telemetry(resolved)
