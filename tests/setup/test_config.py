"""Each setting from each source: the right value is taken, the wrong one is told, and the source is named."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from otel_kit.errors import SettingError
from otel_kit.setup import values
from otel_kit.setup.config import Settings, read, resolve
from otel_kit.setup.sources import IN_WORDS
from otel_kit.setup.table import DEDICATED, GROUPS, ONE_SIGNAL, TABLE, Setting


class Example(NamedTuple):
    """A right and a wrong value as argument or file entry and as variable, and what the right one becomes."""

    value: Any
    text: str
    becomes: Any
    wrong_value: Any
    wrong_text: str


WORDS = {
    "protocol": "grpc",
    "compression": "gzip",
    "sampler": "parentbased_traceidratio",
    "exemplar_filter": "always_off",
    "temporality": "delta",
    "histogram_aggregation": "base2_exponential_bucket_histogram",
    "console": "json",
    "sql_transactions": "spans",
    "redact": "secrets+personal",
    "files_layout": "dated",
}
HERE = str(Path(__file__).resolve().parent)
OF_KIND = {
    values.TEXT: Example("a name", " a name ", "a name", 7, "a\nb"),
    values.FILE: Example(__file__, __file__, __file__, "/no/such/file", "/no/such/file"),
    values.DIRECTORY: Example(HERE, HERE, HERE, __file__, __file__),
    values.WRITABLE: Example(f"{HERE}/new", f"{HERE}/new", f"{HERE}/new", HERE, HERE),
    values.PATH: Example(f"{HERE}/no/new", f"{HERE}/no/new", f"{HERE}/no/new", 7, "a\nb"),
    values.CATEGORIES: Example(
        {"payments": ["shop.pay", "sold*"]},
        "payments=shop.pay+sold*",
        {"payments": ("shop.pay", "sold*")},
        {"pay ments": ["a"]},
        "payments",
    ),
    values.TOOLKIT: Example(["code"], "Code", ("code",), ["cod"], "cod"),
    values.FLAG: Example(True, "TRUE", True, 1, "1"),
    values.RATIO: Example(0.25, "0.25", 0.25, 1.5, "-0.1"),
    values.SECONDS: Example(2, "2000", 2.0, -1, "-1"),
    values.INTERVAL: Example(2.5, "2500", 2.5, 0, "0"),
    values.TIMEOUT: Example(2.5, "2500", 2.5, True, "1.5"),
    values.LEVELS: Example("info,shop=debug", "info,shop=debug", "info,shop=debug", "loud", "info,shop=loud"),
    values.NAMES: Example(["a", "b"], "a, b,a", ("a", "b"), ["a b"], "a b"),
    values.HOSTS: Example(
        ["API.example.com", "*.x"], "api.example.com, *.x", ("api.example.com", "*.x"), ["a b"], "a/b"
    ),
    values.PATTERNS: Example(["^/a$", "b"], "^/a$, b", ("^/a$", "b"), ["("], "("),
    values.IDENTITY: Example("X-User", "X-User", "x-user", "x user", "x user"),
    values.LIBRARY_NAMES: Example(["Flask", "*"], "Flask,*", ("flask", "*"), [1], "a/b"),
    values.INSTRUMENT: Example(["flask"], "flask,sqlalchemy", ("flask",), ["flusk"], "auto,flask"),
    values.PROPAGATORS: Example(["baggage"], "Baggage,baggage", ("baggage",), ["b4"], "none,baggage"),
    values.HEADERS: Example(
        {"X-Tenant": "a b"}, "X-Tenant=a%20b", {"x-tenant": "a b"}, {"x tenant": "a"}, "x-tenant"
    ),
    values.ATTRIBUTES: Example(
        {"a": "1", "b.c": "x=y"}, "a=1,b.c=x%3Dy", {"a": "1", "b.c": "x=y"}, ["a"], "a,b"
    ),
    values.RULES: Example(
        {"keys": {"customer ref": "hash"}}, "", {"keys": {"customer ref": "hash"}}, {"keyz": {}}, ""
    ),
    values.ENDPOINTS: Example(
        "https://collector.example:4318/x",
        "https://collector.example:4318/x",
        ("https://collector.example:4318/x",),
        "ftp://collector.example",
        "http://collector.example:99999",
    ),
}
COMPANIONS: dict[str, dict[str, Any]] = {
    "sampler_arg": {"sampler": "traceidratio"},
    "client_key": {"client_certificate": __file__},
    **{f"{signal}_client_key": {"client_certificate": __file__} for signal in values.SIGNALS},
}
EXPORTERS = Example(["console", "otlp"], "console, OTLP", ("console", "otlp"), ["zipkin"], "otlp,none")
NAMES = [setting.name for setting in TABLE]
WITH_VARIABLE = [setting.name for setting in TABLE if setting.variable]
BY_NAME = {setting.name: setting for setting in TABLE}


def example(setting: Setting) -> Example:
    base = setting.name.removeprefix("traces_").removeprefix("metrics_").removeprefix("logs_")
    if base == "exporter":
        return EXPORTERS
    if base in WORDS:
        word = WORDS[base]
        return Example(word, word.upper(), word, "purple", "purple")
    if setting.kind.valid.startswith("a whole number"):
        return Example(300, "300", 300, "300", "-300")
    return OF_KIND[setting.kind]


def found(
    tmp_path: Path,
    arguments: Mapping[str, Any] | None = None,
    variables: Mapping[str, str] | None = None,
    file: Mapping[str, Any] | None = None,
) -> Settings:
    """Read with nothing else around; the file's content is given as a mapping."""
    entries = "".join(f"{name} = {toml(value)}\n" for name, value in (file or {}).items())
    (tmp_path / "pyproject.toml").write_text(f"[tool.otel_kit]\n{entries}", encoding="utf-8")
    return read(None, arguments or {}, environ=variables or {}, start_dir=tmp_path)


def toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)} = {toml(item)}" for name, item in value.items()) + "}"
    return json.dumps(value)


@pytest.mark.parametrize("name", NAMES)
def test_a_right_argument_is_taken(name: str, tmp_path: Path) -> None:
    """A right argument is not the effective value, or its source is not said to be the argument."""
    row = example(BY_NAME[name])
    settings = found(tmp_path, {**COMPANIONS.get(name, {}), name: row.value})
    assert getattr(settings, name) == row.becomes
    assert (settings.sources[name], settings.problems) == ("argument", ())


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_argument_raises_at_once(name: str, tmp_path: Path) -> None:
    """A wrong argument is swallowed, or its error does not name the setting, the source and what is valid."""
    setting = BY_NAME[name]
    row = example(setting)
    with pytest.raises(SettingError) as caught:
        found(tmp_path, {name: row.wrong_value})
    error = caught.value
    assert (error.setting, error.source, error.valid) == (name, "argument", setting.kind.valid)
    assert str(error).startswith(f"{name} (from argument) is ")


def test_none_as_an_argument_counts_as_not_given(tmp_path: Path) -> None:
    """Passing None changes a setting, so a program cannot pass on what it may not have."""
    assert found(tmp_path, dict.fromkeys(NAMES)) == found(tmp_path)


@pytest.mark.parametrize("name", WITH_VARIABLE)
def test_a_right_variable_is_taken(name: str, tmp_path: Path) -> None:
    """A right variable is not the effective value, or its source is not said to be the variable."""
    setting = BY_NAME[name]
    row = example(setting)
    settings = found(tmp_path, COMPANIONS.get(name, {}), {setting.variable: row.text})
    expected = ("flask", "sqlalchemy") if name == "instrument" else row.becomes
    assert getattr(settings, name) == expected
    assert (settings.sources[name], settings.problems) == (setting.variable, ())


@pytest.mark.parametrize("name", WITH_VARIABLE)
def test_a_wrong_variable_is_one_problem_and_the_default(name: str, tmp_path: Path) -> None:
    """A wrong variable raises, is used, is told not at all or twice, or without what is valid."""
    setting = BY_NAME[name]
    settings = found(tmp_path, variables={setting.variable: example(setting).wrong_text})
    default = getattr(found(tmp_path), name)
    [problem] = settings.problems
    assert isinstance(problem, SettingError)
    assert (problem.setting, problem.source) == (name, setting.variable)
    assert problem.valid == (setting.kind.valid_text or setting.kind.valid)
    assert getattr(settings, name) == (False if setting.kind is values.FLAG else default)


