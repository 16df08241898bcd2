"""What the files of this folder share: loading other instrumentors quietly, finding objects that exist already."""

from __future__ import annotations

import gc
import os
import warnings
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class NotPossibleError(Exception):
    """A library is there, but cannot be instrumented; the message says why and what would help."""


def quietly(step: Callable[[], _T]) -> _T:
    """Run a step that loads instrumentors of other packages, in their stable semantic conventions.

    The conventions are read once in a process, so they are chosen before the first package loads, unless the user chose.
    What the packages warn about while they load (deprecations in their own imports) is none of the program's business.
    """
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
