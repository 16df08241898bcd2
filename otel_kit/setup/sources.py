"""Where settings come from besides the arguments: environment variables and ``[tool.otel_kit]`` of pyproject.toml.

Everything here is guarded: what cannot be read is one problem in the list, never an exception.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from otel_kit.errors import OtelKitError

PYPROJECT = "pyproject.toml"
TABLE_NAME = "tool.otel_kit"
LARGEST_FILE = 1 << 20
MOST_FOLDERS = 64


class File(NamedTuple):
    """What a pyproject.toml says: its path (empty where none says anything), its entries, what is wrong with it."""

    path: str = ""
    entries: Mapping[str, Any] = {}
    problem: OtelKitError | None = None


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The ``OTEL_`` variables that are set; an empty one counts as unset, as the specification says."""
    return {
        name: text for name in environ if name.startswith("OTEL_") and (text := environ.get(name, "").strip())
    }


def nearest_file(start: str | os.PathLike[str] | None = None) -> File:
    """Read ``[tool.otel_kit]`` of the nearest pyproject.toml from the start folder (the working directory) upwards."""
    path = ""
    try:
        path = _nearest(os.fspath(start) if start is not None else os.getcwd())
        return _read(path) if path else File()
    except (OSError, ValueError) as error:
        # Without a path it is the folder itself that is gone or closed to us: then there is no file.
        return File(path, {}, _unusable(path, _reason(error))) if path else File()


def _nearest(start: str) -> str:
    folder = os.path.abspath(start)
    for _ in range(MOST_FOLDERS):
        path = os.path.join(folder, PYPROJECT)
        if _is_regular(path):
            return path
        parent = os.path.dirname(folder)
        if parent == folder:
            break
        folder = parent
    return ""


def _is_regular(path: str) -> bool:
    """A pipe or a device of that name would block the program that reads it."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


def _read(path: str) -> File:
    with open(path, "rb") as stream:
        data = stream.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        return File(path, {}, _unusable(path, f"it is larger than {LARGEST_FILE >> 20} MiB"))
    if b"tool.otel_kit" not in data and not (b"[tool]" in data and b"otel_kit" in data):
        return File()  # most files are not about us: no reason to load a TOML parser
    return _entries(path, data.decode())


def _entries(path: str, text: str) -> File:
    import tomllib

    try:
        found = tomllib.loads(text).get("tool", {}).get("otel_kit", {})
    except RecursionError:
        return File(path, {}, _unusable(path, "it is nested too deeply"))
    except AttributeError:
        found = None
    if not isinstance(found, dict):
        return File(path, {}, _unusable(path, f"{TABLE_NAME} is not a table"))
    return File(path, found) if found else File()


def _unusable(path: str, reason: str) -> OtelKitError:
    return OtelKitError(f"{path} is ignored: {reason}")


def _reason(error: Exception) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8 text"
    if isinstance(error, OSError):
        return f"it cannot be read ({error.strerror or type(error).__name__})"
    return f"it is not valid TOML ({error})"


def in_words(path: str) -> str:
    """A file as the source of a setting."""
    return f"{TABLE_NAME} of {Path(path).name}"