@pytest.mark.parametrize("text", ["", "   "])
def test_an_empty_variable_counts_as_unset(text: str, tmp_path: Path) -> None:
    """An empty variable changes a setting or is called wrong."""
    settings = found(tmp_path, variables={BY_NAME[name].variable: text for name in WITH_VARIABLE})
    assert settings == found(tmp_path)
    assert settings.problems == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_right_file_entry_is_taken(name: str, tmp_path: Path) -> None:
    """A right entry of the file is not the effective value, or its source is not said to be the file."""
    row = example(BY_NAME[name])
    settings = found(tmp_path, file={**COMPANIONS.get(name, {}), name: row.value})
    assert getattr(settings, name) == row.becomes
    assert (settings.sources[name], settings.problems) == (IN_WORDS, ())


@pytest.mark.parametrize("name", NAMES)
def test_a_wrong_file_entry_is_one_problem_and_the_default(name: str, tmp_path: Path) -> None:
    """A wrong entry of the file raises, is used, or is told not at all or twice."""
    settings = found(tmp_path, file={name: example(BY_NAME[name]).wrong_value})
    [problem] = settings.problems
    assert isinstance(problem, SettingError)
    assert (problem.setting, problem.source) == (name, IN_WORDS)
    assert settings == found(tmp_path)


GENERAL = [
    row.name for title, rows in GROUPS.items() if title != ONE_SIGNAL for row in rows if row.name != "strict"
]


@pytest.mark.parametrize("name", GENERAL)
def test_when_strict_what_is_wrong_raises(name: str, tmp_path: Path) -> None:
    """A wrong variable or entry of the file goes through although program or operator asked to be strict."""
    setting = BY_NAME[name]
    row = example(setting)
    variables = {setting.variable: row.wrong_text} if setting.variable else {}
    found(tmp_path, file={name: row.wrong_value})
    for arguments in ({"strict": True}, {}):
        environ = {**variables, **({} if arguments else {"OTEL_KIT_STRICT": "true"})}
        with pytest.raises(SettingError, match=setting.variable or name) as raised:
            resolve(None, arguments, environ=environ, start_dir=tmp_path)
        assert "; using " not in str(raised.value)


@pytest.mark.parametrize("name", [s.name for s in TABLE if s.kind is values.TIMEOUT])
def test_a_timeout_of_zero_is_no_limit(name: str, tmp_path: Path) -> None:
    """A timeout of 0, which the specification reads as no limit, lets every export fail at once."""
    settings = found(tmp_path, variables={BY_NAME[name].variable: "0"})
    assert getattr(settings, name) == values.NO_LIMIT


def test_the_stronger_source_wins(tmp_path: Path) -> None:
    """Argument, variable, file and default do not take precedence in this order."""
    file, variables = {"console": "off"}, {"OTEL_KIT_CONSOLE": "json"}
    assert found(tmp_path, {"console": "pretty"}, variables, file).console == "pretty"
    assert found(tmp_path, {}, variables, file).console == "json"
    assert found(tmp_path, {}, {}, file).console == "off"
    assert found(tmp_path).console == "auto"


def test_a_wrong_variable_gives_way_to_the_file(tmp_path: Path) -> None:
    """A wrong variable hides the right entry of the file, although it counts as unset."""
    settings = found(tmp_path, {}, {"OTEL_KIT_CONSOLE": "purple"}, {"console": "off"})
    assert settings.console == "off"
    assert "using 'off'" in str(settings.problems[0])


def test_anything_but_true_is_false_in_a_boolean_variable(tmp_path: Path) -> None:
    """OTEL_SDK_DISABLED=1 disables, or a boolean whose default is true stays true on a wrong text."""
    settings = found(tmp_path, {}, {"OTEL_SDK_DISABLED": "1", "OTEL_KIT_PROCESS_METRICS": "yes"})
    assert not settings.disabled
    assert not settings.process_metrics
    assert [str(problem).rpartition("; ")[2] for problem in settings.problems] == [
        "using false",
        "using false",
    ]


