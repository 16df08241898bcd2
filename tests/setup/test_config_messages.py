"""What is said about wrong settings: enough, once, and no secret."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from otel_kit.errors import OtelKitError, SettingError, UnknownSettingError
from otel_kit.setup import config, sources
from otel_kit.setup.config import read, resolve
from otel_kit.setup.table import BY_NAME, TABLE, VARIABLES
from otel_kit.setup.values import ENDPOINTS, HEADERS
from tests.conftest import ROOT

SECRET = "open-sesame"
WITH_SECRETS = [setting.name for setting in TABLE if setting.kind in (HEADERS, ENDPOINTS)]


@pytest.fixture(autouse=True)
def nothing_said_yet(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(config, "_said", set())
    return


def folder(tmp_path: Path, content: str | bytes = "") -> Path:
    data = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "pyproject.toml").write_bytes(data)
    return tmp_path


def test_each_wrong_variable_is_one_line_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong variable is not told, or again by every init_telemetry."""
    environ = {"OTEL_KIT_CONSOLE": "purple", "OTEL_BSP_SCHEDULE_DELAY": "soon"}
    for _ in range(3):
        resolve("shop", {}, environ=environ, start_dir=folder(tmp_path))
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "otel_kit: traces_batch_delay (from OTEL_BSP_SCHEDULE_DELAY) is 'soon'; "
        "valid: a whole number of milliseconds, more than 0; using 5 s",
        "otel_kit: console (from OTEL_KIT_CONSOLE) is 'purple'; valid: auto, pretty, json or off; using 'auto'",
    ]


def test_reading_alone_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Looking at the settings writes to the program's stderr."""
    assert read("shop", {}, environ={"OTEL_KIT_CONSOLE": "x"}, start_dir=folder(tmp_path)).problems
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("given", "near"), [("consol", "console"), ("log_lvl", "log_level"), ("endpoints", "endpoint")]
)
def test_an_unknown_argument_suggests_the_nearest(given: str, near: str, tmp_path: Path) -> None:
    """A misspelt argument is ignored, or the one that was meant is not named."""
    with pytest.raises(UnknownSettingError, match=f"did you mean '{near}'") as caught:
        resolve("shop", {given: 1}, environ={}, start_dir=folder(tmp_path))
    assert isinstance(caught.value, TypeError)


def test_an_unknown_variable_of_ours_suggests_the_nearest(tmp_path: Path) -> None:
    """A misspelt OTEL_KIT_ variable is ignored silently, or somebody else's OTEL_ variable is not."""
    environ = {"OTEL_KIT_LOGLEVEL": "debug", "OTEL_PYTHON_ELSE": "1", "OTELCOL_X": "1"}
    [problem] = read("shop", {}, environ=environ, start_dir=folder(tmp_path)).problems
    assert "did you mean 'OTEL_KIT_LOG_LEVEL'" in str(problem)


def test_the_variables_of_the_stack_are_no_mistake(tmp_path: Path) -> None:
    """A variable of docs/stack.md or of deploy/ makes every program of that shell complain."""
    files = [ROOT / "collector-config.yaml", ROOT / "docker-compose.yml", ROOT / "docs" / "stack.md"]
    files += (ROOT / "deploy").rglob("*.y*ml")
    names = {name for file in files for name in re.findall(r"OTEL_KIT_[A-Z_]*[A-Z]", file.read_text())}
    assert {"OTEL_KIT_RETENTION", "OTEL_KIT_STACK_DATA", "OTEL_KIT_OTLP_HTTP_PORT"} <= names
    environ = dict.fromkeys(names, "1")
    assert read("shop", {}, environ=environ, start_dir=folder(tmp_path)).problems == ()
    assert not any(map(sources.OF_THE_STACK.fullmatch, VARIABLES))


