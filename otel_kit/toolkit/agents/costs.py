"""What the program spends: ``cost(0.0012, "USD", of="chat")``."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.trace import Span

from otel_kit import _guard, semconv
from otel_kit.context import current_context, tally
from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs import levels
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.agents import event, figures, money
from otel_kit.toolkit.agents.budget import PERIODS, Budget
from otel_kit.toolkit.agents.prices import Prices
from otel_kit.toolkit.agents.spending import Spending, Totals
from otel_kit.toolkit.agents.usual import Unusual, Usual

if TYPE_CHECKING:
    from otel_kit.toolkit.agents.invocation import AgentBlock

MOST_BUDGETS = 1000
MOST_OPERATIONS = 1000
LONGEST = 256  # characters of a name
COST = "cost"  # what a tally hears of it

_agents = part("agents")
_time = time.time


class Cost:
    """Counts what is spent, and says when it is too much.

    ``cost(amount, currency, of=…)`` counts; ``cost.budget``, ``cost.prices`` and ``cost.totals`` are what is around it. Sums
    are those of this process; the metric ``otel_kit.cost`` is the sum over all.
    """

    def __init__(self) -> None:
        self._prices = Prices()
        self._forget()
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._spending = Spending()
        self._usual: dict[tuple[str, str], Usual] = {}
        self._budgets: dict[str, Budget] = {}

    def _after_fork(self) -> None:
        # What the parent spent is the parent's; its budgets hold here, too.
        budgets = self._budgets
        self._forget()
        self._budgets = budgets
        for budget in budgets.values():
            budget.forget()

    def __call__(
        self,
        amount: float | Decimal,
        currency: str = "USD",
        /,
        *,
        of: str,
        user: str | None = None,
        **facts: Any,
    ) -> None:
        """Something was spent: the counter ``otel_kit.cost``, and an event on the current span.

        Args:
            amount: not negative; a float counts as what it shows as, so sums are exact.
            currency: such as ``USD``.
            of: what for; a metric attribute, so let there be few.
            user: for whom; by default the ``user_id`` that is bound here. No metric attribute.
            facts: attributes of the event, under the names as they are written here.

        Raises:
            ArgumentError: the amount is no number or negative, the currency or the operation no text.
        """
        _named("cost(currency)", currency, "a currency such as 'USD'")
        _named("cost(of)", of, "what the money was spent for, such as 'chat'")
        if _agents.on or not money.is_plain(amount):
            exact = money.exact("cost(amount)", amount)
        if _agents.on:
            self._add(exact, currency, of, user, {}, trace.get_current_span(), facts)

    def budget(
        self,
        limit: float | Decimal,
        currency: str = "USD",
        /,
        *,
        per: str = "day",
        of: str | None = None,
        user: str | None = None,
        name: str | None = None,
    ) -> None:
        """Warn once when 80 %, and once when 100 % of a budget are spent in a period.

        Args:
            limit: what may be spent in a period.
            currency: amounts in others do not count.
            per: ``day`` or ``month``, in UTC.
            of: the operation that counts; all by default.
            user: the user that counts; all by default.
            name: by default made of these; a budget of the same name is replaced.

        Raises:
            ArgumentError: a value is none of these, or there are a thousand budgets.
        """
        exact = money.exact("cost.budget(limit)", limit)
        if not exact:
            raise ArgumentError("cost.budget(limit)", limit, "more than nothing")
        if per not in PERIODS:
            raise ArgumentError("cost.budget(per)", per, " or ".join(PERIODS), PERIODS)
        name = name or " ".join(word for word in (of, user and f"for {user}", f"per {per}") if word)
        with self._lock:
            if name not in self._budgets and len(self._budgets) >= MOST_BUDGETS:
                raise ArgumentError("cost.budget(name)", name, f"at most {MOST_BUDGETS} budgets")
            self._budgets[name] = Budget(name, exact, currency, per, of, user)

    def prices(self, table: Mapping[str, Mapping[str, object]], currency: str = "USD") -> None:
        """Say what models cost, before any price library.

        Args:
            table: by the model's name the price of a million tokens:
                ``{"my-model": {"input": 2.5, "output": 10, "cache_read": 1.25, "cache_write": 2.5}}``. What is not said of
                the cache costs as much as other input.
            currency: of these prices.

        Raises:
            ArgumentError: a kind of token is misspelt, or a price no number.
        """
        self._prices.set(table, currency)

    def totals(self, day: date | None = None) -> Totals:
        """What this process spent, on one day (UTC) or on the last 31 on which it spent something."""
        with self._lock:
            return self._spending.totals(day)

    def prepare(self, model: str) -> None:
        """A call of this model begins: its price will be asked for."""
        self._prices.prepare(model)

    def charge(
        self,
        provider: str,
        models: tuple[str, ...],
        operation: str,
        tokens: Mapping[str, int],
        span: Span,
        agent: AgentBlock | None,
    ) -> None:
        """A model's call used tokens: it costs what they cost, where that is known.

        Args:
            provider: the model's provider.
            models: its names, from the surest on.
            operation: what the money was spent for.
            tokens: by kind.
            span: of the call.
            agent: whose call it was.
        """
        user = _user(None)
        said = {semconv.GEN_AI_PROVIDER_NAME: provider, semconv.GEN_AI_REQUEST_MODEL: models[-1]}
        charged = partial(self._charged, operation, user, said, span, agent)
        amount = self._prices.ask((provider, models, tokens), charged)
        if amount is not None:
            charged(amount)

    def _charged(
        self,
        operation: str,
        user: str | None,
        said: Mapping[str, str],
        span: Span,
        agent: AgentBlock | None,
        price: tuple[Decimal, str],
    ) -> None:
        amount, currency = price
        if span.is_recording():
            span.set_attributes({semconv.COST_AMOUNT: float(amount), semconv.COST_CURRENCY: currency})
        if agent is not None:
            agent.spent(amount, currency)
        self._add(amount, currency, operation, user, said, None, {})

    def _add(
        self,
        amount: Decimal,
        currency: str,
        operation: str,
        user: str | None,
        said: Mapping[str, str],
        span: Span | None,
        facts: Mapping[str, Any],
    ) -> None:
        try:
            operation = operation[:LONGEST]
            counted = {semconv.COST_OPERATION: operation, semconv.COST_CURRENCY: currency, **said}
            figures.add(semconv.METRIC_COST, float(amount), counted)
            tally.tell(COST, amount=amount, currency=currency, of=operation)
            self._watch(_time(), amount, currency, operation, _user(user))
            if span is not None and span.is_recording():
                about = {semconv.COST_AMOUNT: float(amount), **counted, **facts}
                span.add_event(semconv.EVENT_COST, about)
        except Exception as error:
            _guard.contained("agents.cost", error)

    def _watch(self, now: float, amount: Decimal, currency: str, operation: str, user: str | None) -> None:
        with self._lock:
            self._spending.add(now, amount, currency, operation, user)
            shares = [(b, b.add(now, amount, currency, operation, user)) for b in self._budgets.values()]
            usual = self._usual.get((operation, currency))
            if usual is None and len(self._usual) < MOST_OPERATIONS:
                usual = self._usual[operation, currency] = Usual()
            unusual = usual.add(now, float(amount)) if usual is not None else None
        for budget, share in shares:
            if share:
                budget.tell(share)
        if unusual is not None:
            _tell(unusual, operation, currency)


def _tell(unusual: Unusual, operation: str, currency: str) -> None:
    event.tell(
        semconv.EVENT_COST_UNUSUAL,
        f"unusual spending for {operation}: {unusual.spent:.4g} {currency} in five minutes, usually {unusual.middle:.4g}",
        {
            semconv.COST_OPERATION: operation,
            semconv.COST_CURRENCY: currency,
            semconv.COST_SPENT: unusual.spent,
            semconv.COST_USUAL_LIMIT: unusual.limit,
            semconv.COST_USUAL_MEDIAN: unusual.middle,
        },
        level=levels.WARNING,
    )


def _user(given: object) -> str | None:
    found = current_context().get("user_id") if given is None else given
    return None if found is None else text(found)[:LONGEST]


def _named(what: str, given: object, valid: str) -> None:
    if type(given) is not str or not given or len(given) > LONGEST:
        raise ArgumentError(what, given, valid)


cost: Cost = Cost()
