"""Settings: what the arguments, the variables and the file say, worked out to one value each.

The table of all settings is in ``setup/table.py``. Precedence: keyword arguments, ``OTEL_*`` variables,
``OTEL_KIT_*`` variables where no standard one exists, ``[tool.otel_kit]`` of the nearest pyproject.toml, the
default. What is wrong in a variable or in the file counts as not given and makes one sentence on stderr; a wrong
argument raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from otel_kit import _environment, _guard
from otel_kit.errors import OtelKitError, SettingError
from otel_kit.instrument import Report, plan
from otel_kit.setup import sources
from otel_kit.setup.reading import ARGUMENT, DEFAULT, Reading
from otel_kit.setup.shown import masked
from otel_kit.setup.table import BY_NAME, TABLE
from otel_kit.setup.targets import OtlpTarget, Signal, targets_of

__all__ = ["OtlpTarget", "Settings", "read", "resolve"]


class Settings:
    """The effective settings; read-only, and a ``repr`` shows no secret.

    Each setting is an attribute under the name of its keyword argument. Times are in seconds.

    Attributes:
        sources: where each value was found: ``argument``, a variable's name, the file, ``default``, or
            ``as <setting>`` where it follows a more general one.
        problems: what was wrong in variables and in the file.
        notes: what looks like a mistake, but need not be one.
        file: path of the pyproject.toml that was read, or empty.
    """

    service_name: str
    service_version: str | None
    service_namespace: str | None
    service_instance_id: str | None
    environment: str | None
    resource_attributes: Mapping[str, Any]

    disabled: bool
    strict: bool
    shutdown_timeout: float

    traces_exporter: tuple[str, ...]
    metrics_exporter: tuple[str, ...]
    logs_exporter: tuple[str, ...]

    endpoint: tuple[str, ...]
    protocol: str
    headers: Mapping[str, str]
    timeout: float
    compression: str
    certificate: str | None
    client_key: str | None
    client_certificate: str | None
    insecure: bool

    traces_endpoint: tuple[str, ...]
    traces_protocol: str
    traces_headers: Mapping[str, str]
    traces_timeout: float
    traces_compression: str
    traces_certificate: str | None
    traces_client_key: str | None
    traces_client_certificate: str | None
    traces_insecure: bool

    metrics_endpoint: tuple[str, ...]
    metrics_protocol: str
    metrics_headers: Mapping[str, str]
    metrics_timeout: float
    metrics_compression: str
    metrics_certificate: str | None
    metrics_client_key: str | None
    metrics_client_certificate: str | None
    metrics_insecure: bool

    logs_endpoint: tuple[str, ...]
    logs_protocol: str
    logs_headers: Mapping[str, str]
    logs_timeout: float
    logs_compression: str
    logs_certificate: str | None
    logs_client_key: str | None
    logs_client_certificate: str | None
    logs_insecure: bool

    sampler: str
    sampler_arg: float
    propagators: tuple[str, ...]
    traces_batch_delay: float
    traces_batch_size: int
    traces_queue_size: int
    traces_export_timeout: float
    exception_logs: bool

    metric_interval: float
    metric_timeout: float
    exemplar_filter: str
    temporality: str
    histogram_aggregation: str
    series_limit: int
    metric_ids: tuple[str, ...]
    process_metrics: bool

    log_level: str
    console: str
    capture_warnings: bool
    capture_uncaught: bool
    logs_batch_delay: float
    logs_batch_size: int
    logs_queue_size: int
    logs_export_timeout: float

    baggage_ids: tuple[str, ...]
    carry_threads: bool
    redact: str
    redact_rules: Mapping[str, Any]
    instrument: str | tuple[str, ...]
    disabled_instrumentations: tuple[str, ...]
    files: str | None
    files_layout: str
    files_max_size: int
    files_keep: int
    files_max_age: int
    files_total_size: int
    files_compress: bool
    files_categories: Mapping[str, tuple[str, ...]]
    disabled_toolkit: tuple[str, ...]
    audit_file: str | None
    error_news: bool
    exception_locals: bool
    debug: tuple[str, ...]
    state_directory: str | None
    slow_callback: float

    access_log: bool
    excluded_urls: tuple[str, ...]
    capture_request_headers: tuple[str, ...]
    capture_response_headers: tuple[str, ...]
    capture_body: int
    user_id_from: str | Callable[..., Any] | None
    session_id_from: str | Callable[..., Any] | None

    sql_slow_query: float
    sql_n_plus_one: int
    sql_transactions: str
    sql_parameters: bool
    sql_commenter: bool

    propagate_to: tuple[str, ...]
    capture_client_request_headers: tuple[str, ...]
    capture_client_response_headers: tuple[str, ...]

    attribute_count_limit: int
    attribute_value_length_limit: int | None
    span_attribute_count_limit: int
    span_attribute_value_length_limit: int | None
    span_event_count_limit: int
    span_link_count_limit: int
    event_attribute_count_limit: int
    link_attribute_count_limit: int
    logrecord_attribute_count_limit: int
    logrecord_attribute_value_length_limit: int | None

    sources: Mapping[str, str]
    problems: tuple[OtelKitError, ...]
    notes: tuple[str, ...]
    file: str

    # Not a dataclass: making one of this many fields costs milliseconds of every program's start.
    def __init__(self, values: Mapping[str, Any], **about: Any) -> None:
        self.__dict__.update(values, **about)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"settings are read-only: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"settings are read-only: {name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Settings) and all(getattr(self, n) == getattr(other, n) for n in BY_NAME)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        given = [
            f"{name}={value!r}"
            for name, value, source, _ in self.rows()
            if name == "service_name" or not (source == DEFAULT or source.startswith("as "))
        ]
        return f"Settings({', '.join(given)})"

    def rows(self) -> list[tuple[str, Any, str, str]]:
        """Each setting as (name, value with secrets masked, source, doc), in the order of the table."""
        return [(s.name, masked(s.kind, getattr(self, s.name)), self.sources[s.name], s.doc) for s in TABLE]

    def targets(self, signal: Signal) -> tuple[OtlpTarget, ...]:
        """The OTLP addresses of a signal (traces, metrics, logs), whether or not it is exported."""
        return targets_of(signal, self)

    def libraries(self) -> Report:
        """What a program that is started here would have instrumented as soon as it imports it; none is on yet."""
        return plan(() if self.disabled else self.instrument, self.disabled_instrumentations)

    def replaced(self, **values: Any) -> Settings:
        """A copy with other values, which are taken as they are."""
        changed = dict.fromkeys(values, ARGUMENT)
        return Settings({**self.__dict__, **values, "sources": {**self.sources, **changed}})


def resolve(
    service_name: str | None,
    arguments: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    start_dir: str | os.PathLike[str] | None = None,
) -> Settings:
    """Work out the settings, and say on stderr what is wrong in the variables and the file: each thing once.

    Args:
        service_name: the service's name as the program gives it, or None.
        arguments: the keyword arguments by name; a value None counts as not given.
        environ: the environment variables; default: those of the process.
        start_dir: the folder from which pyproject.toml is looked for upwards; default: the working directory.

    Raises:
        UnknownSettingError: an argument's name is no setting.
        SettingError: an argument's value is wrong; when strict, also a variable's or a file entry's.
        OtelKitError: when strict, the file cannot be used.
    """
    settings = read(service_name, arguments, environ=environ, start_dir=start_dir)
    if settings.strict and settings.problems:
        first = settings.problems[0]
        raise first.raised() if isinstance(first, SettingError) else first
    for sentence in (*map(str, settings.problems), *settings.notes):
        _say_once(sentence)
    return settings


_said: set[str] = set()


def _say_once(sentence: str) -> None:
    if sentence not in _said:
        _said.add(sentence)
        _guard.say(sentence)


def read(
    service_name: str | None,
    arguments: Mapping[str, Any],
    *,
    environ: Mapping[str, str] | None = None,
    start_dir: str | os.PathLike[str] | None = None,
) -> Settings:
    """As :func:`resolve`, but what is wrong in variables and the file is only listed in ``problems``."""
    given = {name: value for name, value in arguments.items() if value is not None}
    if service_name is not None:
        given["service_name"] = service_name
    variables = sources.variables({**_environment.removed, **os.environ} if environ is None else environ)
    file = sources.nearest_file(start_dir)
    found = Reading(given, variables, file)
    return Settings(
        found.values,
        sources=found.sources,
        problems=tuple(found.problems),
        notes=tuple(found.notes),
        file=file.path,
    )
