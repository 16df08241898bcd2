"""Tell when a module has been imported, now or later, without importing it. Importable from everywhere.

The same idea as wrapt's post-import hooks, without wrapt: that package imports asyncio, which costs a program that
does not use it more than everything else that happens at start-up.

Not seen: a module that is reloaded, and one that another thread is importing at this very moment.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType

from otel_kit import _guard

_waiting: dict[str, Callable[[], None]] = {}


def when_imported(name: str, callback: Callable[[], None]) -> bool:
    """Call ``callback`` once as soon as module ``name`` has been imported; one callback waits for a module.

    Args:
        name: a module's full name.
        callback: called at once where the module is imported already; errors that it raises are contained.

    Returns:
        Whether the module was imported already.
    """
    if name in sys.modules:
        callback()
        return True
    _waiting[name] = callback
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    return False


class _Finder:
    """Finds nothing itself: it lets the others find, and listens at the loader of a module that is waited for."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name not in _waiting:
            return None
        for finder in list(sys.meta_path):
            find = None if finder is self else getattr(finder, "find_spec", None)
            spec: ModuleSpec | None = find(name, path, target) if find else None
            if spec is not None:
                _listen(name, spec.loader)
                return spec
        return None


_finder = _Finder()


def _listen(name: str, loader: object) -> None:
    execute = getattr(loader, "exec_module", None)
    # A loader that is a class (built-in and frozen modules) is shared by all modules and left alone.
    if execute is None or isinstance(loader, type):
        return

    def exec_module(module: ModuleType) -> None:
        execute(module)
        if module.__name__ == name:
            _imported(name)

    # A loader of some other make may not let itself be listened to: then the library stays off.
    with contextlib.suppress(AttributeError, TypeError):
        setattr(loader, "exec_module", exec_module)  # noqa: B010


def _imported(name: str) -> None:
    callback = _waiting.pop(name, None)
    if callback is None:
        return
    try:
        callback()
    except Exception as error:
        _guard.contained("imports", error)