def test_an_unknown_entry_of_the_file_suggests_the_nearest(tmp_path: Path) -> None:
    """A misspelt entry of the file is ignored silently."""
    start = folder(tmp_path, '[tool.otel_kit]\nconsol = "json"\n')
    [problem] = read("shop", {}, environ={}, start_dir=start).problems
    assert "did you mean 'console'" in str(problem)
    assert "tool.otel_kit of pyproject.toml" in str(problem)


def test_a_configuration_file_of_the_specification_is_told(tmp_path: Path) -> None:
    """OTEL_CONFIG_FILE is ignored silently."""
    [problem] = read("shop", {}, environ={"OTEL_CONFIG_FILE": "x"}, start_dir=folder(tmp_path)).problems
    assert "OTEL_CONFIG_FILE is ignored" in str(problem)


def test_the_log_level_of_the_sdk_is_not_ours(tmp_path: Path) -> None:
    """OTEL_LOG_LEVEL changes the program's log level, or counts as something wrong."""
    settings = read("shop", {}, environ={"OTEL_LOG_LEVEL": "debug"}, start_dir=folder(tmp_path))
    assert (settings.log_level, settings.problems, settings.notes) == ("info", (), ())


@pytest.mark.parametrize(
    ("arguments", "protocol"),
    [
        ({"endpoint": "http://c:4317"}, "http/protobuf"),
        ({"endpoint": "http://c:4318", "protocol": "grpc"}, "grpc"),
    ],
)
def test_the_port_of_the_other_protocol_is_told(
    arguments: dict[str, Any], protocol: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who mixes up 4317 and 4318 is not told, is told for each signal, or is refused when strict."""
    resolve("shop", {**arguments, "strict": True}, environ={}, start_dir=folder(tmp_path))
    [line] = capsys.readouterr().err.splitlines()
    assert line.endswith(f"has the usual port of the other protocol; the protocol here is {protocol}")


def test_an_unreadable_file_is_one_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pyproject.toml that the program may not read is ignored silently, or stops the program."""

    def refuse(path: str, limit: int) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(sources, "read_small", refuse)
    [problem] = read("shop", {}, environ={}, start_dir=folder(tmp_path)).problems
    assert str(problem).endswith("pyproject.toml is ignored: it cannot be read (Permission denied)")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[tool.otel_kit]\nconsole = \n", "not valid TOML"),
        (b"[tool.otel_kit]\nconsole = '\xff'\n", "not UTF-8"),
        (b"[tool.otel_kit]\n" + b"#" * (1 << 20), "larger than 1 MiB"),
        (b"[tool.otel_kit]\nx = " + b"[" * 5000 + b"]" * 5000, "nested too deeply"),
        (b"[tool]\notel_kit = 3\n", "not a table"),
    ],
    ids=["syntax", "encoding", "size", "depth", "type"],
)
def test_a_broken_file_is_one_warning(content: bytes, words: str, tmp_path: Path) -> None:
    """A broken pyproject.toml raises into the program, or is ignored silently."""
    settings = read("shop", {}, environ={}, start_dir=folder(tmp_path, content))
    [problem] = settings.problems
    assert words in str(problem)
    assert settings == read("shop", {}, environ={}, start_dir="/")
    with pytest.raises(OtelKitError, match=words):
        resolve("shop", {"strict": True}, environ={}, start_dir=tmp_path)


@pytest.mark.parametrize("content", [b"\xff", b"broken = ", b"tool = 3\n# otel_kit"])
def test_a_file_that_is_not_about_us_is_left_alone(content: bytes, tmp_path: Path) -> None:
    """Somebody else's broken pyproject.toml makes us complain."""
    assert read("shop", {}, environ={}, start_dir=folder(tmp_path, content)).problems == ()


