"""What an instrumentor puts in place of a library's functions with wrapt, so that all of it can be taken back.

Some undo less than they did: OpenLLMetry's instrumentor of OpenAI's client takes none of its wrappers away, and adds others each
time that it is turned on.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import Any

from otel_kit import _guard

_NOTHING: Any = object()
_lock = threading.Lock()
_here = threading.local()


class _Hook:
    """Around wrapt's function that sets an attribute, while anybody notes."""

    users = 0
    original: Any = None


class Patches:
    """What this thread puts in place within the block."""

    def __init__(self) -> None:
        self._found: list[tuple[Any, str, Any, Any]] = []

    def __enter__(self) -> None:
        wrapt: Any = sys.modules.get("wrapt.patches")
        with _lock:
            _Hook.users += 1
            if _Hook.original is None and hasattr(wrapt, "apply_patch"):
                _Hook.original, wrapt.apply_patch = wrapt.apply_patch, _applied
        _here.found = self._found

    def __exit__(self, *exc: object) -> None:
        _here.found = None
        with _lock:
            _Hook.users -= 1
            if not _Hook.users and _Hook.original is not None:
                sys.modules["wrapt.patches"].apply_patch = _Hook.original  # type: ignore[attr-defined]
                _Hook.original = None

    def take_back(self) -> None:
        """Put back what is still there."""
        while self._found:
            parent, name, before, replacement = self._found.pop()
            try:
                if vars(parent).get(name) is not replacement:
                    continue
                if before is _NOTHING:
                    delattr(parent, name)
                else:
                    setattr(parent, name, before)
            except Exception as error:
                _guard.contained("instrument.patches", error)


def _applied(parent: Any, name: str, replacement: Any) -> None:
    before = _NOTHING
    with contextlib.suppress(Exception):
        before = vars(parent).get(name, _NOTHING)
    original = _Hook.original
    (setattr if original is None else original)(parent, name, replacement)
    found = getattr(_here, "found", None)
    if found is not None:
        found.append((parent, name, before, replacement))
