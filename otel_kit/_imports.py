"""Tell when a module has been imported, now or later, without importing it. Importable from everywhere.

The same idea as wrapt's post-import hooks, without wrapt: that package imports asyncio, which costs a program that
does not use it more than everything else that happens at start-up.

Not seen: a module that is reloaded, and one that another thread is importing at this very moment.

And import late such that a fork waits for it: a child that is forked while another thread imports a module inherits that
module's lock, held by nobody, and hangs when it imports the same. otel_kit imports late, so it would bring this about in
programs that never import in threads.
"""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from importlib import import_module
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

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


# Seconds. A thread that imports what another one waits for, and waits for that one, goes on without the lock; a fork waits
# for as long as an import may take on a busy machine.
IMPORT_PATIENCE, FORK_PATIENCE = 2.0, 30.0


class _Fork:
    """The lock that keeps a fork and an import of ours apart. Reentrant: an import may log, and so import."""

    lock = threading.RLock()


class _Forking(threading.local):
    """Whether this thread got the lock, once for each time that the hooks are registered."""

    def __init__(self) -> None:
        self.held: list[bool] = []


_forking = _Forking()


@contextlib.contextmanager
def importing() -> Iterator[None]:
    """No fork takes place inside the block; unless somebody else's import lasts longer than ``IMPORT_PATIENCE``."""
    lock = _Fork.lock  # a forked child has another one
    alone = lock.acquire(timeout=IMPORT_PATIENCE)
    try:
        yield
    finally:
        if alone:
            lock.release()


def late(name: str) -> Any:
    """The module of that name, imported now if need be."""
    found = sys.modules.get(name)
    spec = getattr(found, "__spec__", None)
    if found is not None and not getattr(spec, "_initializing", False):
        return found
    with importing():
        return import_module(name)


def _before_fork() -> None:
    _forking.held.append(_Fork.lock.acquire(timeout=FORK_PATIENCE))


def _after_fork_in_parent() -> None:
    if _forking.held and _forking.held.pop():
        _Fork.lock.release()


def _after_fork_in_child() -> None:
    _Fork.lock = threading.RLock()
    _forking.held.clear()


def lock_first() -> None:
    """Take the lock of imports before every lock that a fork takes already.

    The hooks that were registered last run first before a fork, and an import may need any lock that is taken there: that
    of ``logging`` for one. Who forks would hold that one and wait for us. Once more is harmless.
    """
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork_in_child
        )


lock_first()
