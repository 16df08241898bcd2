"""Run the suite on the oldest and the newest dependencies, and on each Python that is installed.

``python -m tests.versions`` makes one environment per row of the table, kept outside the checkout between runs, and prints a
line per row. A Python that the machine lacks is skipped with a sentence.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("OTEL_KIT_CACHE", "~/.cache/otel-kit")).expanduser() / "environments"


@dataclass(frozen=True)
class Row:
    """One environment: a Python and the end of the dependency ranges that it uses."""

    python: str
    resolution: str

    @property
    def name(self) -> str:
        return f"py{self.python}-{self.resolution}"


# What depends on the SDK, structlog and Python itself. The libraries that are watched have tests of their own, which know the
# versions that they run with; the demo and the pages show what is current.
SUITE = [
    f"tests/{area}"
    for area in (
        "cli",
        "console",
        "context",
        "export",
        "logs",
        "metrics",
        "pipeline",
        "redact",
        "setup",
        "toolkit/code",
        "toolkit/jobs",
        "traces",
    )
]
ROWS = (Row("3.11", "lowest-direct"), Row("3.12", "highest"), Row("3.13", "highest"))


def interpreter(version: str) -> str | None:
    """The path of that Python: on PATH, or among pyenv's."""
    roots = sorted(Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin/python"))
    candidates = [*(str(path) for path in roots), shutil.which(f"python{version}")]
    return next((path for path in candidates if path and answers(path, version)), None)


def answers(path: str, version: str) -> bool:
    # A pyenv shim exists for versions that are not selected, and fails only when it is run.
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def uv(*arguments: str) -> None:
    subprocess.run([sys.executable, "-m", "uv", "--quiet", *arguments], check=True, cwd=ROOT)


def prepare(row: Row, python: str) -> Path:
    """Make the environment; where the oldest are asked for, they come first, and the tools adapt to them."""
    home = CACHE / row.name
    home.parent.mkdir(parents=True, exist_ok=True)
    inside = ("--python", str(home / "bin/python"))
    pins = CACHE / f"{row.name}.txt"
    uv("venv", "--clear", "--python", python, str(home))
    pins.write_text("")
    if row.resolution != "highest":
        lowest = ("--extra", "all", "--resolution", row.resolution, "--output-file", str(pins))
        uv("pip", "compile", "pyproject.toml", *inside, *lowest)
    uv("pip", "install", *inside, "--constraint", str(pins), "--editable", ".[dev]")
    return home / "bin/python"


def main() -> int:
    failed = []
    for row in ROWS:
        python = interpreter(row.python)
        if python is None:
            print(f"{row.name}: skipped, no Python {row.python} on this machine")
            continue
        began = time.monotonic()
        print(f"{row.name}: installing ...", flush=True)
        done = subprocess.run(
            [str(prepare(row, python)), "-m", "pytest", "-q", "-n", "2", *SUITE, *sys.argv[1:]],
            cwd=ROOT,
            check=False,
        )
        print(
            f"{row.name}: {'passed' if done.returncode == 0 else 'FAILED'} in {time.monotonic() - began:.0f} s",
            flush=True,
        )
        if done.returncode:
            failed.append(row.name)
    return 1 if failed else 0


if __name__ == "__main__":
    raise SystemExit(main())