@pytest.mark.parametrize("attribute", sorted(DEDICATED))
def test_a_setting_may_come_as_resource_attribute(attribute: str, tmp_path: Path) -> None:
    """service.version and its like in resource attributes are not the setting of that meaning."""
    name = DEDICATED[attribute].name
    variables = {"OTEL_RESOURCE_ATTRIBUTES": f"{attribute}=blue,other=1"}
    file = {"resource_attributes": {attribute: "green"}}
    by_argument = found(tmp_path, {"resource_attributes": {attribute: "red"}}, variables, file)
    by_variable = found(tmp_path, {}, variables, file)
    by_file = found(tmp_path, {}, {}, file)
    assert [getattr(s, name) for s in (by_argument, by_variable, by_file)] == ["red", "blue", "green"]
    assert by_variable.sources[name] == "OTEL_RESOURCE_ATTRIBUTES"
    assert by_variable.resource_attributes == {"other": "1"}


def test_the_variable_of_the_service_name_beats_the_attribute(tmp_path: Path) -> None:
    """service.name in OTEL_RESOURCE_ATTRIBUTES beats OTEL_SERVICE_NAME, or either beats the argument."""
    variables = {"OTEL_SERVICE_NAME": "variable", "OTEL_RESOURCE_ATTRIBUTES": "service.name=attribute"}
    assert found(tmp_path, {}, variables).service_name == "variable"
    assert read("argument", {}, environ=variables, start_dir=tmp_path).service_name == "argument"


def test_resource_attributes_of_all_sources_are_merged(tmp_path: Path) -> None:
    """A weaker source's attribute is lost, or it beats that of a stronger source."""
    settings = found(
        tmp_path,
        {"resource_attributes": {"a": 1, "list": ["x", "y"]}},
        {"OTEL_RESOURCE_ATTRIBUTES": "a=2,b=2"},
        {"resource_attributes": {"a": 3, "b": 3, "c": 3}},
    )
    assert settings.resource_attributes == {"a": 1, "b": "2", "c": 3, "list": ("x", "y")}
    assert settings.sources["resource_attributes"] == f"argument + OTEL_RESOURCE_ATTRIBUTES + {IN_WORDS}"


@pytest.mark.parametrize("text", ["a", "a=1,b", "=1", "a=%ff", "a=\udcff"])
def test_wrong_resource_attributes_are_left_out_altogether(text: str, tmp_path: Path) -> None:
    """Part of a malformed OTEL_RESOURCE_ATTRIBUTES is used, against the specification, or text that no one can encode."""
    settings = found(tmp_path, {}, {"OTEL_RESOURCE_ATTRIBUTES": text})
    assert settings.resource_attributes == {}
    assert len(settings.problems) == 1


class Hostile(str):
    """A text whose methods raise."""

    __slots__ = ()

    def __repr__(self) -> str:
        raise RuntimeError("no")

    strip = lower = __repr__


HOSTILE = [
    b"bytes",
    2**70,
    10**5000,
    float("nan"),
    float("inf"),
    object(),
    {1: 2},
    [[]],
    "x" * 5000,
    "\udcff",
    "\x00",
]


CYCLE: list[Any] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize("index", range(len(HOSTILE) + 3))
def test_a_hostile_argument_raises_nothing_else(index: int, tmp_path: Path) -> None:
    """A strange object as argument ends in an error that is not ours."""
    value = [*HOSTILE, Hostile("x"), [Hostile("x")], CYCLE][index]
    for name in NAMES:
        assert len(message_of(tmp_path, {name: value})) < 600, name


def message_of(tmp_path: Path, arguments: dict[str, Any]) -> str:
    try:
        found(tmp_path, arguments)
    except SettingError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "text", ["\udcff", "\x00", "%", "=", ",", "x" * 100_000, "9" * 100_000, "١", "1_000", "[::1"]
)
def test_a_hostile_variable_raises_nothing(text: str, tmp_path: Path) -> None:
    """Some text in some variable raises, or makes an endless message."""
    settings = found(tmp_path, {}, {setting.variable: text for setting in TABLE if setting.variable})
    assert all(len(str(problem)) < 600 for problem in settings.problems)


def test_settings_are_read_only(tmp_path: Path) -> None:
    """A program changes the effective settings behind our back."""
    settings = found(tmp_path)
    with pytest.raises(AttributeError):
        settings.console = "off"
    with pytest.raises(AttributeError):
        del settings.console
    assert settings.replaced(console="off").console == "off"
    assert settings.console == "auto"
