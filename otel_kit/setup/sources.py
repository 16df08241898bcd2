"""Where settings come from besides the arguments: variables, and ``[tool.otel_kit]`` of pyproject.toml.

Everything here is guarded: what cannot be read is one problem in the list, never an exception.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from otel_kit.errors import OtelKitError
from otel_kit.setup.files import read_small, upwards

PYPROJECT = "pyproject.toml"
TABLE_NAME = "tool.otel_kit"
IN_WORDS = f"{TABLE_NAME} of {PYPROJECT}"
LARGEST_FILE = 1 << 20
# Variables of the stack in deploy/ (docs/stack.md), whose shells also start programs, and of jobs (docs/jobs.md).
OF_THE_STACK = re.compile(
    r"OTEL_KIT_(STACK|COLLECTOR|JAEGER|PROMETHEUS|VICTORIALOGS)_\w+"
    r"|OTEL_KIT_(OTLP_(GRPC|HTTP)_PORT|LISTEN_HOST|RETENTION|QUEUE_ITEMS|SPAN_METRICS_INTERVAL)"
    r"|OTEL_KIT_(RUN_ID|RUNS_DIRECTORY|PROGRESS_DIRECTORY)"
)


class File(NamedTuple):
    """What a pyproject.toml says about us: its path (empty where none does), its entries, what is wrong."""

    path: str = ""
    entries: Mapping[str, Any] = {}
    problem: OtelKitError | None = None


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The ``OTEL_`` variables that are set, but for those of the stack; an empty one counts as unset (specification)."""
    return {
        name: text
        for name in environ
        if name.startswith("OTEL_")
        and not OF_THE_STACK.fullmatch(name)
        and (text := environ.get(name, "").strip())
    }


def nearest_file(start: str | os.PathLike[str] | None = None) -> File:
    """Read the nearest pyproject.toml from the start folder (default: the working directory) upwards."""
    try:
        folders = upwards(os.getcwd() if start is None else os.fspath(start))
    except OSError:
        return File()  # the working directory was removed
    for folder in folders:
        path = os.path.join(folder, PYPROJECT)
        if os.path.isfile(path):
            return _read(path)
    return File()


def _read(path: str) -> File:
    try:
        return _entries(path, read_small(path, LARGEST_FILE + 1))
    except OSError as error:
        return _unusable(path, f"it cannot be read ({error.strerror})")


def _entries(path: str, data: bytes) -> File:
    if len(data) > LARGEST_FILE:
        return _unusable(path, f"it is larger than {LARGEST_FILE >> 20} MiB")
    if b"tool.otel_kit" not in data and not (b"[tool]" in data and b"otel_kit" in data):
        return File()  # most files are not about us: no reason to load a TOML parser
    try:
        found = _parsed(data.decode())
    except UnicodeDecodeError:
        return _unusable(path, "it is not UTF-8 text")
    except ValueError as error:
        return _unusable(path, f"it is not valid TOML ({error})")
    except RecursionError:
        return _unusable(path, "it is nested too deeply")
    if not isinstance(found, dict):
        return _unusable(path, f"{TABLE_NAME} is not a table")
    return File(path, found) if found else File()


def _parsed(text: str) -> object:
    import tomllib

    tool = tomllib.loads(text).get("tool")
    return tool.get("otel_kit", {}) if isinstance(tool, dict) else {}


def _unusable(path: str, reason: str) -> File:
    return File(path, {}, OtelKitError(f"{path} is ignored: {reason}"))
