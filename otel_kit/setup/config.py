"""Settings: what the arguments, the variables and the file say, worked out to one value each.

The table of all settings is in ``setup/table.py``. Precedence: keyword arguments, ``OTEL_*`` variables, ``OTEL_KIT_*``
variables where no standard one exists, ``[tool.otel_kit]`` of the nearest pyproject.toml, the default. What is wrong in
a variable or in the file counts as not given and makes one sentence on stderr; a wrong argument raises.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from otel_kit import _guard
from otel_kit.errors import OtelKitError, SettingError, UnknownSettingError
from otel_kit.setup import sources
from otel_kit.setup.sources import File
from otel_kit.setup.table import BY_NAME, DEDICATED, TABLE, VARIABLES, Setting
from otel_kit.setup.targets import OtlpTarget, Signal, targets_of
from otel_kit.setup.values import ATTRIBUTES, FLAG, HEADERS, SIGNALS, Shown, shown, split_url

__all__ = ["OtlpTarget", "Settings", "read", "resolve"]

ARGUMENT = "argument"
DEFAULT = "default"
ENVIRONMENT = "the environment"
RESOURCE_VARIABLE = "OTEL_RESOURCE_ATTRIBUTES"


class Settings:
    """The effective settings; read-only, and a ``repr`` shows no secret.

    Each setting is an attribute under the name of its keyword argument. Times are in seconds.

    Attributes:
        sources: where each value was found: ``argument``, a variable's name, the file, ``default``, or ``as <setting>``.
        problems: what was wrong in variables and in the file.
        notes: what is worth knowing, though nothing is wrong.
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
    instrument: str | tuple[str, ...]
    disabled_instrumentations: tuple[str, ...]

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
        return [(s.name, shown(s.kind, getattr(self, s.name)), self.sources[s.name], s.doc) for s in TABLE]

    def targets(self, signal: Signal) -> tuple[OtlpTarget, ...]:
        """The OTLP addresses of a signal (``traces``, ``metrics`` or ``logs``), whether or not it is exported."""
        return targets_of(signal, self)

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
        raise settings.problems[0]
    for problem in settings.problems:
        _say_once(str(problem))
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
    variables = sources.variables(os.environ if environ is None else environ)
    return _Reading(given, variables, sources.nearest_file(start_dir)).settings()


class _Candidate(NamedTuple):
    source: str
    given: Any
    check: Callable[[Any], Any]
    valid: str


