"""The built wheel in a clean environment, without development tools: what a user installs."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = """
import otel_kit
with otel_kit.init_telemetry("smoke", traces_exporter="none", metrics_exporter="none", logs_exporter="none", console="json"):
    with otel_kit.get_tracer(__name__).start_as_current_span("work"):
        otel_kit.get_logger(__name__).info("done", amount=12.5)
"""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(400)]


def run(*command: str | Path, **env: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **env},
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", out, ROOT)
    return next(out.glob("*.whl"))


@pytest.mark.parametrize("extras", ["", "[all]"], ids=["bare", "all"])
def test_the_wheel_works_where_nothing_else_is_installed(wheel: Path, extras: str, tmp_path: Path) -> None:
    """``pip install otel-kit`` does not resolve, or the installed package does not work without development tools."""
    run(sys.executable, "-m", "venv", tmp_path / "env")
    python = tmp_path / "env/bin/python"
    run(python, "-m", "pip", "install", "--quiet", f"otel-kit{extras} @ {wheel.as_uri()}")
    program = tmp_path / "program.py"
    program.write_text(PROGRAM, encoding="utf-8")
    printed = run(python, "-W", "error", program)
    assert '"done"' in printed
    assert "otel_kit:" not in printed
    assert "service_name" in run(tmp_path / "env/bin/otel-kit", "config")
    assert run(python, "-m", "otel_kit", "--version").strip().endswith("0.1.0")
    run(python, "-m", "pip", "check")


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    """The wheel ships tests or examples, or forgets the marker that says it is typed."""
    names = zipfile.ZipFile(wheel).namelist()
    assert "otel_kit/py.typed" in names
    assert {name.split("/")[0] for name in names} == {"otel_kit", "otel_kit-0.1.0.dist-info"}
