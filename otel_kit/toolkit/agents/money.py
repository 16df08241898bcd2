"""Amounts of money: decimal, summed exactly, whatever context the program has set for its own decimals."""

from __future__ import annotations

from decimal import Context, Decimal

from otel_kit.errors import ArgumentError

# 60 digits hold a million million to 48 places; amounts beyond these bounds are slips.
EXACT = Context(prec=60)
_SMALLEST, _LARGEST = -30, 24
VALID = "a number that is not negative"


def exact(what: str, given: object) -> Decimal:
    """The amount as a Decimal; a float is what it shows as, so that 0.1 is a tenth.

    Raises:
        ArgumentError: it is no number, negative, not finite, or beyond 10²⁴.
    """
    kind = type(given)
    if kind is Decimal:
        amount: Decimal = given  # type: ignore[assignment]
    elif issubclass(kind, float):
        amount = Decimal(float.__repr__(given))
    elif issubclass(kind, int) and kind is not bool:
        amount = Decimal(int.__int__(given))  # type: ignore[arg-type]
    else:
        amount = _parsed(what, given)
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or amount < 0 or exponent < _SMALLEST or amount.adjusted() > _LARGEST:
        raise ArgumentError(what, given, VALID)
    return amount


def is_plain(given: object) -> bool:
    """Whether it is surely an amount, for callers that have no use for the exact one."""
    return (type(given) is float or type(given) is int) and 0 <= given < 1e24


def _parsed(what: str, given: object) -> Decimal:
    if issubclass(type(given), Decimal):
        return Decimal(given)  # type: ignore[arg-type]
    if type(given) is bool:
        raise ArgumentError(what, given, VALID)
    try:
        # Other numeric types, numpy's among them, have a float of theirs; a text has none here.
        return Decimal(repr(float(given.__float__())))  # type: ignore[attr-defined]
    except Exception:  # whatever a stranger's type does when asked
        raise ArgumentError(what, given, VALID) from None


def plus(one: Decimal, other: Decimal) -> Decimal:
    """The sum, exactly."""
    return EXACT.add(one, other)


def times(one: Decimal, number: int) -> Decimal:
    """The product, exactly."""
    return EXACT.multiply(one, Decimal(number))


def shown(amount: Decimal) -> str:
    """For people: no exponent, no needless zeros."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
