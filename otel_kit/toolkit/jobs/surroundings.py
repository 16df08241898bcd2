"""Where a run ran: versions, packages, the git revision and whether it was clean, the host, the arguments.

Found out in a thread of its own beside the run, because git and the list of packages may take a tenth of a second.
"""

from __future__ import annotations

import contextlib
import os
import platform
import subprocess
import sys
import threading
from functools import lru_cache
from importlib.metadata import distributions
from time import thread_time
from typing import Any

from otel_kit import _guard
from otel_kit.context.redacted import redacted

GIT_PATIENCE = 5.0
PATIENCE = 5.0
MOST_PACKAGES = 2000
LONGEST_ARGUMENT = 200


class Surroundings:
    """What is found out about the place of a run, from now on.

    Attributes:
        cpu: seconds of CPU that it took in this process, which are not the run's.
    """

    def __init__(self) -> None:
        self.cpu = 0.0
        self._found: dict[str, Any] = {**_at_once()}
        folder = self._found["directory"]
        self._thread = threading.Thread(
            target=self._find, args=(folder,), name="otel_kit surroundings", daemon=True
        )
        # At the very end of a program no more threads begin.
        with contextlib.suppress(RuntimeError):
            self._thread.start()

    def _find(self, folder: str) -> None:
        for name, find in (("git", lambda: _git(folder)), ("packages", _packages)):
            try:
                self._found[name] = find()
            except Exception as error:
                _guard.contained(f"jobs.{name}", error)
        self.cpu = thread_time()

    def found(self) -> dict[str, Any]:
        """All of it; waits for what is still to come, within bounds."""
        with contextlib.suppress(RuntimeError):
            self._thread.join(PATIENCE)
        return dict(self._found)


def _at_once() -> dict[str, Any]:
    return {
        "python": platform.python_version(),
        "implementation": sys.implementation.name,
        "executable": sys.executable,
        "platform": platform.platform(),
        "host": platform.node(),
        "cpus": os.cpu_count(),
        "directory": _directory(),
        "arguments": shown_arguments(sys.argv),
    }


def _directory() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""


def shown_arguments(arguments: list[str]) -> list[str]:
    """A command line without secrets: the value behind ``--password`` is judged by that name."""
    shown: list[str] = []
    name = ""
    for position, argument in enumerate(arguments):
        key, text = name, argument[:LONGEST_ARGUMENT]
        name = ""
        if argument.startswith("-"):
            key, equals, value = text.partition("=")
            key = key.lstrip("-")
            if equals:
                shown.append(f"{text.partition('=')[0]}={redacted(key, value)}")
            else:
                name = key
                shown.append(text)
        else:
            # The program's own name is no secret, and without rules nothing else is shown.
            shown.append(text if position == 0 else str(redacted(key or "argument", text)))
    return shown


@lru_cache(maxsize=1)
def _packages() -> dict[str, str]:
    found: dict[str, str] = {}
    for each in distributions():
        name = each.metadata["Name"]
        if name and len(found) < MOST_PACKAGES:
            found.setdefault(name, each.version)
    return dict(sorted(found.items(), key=lambda pair: pair[0].lower()))


def _git(folder: str) -> dict[str, Any] | None:
    revision = _of_git(folder, "rev-parse", "HEAD")
    if not revision:
        return None
    changed = _of_git(folder, "status", "--porcelain", "--untracked-files=no")
    branch = _of_git(folder, "rev-parse", "--abbrev-ref", "HEAD")
    return {
        "revision": revision,
        "branch": None if branch in (None, "HEAD") else branch,
        "clean": None if changed is None else not changed,
    }


def _of_git(folder: str, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-c", "core.fsmonitor=false", *arguments],
            cwd=folder or None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=GIT_PATIENCE,
            env={**os.environ, "GIT_OPTIONAL_LOCKS": "0"},
            check=False,
        )
    except (OSError, subprocess.SubprocessError):  # no git here
        return None
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else None
