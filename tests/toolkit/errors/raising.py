"""Exceptions as they are when somebody catches them: raised, with traceback."""

from __future__ import annotations

from collections.abc import Callable


def raised(call: Callable[[], object]) -> BaseException:
    """What the call raises."""
    try:
        call()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def with_cause(error: BaseException, cause: BaseException) -> BaseException:
    """An exception raised from another one."""
    error.__cause__ = cause
    return error
