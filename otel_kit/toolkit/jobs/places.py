"""Directories and files of jobs, and what happens where they cannot be written: one sentence, and the program goes on.

What is lost then, and when: the file in question, until writing succeeds again. A directory that was removed is made anew.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from typing import Any

from otel_kit import _guard
from otel_kit.errors import JobError

RUNS_VARIABLE = "OTEL_KIT_RUNS_DIRECTORY"
PROGRESS_VARIABLE = "OTEL_KIT_PROGRESS_DIRECTORY"
LONGEST_FILE_NAME = 100

_told: set[tuple[str, str]] = set()


def runs_directory(given: str | os.PathLike[str] | None = None) -> str:
    """Where runs are kept: what is given, else the variable, else ``artifacts/runs``. Absolute, as programs change directory."""
    return _absolute(given or os.environ.get(RUNS_VARIABLE) or os.path.join("artifacts", "runs"))


def progress_directory() -> str:
    """Where progress is told: the variable, else ``logs/progress``."""
    return _absolute(os.environ.get(PROGRESS_VARIABLE) or os.path.join("logs", "progress"))


def _absolute(path: str | os.PathLike[str]) -> str:
    try:
        return os.path.abspath(path)
    except OSError:  # the working directory is gone
        return os.fspath(path)


def file_name(name: str) -> str:
    """A name as a file may have it."""
    plain = "".join(c if c.isalnum() or c in "-_.=" else "-" for c in name).strip(".")
    return plain[:LONGEST_FILE_NAME] or "unnamed"


def write_json(path: str, data: Any) -> None:
    """Replace a file at once: a reader sees the old one or the new one.

    Raises:
        OSError: it cannot be written.
    """
    text = json.dumps(data, ensure_ascii=False, indent=2, default=str)
    write_text(path, text + "\n")


def write_text(path: str, text: str) -> None:
    """Replace a file at once; its directory is made where it is missing.

    Raises:
        OSError: it cannot be written.
    """
    data = text.encode("utf-8", "backslashreplace")
    try:
        _replace(path, data)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        _replace(path, data)


def _replace(path: str, data: bytes) -> None:
    beside = f"{path}.{os.getpid()}.tmp"
    try:
        with open(beside, "wb") as stream:
            stream.write(data)
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        raise


def read_json(path: str) -> dict[str, Any] | None:
    """What a file of ours holds; None where there is none, or where it is no such file."""
    try:
        with open(path, encoding="utf-8") as stream:
            found = json.load(stream)
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def attempt(what: str, path: str, write: Callable[[], Any]) -> bool:
    """Write, or say once that it is not possible.

    Args:
        what: is being written, in words: ``the summary of run simulation``.
        path: of the file or directory.
        write: does it; an OSError is told of, a JobError raised, another exception is an error of ours, which is contained.

    Returns:
        Whether it was written.
    """
    try:
        write()
    except OSError as error:
        tell_of(what, path, error)
    except JobError:  # meant for the program
        raise
    except Exception as error:
        _guard.contained("jobs.files", error)
    else:
        return True
    return False


def tell_of(what: str, path: str, error: OSError) -> None:
    """Say that something cannot be written, and why: once for a place and a reason."""
    reason = error.strerror or str(error)
    # What else cannot be written there, for the same reason, is no news.
    key = (_existing(path), reason)
    if key not in _told:
        _told.add(key)
        _guard.say(f"{what} cannot be written: {path}: {reason}; the program goes on without it")


def _existing(path: str) -> str:
    while not os.path.exists(path) and os.path.dirname(path) != path:
        path = os.path.dirname(path)
    return path
