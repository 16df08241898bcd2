"""What the files of this folder share: loading a contrib package quietly, finding objects that exist already."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any, TypeVar

from otel_kit.errors import MissingExtraError

_T = TypeVar("_T")


class NotPossibleError(Exception):
    """A library is there, but cannot be instrumented; the message says why and what would help."""


def load(library: str) -> Any:
    """Import contrib's package for a library, in its stable semantic conventions.

    The conventions are read once in a process, so they are chosen before the first package loads, unless the user chose.
    What the packages warn about while they load (deprecations in their own imports) is none of the program's business.

    Args:
        library: the last part of the package's name, such as ``flask``; also the name of our extra.

    Raises:
        NotPossibleError: if the package is not installed; the message has the pip line.
    """
    try:
        return quietly(lambda: import_module(f"opentelemetry.instrumentation.{library}"))
    except ModuleNotFoundError as error:
        if not (error.name or "").startswith("opentelemetry.instrumentation"):
            raise
        missing = MissingExtraError(f"opentelemetry-instrumentation-{library}", library)
        raise NotPossibleError(str(missing)) from error


def quietly(step: Callable[[], _T]) -> _T:
    """Run a step that loads instrumentors, as :func:`load` does: stable conventions, no warnings."""
    os.environ.setdefault("OTEL_SEMCONV_STABILITY_OPT_IN", "http,database")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return step()


def instances(cls: type[_T]) -> list[_T]:
    """Every living object of a class or its subclasses, a few milliseconds in a large program.

    The type is compared, and never ``isinstance`` asked: that would wake lazy proxies of other libraries.
    """
    found: list[_T] = []
    for kind in (cls, *_subclasses(cls)):
        found += [item for item in gc.get_referrers(kind) if type(item) is kind]
    return found


def _subclasses(cls: type[_T]) -> set[type[_T]]:
    direct = set(type.__subclasses__(cls))
    return direct.union(*(_subclasses(child) for child in direct))
