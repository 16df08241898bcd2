"""Which code belongs to packages that are named."""

from __future__ import annotations

import importlib.util
import os
import sys

from otel_kit.errors import ArgumentError


class Packages:
    """Packages and modules, imported already or not.

    Args:
        names: such as ``shop`` or ``shop.cart``; ``__main__`` is the program itself.

    Raises:
        ArgumentError: there is none of that name, or it has no file.
    """

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        places = [place for name in names for place in _places_of(name)]
        self._folders = tuple(place + os.sep for place in places if os.path.isdir(place))
        self._files = frozenset(place for place in places if not os.path.isdir(place))

    def hold(self, path: str) -> bool:
        """Whether the code of that file is theirs."""
        return path.startswith(self._folders) or path in self._files

    def have(self, module: str) -> bool:
        """Whether a module of that name is theirs."""
        return any(module == name or module.startswith(f"{name}.") for name in self.names)


def _places_of(name: str) -> list[str]:
    """The folders of a package, or the file of a module."""
    module = sys.modules.get(name)
    try:
        spec = getattr(module, "__spec__", None) if module else importlib.util.find_spec(name)
    except (ImportError, ValueError, AttributeError):
        spec = None
    folders = spec.submodule_search_locations if spec else getattr(module, "__path__", None)
    file = getattr(module, "__file__", None) or (spec.origin if spec and spec.has_location else None)
    places = [*folders] if folders else [file] if file else []
    if not places:
        raise ArgumentError("debug_everything(packages)", name, "packages and modules that can be imported")
    # As the code itself says where it is from.
    return [place if place in ("", "<stdin>") else os.path.abspath(place) for place in places]
