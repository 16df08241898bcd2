"""One pass over the table: for each setting the strongest source that has a right value for it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from otel_kit._environment import ENTRY_POINTS, is_installed
from otel_kit.errors import OtelKitError, SettingError, UnknownSettingError
from otel_kit.setup import shown
from otel_kit.setup.slips import slips
from otel_kit.setup.sources import IN_WORDS, File
from otel_kit.setup.table import BY_NAME, DEDICATED, TABLE, VARIABLES, Setting
from otel_kit.setup.urls import split_url
from otel_kit.setup.values import ATTRIBUTES, FLAG, SIGNALS, UnknownNameError

ARGUMENT = "argument"
DEFAULT = "default"
ENVIRONMENT = "the environment"
RESOURCE_VARIABLE = "OTEL_RESOURCE_ATTRIBUTES"
OUR_VARIABLES = [name for name in VARIABLES if name.startswith("OTEL_KIT_")]


class Candidate(NamedTuple):
    """A value that a setting may have, if it is right."""

    source: str
    given: Any
    check: Callable[[Any], Any]
    valid: str
    hint: str = ""

    def __repr__(self) -> str:
        return f"Candidate({self.source})"  # what is given may be a secret


class Reading:
    """What was found.

    Args:
        arguments: the keyword arguments, with ``service_name``.
        variables: the ``OTEL_`` variables that are set.
        file: what pyproject.toml says.

    Attributes:
        values: the effective value of each setting.
        sources: where each was found.
        problems: what is wrong in variables and the file.
        notes: what looks like a mistake, but need not be one.

    Raises:
        UnknownSettingError: an argument's name is no setting.
        SettingError: an argument's value is wrong.
    """

    def __init__(self, arguments: Mapping[str, Any], variables: Mapping[str, str], file: File) -> None:
        self._arguments, self._variables, self._file = arguments, variables, file
        self._attributes: dict[str, Mapping[str, Any]] = {}
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[OtelKitError] = [file.problem] if file.problem else []
        self._check_names()
        self._merge_attributes()
        for setting in TABLE:
            if setting.kind is not ATTRIBUTES:
                self._find(setting)
        self._check_together()
        self.notes = list(dict.fromkeys(slips(self.values, self.sources, variables)))

    def _check_names(self) -> None:
        for name in self._arguments:
            if name not in BY_NAME:
                raise UnknownSettingError(str(name), ARGUMENT, BY_NAME)
        for name in self._file.entries:
            if name not in BY_NAME:
                self.problems.append(UnknownSettingError(name, IN_WORDS, BY_NAME))
        for name in self._variables:
            if name.startswith("OTEL_KIT_") and name not in VARIABLES:
                self.problems.append(UnknownSettingError(name, ENVIRONMENT, OUR_VARIABLES))
        self.problems += map(OtelKitError, self._ignored())

    def _ignored(self) -> Iterator[str]:
        if "OTEL_CONFIG_FILE" in self._variables:
            yield "OTEL_CONFIG_FILE is ignored: configuration files of that kind are not supported"
        for name, group in ENTRY_POINTS.items():
            if name in self._variables and not is_installed(group, self._variables[name]):
                yield f"{name} is ignored: no {group} is installed that is named {self._variables[name][:60]!r}"

    # one setting

    def _find(self, setting: Setting) -> None:
        value, source = self._unset(setting)
        wrong: list[Candidate] = []
        for candidate in self._candidates(setting):
            is_right, checked = try_out(candidate)
            if is_right:
                value, source = checked, candidate.source
                break
            wrong.append(candidate._replace(hint=checked or ""))
            if setting.kind is FLAG and candidate.source == setting.variable:
                value = False  # the specification: only "true" is true, and anything else is false
                break
        self.values[setting.name], self.sources[setting.name] = value, source
        for candidate in wrong:
            self._wrong(setting, candidate.source, candidate.given, candidate.valid, value, candidate.hint)

    def _unset(self, setting: Setting) -> tuple[Any, str]:
        if setting.general:
            return self.values[setting.general], f"as {setting.general}"
        return setting.default, DEFAULT

    def _candidates(self, setting: Setting) -> Iterator[Candidate]:
        """What was given for the setting, the strongest first."""
        name, kind = setting.name, setting.kind
        if name in self._arguments:
            yield Candidate(ARGUMENT, self._arguments[name], kind.value, kind.valid)
        yield from self._as_attribute(setting, ARGUMENT)
        if setting.variable in self._variables:
            text = self._variables[setting.variable]
            yield Candidate(setting.variable, text, kind.text, kind.valid_text or kind.valid)
        yield from self._as_attribute(setting, RESOURCE_VARIABLE)
        if name in self._file.entries:
            yield Candidate(IN_WORDS, self._file.entries[name], kind.value, kind.valid)
        yield from self._as_attribute(setting, IN_WORDS)

    def _as_attribute(self, setting: Setting, source: str) -> Iterator[Candidate]:
        """A setting that becomes a resource attribute may be given as one, too."""
        if setting.attribute and setting.attribute in self._attributes.get(source, ()):
            given = self._attributes[source][setting.attribute]
            yield Candidate(source, given, setting.kind.value, setting.kind.valid)

    def _wrong(
        self, setting: Setting, source: str, given: Any, valid: str, used: Any, hint: str = ""
    ) -> None:
        """A wrong argument raises; anything else is a problem to be told, once."""
        instead = None if source == ARGUMENT else shown.used(setting.kind, used)
        error = SettingError(setting.name, source, shown.given(setting.kind, given), valid, instead, hint)
        if source == ARGUMENT:
            raise error
        if str(error) not in map(str, self.problems):
            self.problems.append(error)

    def _merge_attributes(self) -> None:
        """Resource attributes of all sources, the strongest last; some have settings of their own."""
        setting = BY_NAME["resource_attributes"]
        candidates = list(self._candidates(setting))
        for candidate in reversed(candidates):
            is_right, checked = try_out(candidate)
            if is_right:
                self._attributes[candidate.source] = checked
        merged = {name: value for found in self._attributes.values() for name, value in found.items()}
        self.values[setting.name] = {name: merged[name] for name in merged if name not in DEDICATED}
        self.sources[setting.name] = " + ".join(reversed(self._attributes)) or DEFAULT
        for candidate in candidates:
            if candidate.source not in self._attributes:
                self._wrong(setting, candidate.source, candidate.given, candidate.valid, None)

    # settings that must suit each other

    def _check_together(self) -> None:
        for signal in SIGNALS:
            self._check_endpoint(signal)
            self._check_compression(signal)
            self._check_client_key(signal)
        for signal in ("traces", "logs"):
            self._check_batch(signal)
        if not self.values["sampler"].endswith("traceidratio"):
            self._unsuitable("sampler_arg", "only with a sampler that is named traceidratio")

    def _check_endpoint(self, signal: str) -> None:
        own = f"{signal}_endpoint"
        name = own if self.values[own] else "endpoint"
        if self.values[f"{signal}_protocol"] != "grpc" and not all(map(has_scheme, self.values[name])):
            self._unsuitable(name, "with http/protobuf a URL that starts with http:// or https://")

    def _check_compression(self, signal: str) -> None:
        name = f"{signal}_compression"
        if self.values[f"{signal}_protocol"] == "grpc" and self.values[name] == "deflate":
            self._unsuitable(name, "with grpc none or gzip")

    def _check_client_key(self, signal: str) -> None:
        name = f"{signal}_client_key"
        if self.values[name] and not self.values[f"{signal}_client_certificate"]:
            self._unsuitable(name, "only together with a client_certificate")

    def _check_batch(self, signal: str) -> None:
        size, queue = f"{signal}_batch_size", f"{signal}_queue_size"
        most = self.values[queue]
        if self.values[size] > most:
            self._unsuitable(size, f"at most {queue}, which is {most}", instead=most)

    def _unsuitable(self, name: str, valid: str, instead: Any = None) -> None:
        """Not right beside the others: use the default instead, and tell it if somebody gave it."""
        setting, given, source = BY_NAME[name], self.values[name], self.sources[name]
        self.values[name] = setting.default if instead is None else instead
        self.sources[name] = DEFAULT
        if source.startswith("as "):
            setting, source = BY_NAME[setting.general], self.sources[setting.general]
        if source != DEFAULT:
            self._wrong(setting, source, given, valid, self.values[name])


def try_out(candidate: Candidate) -> tuple[bool, Any]:
    """Whether the value passes its check, and its normal form, or a hint; whatever strange object it is."""
    try:
        return True, candidate.check(candidate.given)
    except UnknownNameError as error:
        return False, error.hint
    except Exception:
        return False, None


def has_scheme(url: str) -> bool:
    return bool(split_url(url).scheme)
