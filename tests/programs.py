"""Programs of their own that a test tells to end: one that hangs says where."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def begin(here: Path, source: str, *arguments: str) -> subprocess.Popen[str]:
    """Run Python source in a process of its own."""
    path = here / "program.py"
    path.write_text(textwrap.dedent(source))
    return subprocess.Popen(
        [sys.executable, "-X", "faulthandler", str(path), *arguments],
        cwd=here,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process: subprocess.Popen[str], patience: float = 30.0) -> tuple[str, str]:
    """What it printed, and what on stderr, once it is over.

    Raises:
        AssertionError: it is not; with where each of its threads is.
    """
    try:
        return process.communicate(timeout=patience)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        raise AssertionError(f"still there after {patience:g} s:\n{process.communicate()[1]}") from None
