"""The line of the user's own code where an exception came from."""

from __future__ import annotations

from functools import lru_cache
from types import CodeType, TracebackType
from typing import Any

from otel_kit import semconv
from otel_kit._imports import importing, late

_LIBRARIES = ("site-packages", "dist-packages", "otel_kit")
# Frames of a traceback that are looked at: a recursion's is as long as the interpreter allows.
_LONGEST_WALK = 1000


def place_of(error: BaseException) -> dict[str, Any]:
    """``code.*`` attributes of the deepest frame that is neither a library's nor the standard library's.

    Where all frames are libraries' it is the deepest one; empty for an exception that was never raised.
    """
    found = deepest = error.__traceback__
    walked, step = 0, deepest
    while step is not None and walked < _LONGEST_WALK:
        deepest = step
        if is_users(step.tb_frame.f_code):
            found = step
        step, walked = step.tb_next, walked + 1
    if found is None or not is_users(found.tb_frame.f_code):
        found = deepest
    return _attributes(found) if found is not None else {}


def _attributes(step: TracebackType) -> dict[str, Any]:
    frame = step.tb_frame
    module = frame.f_globals.get("__name__", "?")
    return {
        semconv.CODE_FUNCTION_NAME: f"{module}.{frame.f_code.co_qualname}",
        semconv.CODE_FILE_PATH: frame.f_code.co_filename,
        semconv.CODE_LINE_NUMBER: step.tb_lineno,
    }


def is_users(code: CodeType) -> bool:
    """Whether code is the program's own."""
    return _is_users(code.co_filename)


@lru_cache(maxsize=4096)
def _is_users(path: str) -> bool:
    parts = path.replace("\\", "/").split("/")
    if path.startswith("<frozen ") or any(part in _LIBRARIES for part in parts):
        return False
    return not path.startswith(_standard_library())


@lru_cache(maxsize=1)
def _standard_library() -> tuple[str, ...]:
    sysconfig = late("sysconfig")  # dear to import, and seldom needed
    with importing():  # it imports, and on Python 3.12 it has a lock that a forked child would inherit
        return tuple({sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib")})
