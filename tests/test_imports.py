"""The hook that tells when a module has been imported."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from otel_kit import _guard, _imports
from otel_kit._imports import when_imported

Module = Callable[[str, str], str]


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Module]:
    """Write a module that can be imported by the name that is returned."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "meta_path", list(sys.meta_path))
    made = []

    def write(name: str, source: str) -> str:
        (tmp_path / f"{name}.py").write_text(source)
        importlib.invalidate_caches()
        made.append(name)
        return name

    yield write
    for name in made:
        sys.modules.pop(name, None)
        _imports._waiting.pop(name, None)


def test_it_tells_once_after_the_module_has_run(module: Module) -> None:
    """It tells before the module is complete, not at all, or twice."""
    name = module("otel_kit_probe_a", "complete = True")
    told: list[bool] = []
    assert when_imported(name, lambda: told.append(sys.modules[name].complete)) is False
    assert importlib.util.find_spec(name) is not None
    assert told == []
    importlib.import_module(name)
    importlib.import_module(name)
    assert told == [True]
    assert when_imported(name, lambda: told.append(False)) is True
    assert told == [True, False]


def test_a_module_that_fails_is_told_when_it_succeeds(module: Module) -> None:
    """A failed import is told as done, or the later one is not told."""
    name = module("otel_kit_probe_b", "import os\nassert os.environ.get('OTEL_KIT_PROBE')")
    told: list[int] = []
    when_imported(name, lambda: told.append(1))
    with pytest.raises(AssertionError):
        importlib.import_module(name)
    assert told == []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_KIT_PROBE", "1")
        importlib.import_module(name)
    assert told == [1]


def test_an_error_in_the_callback_does_not_fail_the_import(module: Module) -> None:
    """The program's import fails for our fault."""
    _guard.reset()
    name = module("otel_kit_probe_c", "value = 7")
    when_imported(name, lambda: 1 / 0)
    assert importlib.import_module(name).value == 7
    assert _guard.contained_counts() == {"imports": 1}


def test_a_module_that_does_not_exist_is_missing_as_ever() -> None:
    """Waiting for a module changes the error for one that is not installed."""
    when_imported("otel_kit_probe_missing", lambda: None)
    with pytest.raises(ModuleNotFoundError, match="otel_kit_probe_missing"):
        importlib.import_module("otel_kit_probe_missing")
    _imports._waiting.pop("otel_kit_probe_missing")


def test_a_loader_that_does_not_let_itself_be_listened_to_still_loads(
    module: Module, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An unusual loader makes the import fail."""
    name = module("otel_kit_probe_d", "value = 7")

    class Loader:
        __slots__ = ("inner",)

        def __init__(self, inner: object) -> None:
            self.inner = inner

        def create_module(self, spec: object) -> None:
            return None

        def exec_module(self, loaded: object) -> None:
            self.inner.exec_module(loaded)  # type: ignore[attr-defined]

    class Finder:
        @staticmethod
        def find_spec(wanted: str, path: object = None, target: object = None) -> object:
            if wanted != name:
                return None
            spec = importlib.machinery.PathFinder.find_spec(wanted)
            assert spec is not None
            spec.loader = Loader(spec.loader)  # type: ignore[assignment]
            return spec

    sys.meta_path.insert(0, Finder)  # type: ignore[arg-type]
    sys.meta_path.insert(0, object())  # type: ignore[arg-type]  # a finder of another age
    monkeypatch.setattr(sys, "meta_path", [_imports._finder, *sys.meta_path[1:]])
    when_imported(name, lambda: None)
    assert importlib.import_module(name).value == 7
