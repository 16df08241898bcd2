"""What is said about an exception beside its type, message and traceback: the attributes that its log record and its
span get. Whoever knows exceptions well registers for it; nobody does by default.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from opentelemetry.util.types import AttributeValue

from otel_kit import _guard

Describe = Callable[[BaseException], Mapping[str, AttributeValue]]

_NOTHING: Mapping[str, AttributeValue] = {}


class _Describer:
    describe: Describe | None = None


_describer = _Describer()


def describe_with(describe: Describe | None) -> None:
    """Have each exception that is told described by this function; None for no longer."""
    _describer.describe = describe


def description_of(exception: BaseException) -> Mapping[str, AttributeValue]:
    """The attributes that the registered function gives; none where it fails, which is counted."""
    describe = _describer.describe
    if describe is None:
        return _NOTHING
    try:
        return describe(exception)
    except Exception as error:
        _guard.contained("describing an exception", error)
        return _NOTHING
