"""A budget: what may be spent in a day or a month, in all, for an operation or for a user."""

from __future__ import annotations

from decimal import Decimal

from otel_kit import semconv
from otel_kit.signals.logs import levels
from otel_kit.toolkit.agents import event, money
from otel_kit.toolkit.agents.spending import day_of

PERIODS = ("day", "month")
SHARES = (80, 100)  # per cent at which it is told


class Budget:
    """Counts what falls under it, and tells at 80 and at 100 per cent, once each in a period.

    Args:
        name: what it is called.
        limit: what may be spent in a period.
        currency: of the limit; amounts in others do not count.
        per: ``day`` or ``month``, in UTC.
        of: the operation that counts; all by default.
        user: the user that counts; all by default.
    """

    def __init__(
        self, name: str, limit: Decimal, currency: str, per: str, of: str | None, user: str | None
    ) -> None:
        self.name, self.limit, self.currency, self.per = name, limit, currency, per
        self._of, self._user = of, user
        self._period, self._spent, self._told = "", Decimal(0), 0

    def add(self, now: float, amount: Decimal, currency: str, operation: str, user: str | None) -> int:
        """Count an amount.

        Returns:
            The share in per cent that is reached now and was not told in this period; 0 for none.
        """
        if currency != self.currency or self._of not in (None, operation) or self._user not in (None, user):
            return 0
        today = str(day_of(now))
        period = today if self.per == "day" else today[:7]
        if period != self._period:
            self._period, self._spent, self._told = period, Decimal(0), 0
        self._spent = money.plus(self._spent, amount)
        reached = max(
            (share for share in SHARES if money.times(self._spent, 100) >= money.times(self.limit, share)),
            default=0,
        )
        if reached <= self._told:
            return 0
        self._told = reached
        return reached

    def tell(self, share: int) -> None:
        """One record: a warning, and an error where everything is spent."""
        spent, limit = money.shown(self._spent), money.shown(self.limit)
        event.tell(
            semconv.EVENT_COST_BUDGET,
            f"budget {self.name!r}: {share} % spent, {spent} of {limit} {self.currency} this {self.per}",
            {
                semconv.COST_BUDGET: self.name,
                semconv.COST_SPENT: float(self._spent),
                semconv.COST_LIMIT: float(self.limit),
                semconv.COST_CURRENCY: self.currency,
                semconv.COST_PERIOD: self._period,
                semconv.COST_OPERATION: self._of,
                semconv.USER_ID: self._user,
            },
            level=levels.WARNING,
        )

    def forget(self) -> None:
        """Nothing is spent."""
        self._period, self._spent, self._told = "", Decimal(0), 0