def test_the_nearest_file_upwards_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file above the nearest one is read, or none above the working directory."""
    folder(tmp_path, '[tool.otel_kit]\nconsole = "json"\n')
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    monkeypatch.chdir(below)
    assert read("shop", {}, environ={}).console == "json"
    assert read("shop", {}, environ={}).file == str(tmp_path / "pyproject.toml")
    folder(tmp_path / "a", "[project]\n")
    assert read("shop", {}, environ={}).console == "auto"


def test_a_pipe_or_folder_of_that_name_does_not_block(tmp_path: Path) -> None:
    """A named pipe called pyproject.toml stops the program's start for ever."""
    import os

    below = tmp_path / "below"
    below.mkdir()
    os.mkfifo(tmp_path / "pyproject.toml")
    (below / "pyproject.toml").mkdir()
    assert read("shop", {}, environ={}, start_dir=below).problems == ()


def test_a_working_directory_that_is_gone_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program whose working directory was removed cannot start."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert read("shop", {}, environ={}).problems == ()


def secret_of(name: str, wrong: bool) -> Any:
    if BY_NAME[name].kind is HEADERS:
        return {"authorization": SECRET + ("\n" if wrong else "")}
    return f"http://me:{SECRET}@collector.example:{99999 if wrong else 4318}/?token={SECRET}"


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_a_right_secret_is_masked(name: str, tmp_path: Path) -> None:
    """A header, password or token shows in a repr, in the rows of otel-kit config, or in a target's repr."""
    settings = read("shop", {name: secret_of(name, wrong=False)}, environ={}, start_dir=folder(tmp_path))
    targets = [settings.targets(signal) for signal in ("traces", "metrics", "logs")]
    assert (
        SECRET
        not in f"{settings!r} {settings} {settings.rows()} {targets} {settings.headers} {settings.problems}"
    )
    assert "****" in str(settings.rows())


@pytest.mark.parametrize("name", WITH_SECRETS)
@pytest.mark.parametrize(
    "shape", [lambda value: value, lambda value: [value], lambda value: {"a": value}, str]
)
def test_a_wrong_secret_is_masked(name: str, shape: Any, tmp_path: Path) -> None:
    """A header or password shows in the message about a wrong value, or in its traceback."""
    try:
        resolve("shop", {name: shape(secret_of(name, wrong=True))}, environ={}, start_dir=folder(tmp_path))
    except SettingError as error:
        told = f"{error} {error!r} {error.__dict__} {''.join(traceback.format_exception(error))} {error.__context__}"
        assert SECRET not in told
    else:
        pytest.fail("the wrong value was taken")


