"""A value that never shows: not in ``str``, ``repr``, a format, a pickle, JSON or telemetry."""

from __future__ import annotations

from typing import Any, Generic, NoReturn, TypeVar

Value = TypeVar("Value")
SHOWN = "[redacted:secret]"


class Secret(Generic[Value]):
    """Holds a value that must not be shown by accident.

    ``str``, ``repr`` and formatting give ``[redacted:secret]``; equality compares the values; pickling and copying are
    refused, because a copy would be a plain value.

    Args:
        value: the secret, of any type; read it with :meth:`reveal`.
    """

    __slots__ = ("__value",)

    def __init__(self, value: Value) -> None:
        self.__value = value

    def reveal(self) -> Value:
        """The value."""
        return self.__value

    def __repr__(self) -> str:
        return SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return SHOWN

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and bool(self.__value == other.reveal())

    def __hash__(self) -> int:
        return hash((Secret, self.__value))

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is not pickled or copied; reveal() its value")


def is_secret(value: Any) -> bool:
    """Whether a value is a Secret, or a pydantic SecretStr or SecretBytes (or anything with ``get_secret_value``)."""
    return isinstance(value, Secret) or hasattr(type(value), "get_secret_value")


def revealed(value: Any) -> Any:
    """What a Secret holds; anything else as it is."""
    return value.reveal() if isinstance(value, Secret) else value
