"""Imports structlog, which asks ``sys.stdout`` whether it is a terminal, also where the program has closed it."""

from __future__ import annotations

import io
import sys


def _import() -> None:
    stdout = sys.stdout
    try:
        stdout.isatty()
    except Exception:
        sys.stdout = io.StringIO()
    try:
        import structlog  # noqa: F401
    finally:
        sys.stdout = stdout


_import()
