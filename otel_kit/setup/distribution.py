"""The version of an installed distribution, by its folder's name.

``importlib.metadata`` tells the same, but its import costs more than everything else in the resource together.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

SUFFIXES = (".dist-info", ".egg-info")


def installed_version(name: str) -> str:
    """The version, or empty where no distribution of that name is installed."""
    wanted = _normal(name)
    return next((version for found, version in _installed() if _normal(found) == wanted), "")


def _installed() -> Iterator[tuple[str, str]]:
    for folder in sys.path:
        try:
            entries = os.listdir(folder or ".")
        except OSError:  # a zip file, or a folder that does not exist
            continue
        for entry in entries:
            if entry.endswith(SUFFIXES):
                name, _, rest = entry.removesuffix(".dist-info").removesuffix(".egg-info").partition("-")
                yield name, rest.partition("-")[0]


def _normal(name: str) -> str:
    """Names that differ in case, dash, underscore or dot are the same name."""
    return name.lower().replace("-", "_").replace(".", "_")
