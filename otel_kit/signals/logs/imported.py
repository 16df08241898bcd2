"""Tell when a module has been imported, without importing it: a program that never uses structlog does not pay for it.

wrapt has hooks for this, but importing wrapt imports asyncio, which costs more than everything else of ours at start-up.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from otel_kit import _guard

_waiting: dict[str, Callable[[], None]] = {}


def when_imported(name: str, callback: Callable[[], None]) -> None:
    """Call ``callback`` once: now if the module is imported already, else right after it will have been.

    Args:
        name: a module's full name.
        callback: what it raises is contained.
    """
    if name in sys.modules:
        callback()
        return
    _waiting[name] = callback
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


class _Finder:
    """Finds nothing itself: the other finders do, and the loader that they found tells when it is done."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        others = [finder for finder in sys.meta_path if finder is not self]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((each for each in found if each is not None), None)
        if spec is not None and spec.loader is not None and hasattr(spec.loader, "exec_module"):
            _tell_when_done(name, spec.loader)
        return spec


_finder: Any = _Finder()


def _tell_when_done(name: str, loader: Any) -> None:
    execute = loader.exec_module

    def exec_module(module: ModuleType) -> None:
        execute(module)
        callback = _waiting.pop(name, None)
        if callback is not None:
            _contained(callback)

    # Only a loader that is this module's own: a class, as for built-in modules, serves all of them.
    if not isinstance(loader, type):
        loader.exec_module = exec_module


def _contained(callback: Callable[[], None]) -> None:
    try:
        callback()
    except Exception as error:
        _guard.contained("logs.import", error)