class _Reading:
    """One pass over the table."""

    def __init__(self, arguments: dict[str, Any], variables: dict[str, str], file: File) -> None:
        self.arguments, self.variables, self.file = arguments, variables, file
        self.file_source = sources.in_words(file.path)
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[OtelKitError] = [file.problem] if file.problem else []
        self.attributes: dict[str, Mapping[str, Any]] = {}

    def settings(self) -> Settings:
        self._check_names()
        self._merge_attributes()
        for setting in TABLE:
            if setting.name != "resource_attributes":
                self._find(setting)
        self._check_together()
        return Settings(
            self.values,
            sources=self.sources,
            problems=tuple(self.problems),
            notes=tuple(self._notes()),
            file=self.file.path,
        )

    def _check_names(self) -> None:
        for name in self.arguments:
            if name not in BY_NAME:
                raise UnknownSettingError(str(name), ARGUMENT, BY_NAME)
        for name in self.file.entries:
            if name not in BY_NAME:
                self.problems.append(UnknownSettingError(name, self.file_source, BY_NAME))
        for name in self.variables:
            if name.startswith("OTEL_KIT_") and name not in VARIABLES:
                known = [variable for variable in VARIABLES if variable.startswith("OTEL_KIT_")]
                self.problems.append(UnknownSettingError(name, ENVIRONMENT, known))
        if "OTEL_CONFIG_FILE" in self.variables:
            self.problems.append(
                OtelKitError(
                    "OTEL_CONFIG_FILE is ignored: configuration files of that kind are not supported"
                )
            )

    # one value

    def _find(self, setting: Setting) -> None:
        wrong: list[_Candidate] = []
        value, source = self._inherited(setting)
        for candidate in self._candidates(setting):
            try:
                value, source = candidate.check(candidate.given), candidate.source
                break
            except (ValueError, TypeError, OverflowError, RecursionError):
                wrong.append(candidate)
                if candidate.source in self.variables and setting.kind is FLAG:
                    value, source = False, DEFAULT  # only "true" is true, says the specification
                    break
        self.values[setting.name], self.sources[setting.name] = value, source
        for candidate in wrong:
            self._wrong(setting, candidate, value)

    def _inherited(self, setting: Setting) -> tuple[Any, str]:
        if setting.general:
            return self.values[setting.general], f"as {setting.general}"
        return setting.default, DEFAULT

    def _candidates(self, setting: Setting) -> Iterator[_Candidate]:
        """Where the value may be, the strongest first."""
        name, kind = setting.name, setting.kind
        if name in self.arguments:
            yield _Candidate(ARGUMENT, self.arguments[name], kind.value, kind.valid)
        yield from self._as_attribute(setting, ARGUMENT)
        if setting.variable in self.variables:
            text = self.variables[setting.variable]
            yield _Candidate(setting.variable, text, kind.text, kind.valid_text or kind.valid)
        yield from self._as_attribute(setting, RESOURCE_VARIABLE)
        if name in self.file.entries:
            yield _Candidate(self.file_source, self.file.entries[name], kind.value, kind.valid)
        yield from self._as_attribute(setting, self.file_source)

    def _as_attribute(self, setting: Setting, source: str) -> Iterator[_Candidate]:
        """A setting that is a resource attribute may also be given as one."""
        if setting.attribute and setting.attribute in self.attributes.get(source, ()):
            yield _Candidate(
                source, self.attributes[source][setting.attribute], setting.kind.value, setting.kind.valid
            )

    def _wrong(self, setting: Setting, candidate: _Candidate, used: Any) -> None:
        """A wrong argument raises; anything else is one problem."""
        given = shown(setting.kind, candidate.given)
        error = SettingError(setting.name, candidate.source, given, candidate.valid, _used(setting, used))
        if candidate.source == ARGUMENT:
            raise SettingError(setting.name, candidate.source, given, candidate.valid) from None
        self.problems.append(error)

    def _merge_attributes(self) -> None:
        """The resource attributes of all sources, the strongest last; those with a setting of their own go there."""
        setting = BY_NAME["resource_attributes"]
        merged: dict[str, Any] = {}
        found: list[str] = []
        for candidate in reversed(list(self._candidates(setting))):
            try:
                attributes = candidate.check(candidate.given)
            except (ValueError, TypeError, OverflowError, RecursionError):
                self._wrong(setting, candidate, None)
                continue
            self.attributes[candidate.source] = attributes
            merged.update(attributes)
            found.insert(0, candidate.source)
        self.values[setting.name] = {name: value for name, value in merged.items() if name not in DEDICATED}
        self.sources[setting.name] = " + ".join(found) or DEFAULT

    # values that depend on each other

    def _check_together(self) -> None:
        for signal in SIGNALS:
            self._check_endpoint(signal)
            self._check_compression(signal)
            self._check_client_certificate(signal)
        for signal in ("traces", "logs"):
            self._check_batch(signal)
        if not self.values["sampler"].endswith("traceidratio"):
            self._unsuitable(
                "sampler_arg", "no value unless the sampler is traceidratio or parentbased_traceidratio"
            )

    def _check_endpoint(self, signal: str) -> None:
        if self.values[f"{signal}_protocol"] == "grpc":
            return
        for name in (f"{signal}_endpoint", "endpoint"):
            if any(not split_url(url).scheme for url in self.values[name]):
                self._unsuitable(name, "with http/protobuf a URL with http:// or https://")

    def _check_compression(self, signal: str) -> None:
        if self.values[f"{signal}_protocol"] == "grpc" and self.values[f"{signal}_compression"] == "deflate":
            self._unsuitable(f"{signal}_compression", "with grpc none or gzip")

    def _check_client_certificate(self, signal: str) -> None:
        key, certificate = f"{signal}_client_key", f"{signal}_client_certificate"
        if self.values[key] and not self.values[certificate]:
            self._unsuitable(key, "a key together with a client_certificate")

    def _check_batch(self, signal: str) -> None:
        size, queue = f"{signal}_batch_size", f"{signal}_queue_size"
        most = self.values[queue]
        if self.values[size] > most:
            self._unsuitable(size, f"at most {queue}, which is {most}", most)

    def _unsuitable(self, name: str, valid: str, instead: Any = None) -> None:
        """A value that is right alone but not beside the others: back to the default."""
        source = self.sources[name]
        given = self.values[name]
        setting = BY_NAME[name]
        self.values[name] = setting.default if instead is None else instead
        if source.startswith("as "):
            source = self.sources[setting.general]
        self.sources[name] = DEFAULT
        if source != DEFAULT:
            self._wrong(setting, _Candidate(source, given, setting.kind.value, valid), self.values[name])

    def _notes(self) -> Iterator[str]:
        if "OTEL_LOG_LEVEL" in self.variables:
            yield "OTEL_LOG_LEVEL is the SDK's own log level and has no effect here; the program's is OTEL_KIT_LOG_LEVEL"


def _used(setting: Setting, value: Any) -> Any:
    if setting.kind is HEADERS or setting.kind is ATTRIBUTES:
        return Shown("none") if not value else shown(setting.kind, value)
    return shown(setting.kind, value)
