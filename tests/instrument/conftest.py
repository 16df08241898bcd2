"""Programs of their own for the tests of libraries."""

from __future__ import annotations

import json
import subprocess
import textwrap
from collections.abc import Callable
from typing import Any

import pytest


@pytest.fixture
def program(run_program: Callable[..., subprocess.CompletedProcess[str]]) -> Callable[..., dict[str, Any]]:
    """Run source that ends with ``show(...)``; what it showed, with what it wrote to stderr as ``said``."""

    def run(source: str, **settings: Any) -> dict[str, Any]:
        head = "from tests.instrument.observed import *\n"
        done = run_program(head + textwrap.dedent(source), options=("-W", "error"), **settings)
        assert done.returncode == 0, done.stderr
        return {**json.loads(done.stdout.splitlines()[-1]), "said": done.stderr}

    return run
