"""The command otel-kit: its answers, its exit status, and where it works."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from otel_kit import __version__
from otel_kit.cli import main

ROOT = Path(__file__).resolve().parents[2]
SECRET = "open-sesame"


def command(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otel_kit", *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_it_tells_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    """otel-kit --version prints another version than the package's, or ends the calling process."""
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"otel-kit {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["--help"], ["config", "--help"]])
def test_it_helps(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Help is not printed, does not name the commands, or counts as a failure."""
    assert main(arguments) == 0
    assert "config" in capsys.readouterr().out


def test_help_describes_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    """A setting is missing from `otel-kit config --help`."""
    from otel_kit.setup.table import GROUPS, ONE_SIGNAL

    main(["config", "--help"])
    words = set(capsys.readouterr().out.split())
    expected = {row.name for title, group in GROUPS.items() if title != ONE_SIGNAL for row in group}
    assert expected - words == set()


def test_sizes_and_ages_are_shown_in_a_unit(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A size has to be worked out from a number of eight digits, or an age be guessed to be one of days."""
    monkeypatch.setenv("OTEL_KIT_CAPTURE_BODY", "1500")
    main(["config"])
    out = capsys.readouterr().out
    for shown in ("52428800 (50 MiB)", "1073741824 (1 GiB)", "1500 (1.465 KiB)", "30 days"):
        assert shown in out


def test_the_log_level_of_the_sdk_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who sets OTEL_LOG_LEVEL for the program's log level is not told that it is another variable."""
    monkeypatch.setenv("OTEL_LOG_LEVEL", "debug")
    assert main(["config", "--service", "shop"]) == 0
    assert "see OTEL_KIT_LOG_LEVEL" in capsys.readouterr().out


def test_an_impossible_service_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    """`otel-kit config --service ''` ends in a traceback or succeeds."""
    assert main(["config", "--service", ""]) == 2
    assert "service_name (from argument) is ''" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["nonsense"], ["config", "--nonsense"]])
def test_a_wrong_command_line_is_status_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt command succeeds or ends in a traceback."""
    assert main(arguments) == 2
    assert "usage: otel-kit" in capsys.readouterr().err


def test_what_is_set_comes_first_with_its_source(tmp_path: Path) -> None:
    """A value that somebody set hides among the defaults, or its source is not shown."""
    (tmp_path / "pyproject.toml").write_text("[tool.otel_kit]\nshutdown_timeout = 2\n")
    done = command("config", "--service", "shop", cwd=tmp_path, OTEL_BSP_SCHEDULE_DELAY="250")
    set_part, _, defaults = done.stdout.partition("\nDefaults\n")
    lines = [line.split() for line in set_part.splitlines()]
    assert ["traces_batch_delay", "0.25", "s", "OTEL_BSP_SCHEDULE_DELAY"] in lines
    assert ["shutdown_timeout", "2", "s", "tool.otel_kit", "of", "pyproject.toml"] in lines
    assert ["service_name", "shop", "argument"] in lines
    assert ["console", "auto"] in [line.split() for line in defaults.splitlines()]
    assert (done.returncode, done.stderr) == (0, "")
    assert str(tmp_path / "pyproject.toml") in done.stdout


def test_what_is_wrong_is_shown_and_is_status_1(tmp_path: Path) -> None:
    """A wrong variable or a broken file is not shown with what is used instead, or the exit status hides it."""
    (tmp_path / "pyproject.toml").write_text("[tool.otel_kit]\nconsole = \n")
    done = command("config", cwd=tmp_path, OTEL_KIT_CONSOLE="purple", OTEL_KIT_CONSOL="x")
    assert done.returncode == 1
    assert "pyproject.toml is ignored: it is not valid TOML" in done.stdout
    assert "console (from OTEL_KIT_CONSOLE) is 'purple'" in done.stdout
    assert "using 'auto'" in done.stdout
    assert "did you mean 'OTEL_KIT_CONSOLE'" in done.stdout
    assert done.stderr == ""


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_secrets_are_masked(options: tuple[str, ...], tmp_path: Path) -> None:
    """A header or a password is printed."""
    done = command(
        "config",
        *options,
        cwd=tmp_path,
        OTEL_EXPORTER_OTLP_HEADERS=f"authorization={SECRET}",
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://me:{SECRET}@collector.example:4318/?key={SECRET}",
        OTEL_EXPORTER_OTLP_LOGS_HEADERS=SECRET,
        OTEL_EXPORTER_OTLP_LOGS_ENDPOINT=f"http://me:{SECRET}@collector.example:99999",
    )
    assert "authorization" in done.stdout
    assert "collector.example:4318" in done.stdout
    assert SECRET not in done.stdout + done.stderr


def test_json_has_every_setting(tmp_path: Path) -> None:
    """A program that reads the JSON misses a setting, its source, the targets or the problems."""
    from otel_kit.setup.table import TABLE

    done = command("config", "--json", cwd=tmp_path, OTEL_METRIC_EXPORT_INTERVAL="1500", OTEL_KIT_CONSOLE="x")
    answer = json.loads(done.stdout)
    assert set(answer["settings"]) == {setting.name for setting in TABLE}
    assert answer["settings"]["metric_interval"]["value"] == 1.5
    assert answer["settings"]["metric_interval"]["source"] == "OTEL_METRIC_EXPORT_INTERVAL"
    assert answer["targets"]["logs"] == ["http://localhost:4318/v1/logs (http/protobuf)"]
    assert len(answer["problems"]) == 1


def test_a_value_cannot_drive_the_terminal(tmp_path: Path) -> None:
    """Control characters of a variable reach the terminal."""
    done = command(
        "config", cwd=tmp_path, OTEL_RESOURCE_ATTRIBUTES="a=%1b[31mred%0aline", OTEL_KIT_CONSOLE="\x1b[2J"
    )
    assert "\x1b" not in done.stdout
    assert "a=\\x1b[31mred\\nline" in done.stdout


def test_it_works_where_nothing_can_be_written(tmp_path: Path) -> None:
    """A read-only home and working directory, or a terminal without the characters, ends in a traceback."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o500)
    done = command("config", cwd=home, HOME=str(home), PYTHONIOENCODING="ascii", OTEL_SERVICE_NAME="caf\xe9")
    home.chmod(0o700)
    assert (done.returncode, done.stderr) == (0, "")
    assert "caf\\xe9" in done.stdout


def test_a_reader_that_leaves_is_no_error(tmp_path: Path) -> None:
    """`otel-kit config | head -1` ends in a traceback."""
    done = subprocess.run(
        f"{sys.executable} -m otel_kit config | {sys.executable} -c 'input()'",
        shell=True,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.stderr == ""


def test_resource_attributes_show_no_secret(tmp_path: Path) -> None:
    """A secret in the resource's attributes shows in the settings, or in the sentence about wrong ones."""
    for text in (f"api_key={SECRET},team=shop", f"api_key={SECRET},team"):
        shown = command("config", cwd=tmp_path, OTEL_RESOURCE_ATTRIBUTES=text)
        assert SECRET not in shown.stdout + shown.stderr
        assert "[redacted:" in shown.stdout + shown.stderr