@pytest.mark.parametrize("name", WITH_SECRETS)
def test_a_wrong_secret_in_a_variable_or_file_is_masked(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A header or password of a variable or of the file shows on stderr."""
    is_headers = BY_NAME[name].kind is HEADERS
    text = f"authorization={SECRET}%0a" if is_headers else str(secret_of(name, wrong=True))
    entry = f'{{ authorization = "{SECRET}\\n" }}' if is_headers else f'["{text}"]'
    start = folder(tmp_path, f"[tool.otel_kit]\n{name} = {entry}\n")
    settings = resolve("shop", {}, environ={BY_NAME[name].variable: text}, start_dir=start)
    assert len(settings.problems) == 2
    assert SECRET not in capsys.readouterr().err + repr(settings.problems)


@pytest.mark.parametrize(
    "password", [f"{SECRET},x", f"{SECRET}/x", f"a?{SECRET}", f"x,{SECRET}", f"1/{SECRET}", f"1,{SECRET}"]
)
def test_a_password_that_breaks_the_url_is_masked(password: str, tmp_path: Path) -> None:
    """Part of a password shows because a comma or slash in it was taken for the end of something."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://me:{password}@collector.example:4318"}
    settings = read("shop", {}, environ=environ, start_dir=folder(tmp_path))
    assert SECRET not in f"{settings!r} {settings.problems}"


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPIONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_EXPORTER_OLTP_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        ("OTEL_SERVCE_NAME", "OTEL_SERVICE_NAME"),
        ("OTEL_TRACE_EXPORTER", "OTEL_TRACES_EXPORTER"),
        ("OTEL_RESOURCE_ATRRIBUTES", "OTEL_RESOURCE_ATTRIBUTES"),
        ("OTEL_SDK_DISABLE", "OTEL_SDK_DISABLED"),
        ("OTEL_KIT_CONSOL", "OTEL_KIT_CONSOLE"),
    ],
)
def test_a_misspelt_variable_is_told_with_what_was_meant(
    given: str, meant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slip in a variable's name leaves the operator wondering why it has no effect."""
    resolve("shop", {}, environ={given: "x"}, start_dir=folder(tmp_path))
    (line,) = capsys.readouterr().err.splitlines()
    assert given in line
    assert "did you mean" in line
    assert meant in line


OF_OTHERS = """
    OTEL_LOG_LEVEL OTEL_PYTHON_LOG_LEVEL OTEL_PYTHON_LOG_CORRELATION OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED
    OTEL_PYTHON_FASTAPI_EXCLUDED_URLS OTEL_PYTHON_ID_GENERATOR OTEL_PYTHON_DISTRO OTEL_PYTHON_CONFIGURATOR
    OTEL_SEMCONV_STABILITY_OPT_IN OTEL_EXPERIMENTAL_RESOURCE_DETECTORS OTEL_EXPORTER_PROMETHEUS_HOST OTEL_EXPORTER_PROMETHEUS_PORT
    OTEL_EXPORTER_JAEGER_ENDPOINT OTEL_EXPORTER_ZIPKIN_ENDPOINT OTEL_EXPORTER_ZIPKIN_TIMEOUT OTEL_EXPORTER_OTLP_SPAN_INSECURE
    OTEL_EXPORTER_OTLP_METRIC_INSECURE OTEL_EXPORTER_OTLP_PROFILES_ENDPOINT OTEL_EXPORTER_OTLP_METRICS_CARDINALITY
    OTEL_SERVICE_VERSION OTEL_ENTITIES OTEL_GO_X_EXEMPLAR OTEL_JAVAAGENT_ENABLED OTEL_DOTNET_AUTO_HOME
    OTEL_NODE_RESOURCE_DETECTORS
    OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT
    OTEL_BSP_MAX_CONCURRENT_EXPORTS OTEL_BSP_SCHEDULE_DELAY_MILLIS OTEL_METRICS_CARDINALITY_LIMIT OTEL_OPERATOR_NAMESPACE
"""


def test_a_variable_of_another_component_is_left_in_peace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A right variable of another part of OpenTelemetry is told as a slip."""
    resolve("shop", {}, environ=dict.fromkeys(OF_OTHERS.split(), "x"), start_dir=folder(tmp_path))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("endpoint", "better"),
    [
        ("http://localhost:4318/v1/traces", "'http://localhost:4318'"),
        ("https://collector.test/tenant/v1/logs/", "'https://collector.test/tenant'"),
        ("https://collector.test/v1/metrics?key=open-sesame", "'https://collector.test?****'"),
    ],
)
def test_a_signals_path_in_the_general_endpoint_is_told(
    endpoint: str, better: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An endpoint with the path of one signal sends all signals nowhere, and nothing says why."""
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint}
    settings = resolve("shop", {}, environ=environ, start_dir=folder(tmp_path))
    (line,) = capsys.readouterr().err.splitlines()
    assert "endpoint (from OTEL_EXPORTER_OTLP_ENDPOINT) is" in line
    assert f"did you mean {better}?" in line
    assert SECRET not in line
    assert settings.endpoint == (endpoint,)


def test_a_signals_path_in_its_own_endpoint_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The right way of naming one signal's endpoint, or gRPC's, is told as a slip."""
    environ = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://localhost:4318/v1/traces"}
    resolve("shop", {}, environ=environ, start_dir=folder(tmp_path))
    assert capsys.readouterr().err == ""
