"""What this process spent: per day, by operation and by user. Days are UTC's; memory is bounded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal

from otel_kit.toolkit.agents import money

MOST_DAYS = 31
MOST_NAMES = 1000
OTHERS = "(others)"


@dataclass(frozen=True)
class Totals:
    """What was spent on one day, or on all days that are kept.

    Args:
        total: the sum by currency.
        by_operation: sums by currency, by operation.
        by_user: the same by user; what was spent for nobody in particular is not in it.
    """

    total: Mapping[str, Decimal] = field(default_factory=dict)
    by_operation: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)
    by_user: Mapping[str, Mapping[str, Decimal]] = field(default_factory=dict)


class Sums:
    """Sums by name and currency; beyond the thousandth name all others are one."""

    def __init__(self) -> None:
        self.sums: dict[str, dict[str, Decimal]] = {}

    def add(self, name: str, currency: str, amount: Decimal) -> None:
        """Add to the sum of that name."""
        if name not in self.sums and len(self.sums) >= MOST_NAMES:
            name = OTHERS
        by_currency = self.sums.setdefault(name, {})
        if currency not in by_currency and len(by_currency) >= MOST_NAMES:
            currency = OTHERS
        by_currency[currency] = money.plus(by_currency.get(currency, Decimal(0)), amount)

    def add_all(self, other: Sums) -> None:
        """Add everything that another holds."""
        for name, by_currency in other.sums.items():
            for currency, amount in by_currency.items():
                self.add(name, currency, amount)


class Day:
    """The sums of one day."""

    def __init__(self) -> None:
        self.total, self.operations, self.users = Sums(), Sums(), Sums()

    def add(self, amount: Decimal, currency: str, operation: str, user: str | None) -> None:
        """Count one amount."""
        self.total.add("", currency, amount)
        self.operations.add(operation, currency, amount)
        if user is not None:
            self.users.add(user, currency, amount)

    def add_all(self, other: Day) -> None:
        """Count another day's amounts."""
        self.total.add_all(other.total)
        self.operations.add_all(other.operations)
        self.users.add_all(other.users)

    def totals(self) -> Totals:
        """A copy for the program."""
        return Totals(dict(self.total.sums.get("", {})), _copy(self.operations), _copy(self.users))


class Spending:
    """The days that are kept: the last 31 on which something was spent."""

    def __init__(self) -> None:
        self._days: dict[date, Day] = {}

    def add(self, now: float, amount: Decimal, currency: str, operation: str, user: str | None) -> None:
        """Count one amount on the day of ``now``, seconds since the epoch."""
        today = day_of(now)
        day = self._days.get(today)
        if day is None:
            day = self._days[today] = Day()
            if len(self._days) > MOST_DAYS:
                del self._days[min(self._days)]
        day.add(amount, currency, operation, user)

    def totals(self, day: date | None) -> Totals:
        """Those of a day, or of all days together."""
        if day is not None:
            return self._days[day].totals() if day in self._days else Totals()
        whole = Day()
        for each in self._days.values():
            whole.add_all(each)
        return whole.totals()


def day_of(now: float) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(now, UTC).date()


def _copy(sums: Sums) -> dict[str, dict[str, Decimal]]:
    return {name: dict(by_currency) for name, by_currency in sums.sums.items()}
