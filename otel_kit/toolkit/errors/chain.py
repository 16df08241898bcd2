"""What lies behind an exception: what it was raised from, what it wraps, and the members of a group."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from otel_kit.toolkit.errors.codes import Found, category_of_code, look
from otel_kit.toolkit.errors.known import package_of

DEEPEST = 20  # steps of a chain, and levels of groups, that are followed
MOST_MEMBERS = 50
# Whose exceptions are the driver's own, in a class of theirs.
_AROUND_DRIVERS = frozenset({"sqlalchemy", "django"})
_WRAPPED = ("orig", "reason", "original_exception", "exc")  # SQLAlchemy; urllib3 and urllib; several; celery


def cause_of(error: BaseException) -> BaseException | None:
    """What it was explicitly raised from, or what it wraps; None for neither."""
    if error.__cause__ is not None:
        return error.__cause__
    for name in _WRAPPED:
        found = look(error, name)
        if isinstance(found, BaseException):
            return found
    first = error.args[0] if type(error.args) is tuple and error.args else None
    if isinstance(first, BaseException):  # requests hands on urllib3's
        return first
    return _last_attempt(error)


def context_of(error: BaseException) -> BaseException | None:
    """What was being handled when it was raised, unless the program says that it does not matter."""
    return None if error.__suppress_context__ else error.__context__


def _last_attempt(error: BaseException) -> BaseException | None:
    attempt = look(error, "last_attempt")  # tenacity's, a finished Future
    found = look(attempt, "_exception")
    return found if isinstance(found, BaseException) else None


def causes_of(error: BaseException) -> Iterator[BaseException]:
    """Its causes, from the nearest to the root; each once, also where they go in a circle."""
    seen = {id(error)}
    step = cause_of(error) or context_of(error)
    while step is not None and id(step) not in seen and len(seen) <= DEEPEST:
        yield step
        seen.add(id(step))
        step = cause_of(step) or context_of(step)


def code_of(error: BaseException) -> Found | None:
    """The category that its code stands for, or that of the driver's exception in it, and the code."""
    if package_of(type(error)) not in _AROUND_DRIVERS:
        return category_of_code(error)
    # SQLAlchemy's asyncio drivers have a class of their own in between.
    candidates = (category_of_code(found) for found in (error, *islice(causes_of(error), 2)))
    return next(filter(None, candidates), None)


def members_of(error: BaseException) -> list[BaseException]:
    """The members of a group, of groups inside of it too; empty for any other exception."""
    found: list[BaseException] = []
    _gather(error, found, 0)
    return found


def _gather(error: BaseException, found: list[BaseException], depth: int) -> None:
    if not isinstance(error, BaseExceptionGroup) or depth > DEEPEST:
        return
    for member in error.exceptions:
        if len(found) >= MOST_MEMBERS:
            return
        if isinstance(member, BaseExceptionGroup):
            _gather(member, found, depth + 1)
        else:
            found.append(member)
