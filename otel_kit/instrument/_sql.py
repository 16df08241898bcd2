"""How SQL is watched: one choice for all engines, made by the settings or by ``otel_kit.instrument.sqlalchemy``."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from otel_kit.context.debugging import debugging
from otel_kit.errors import SettingError

TRANSACTIONS = ("events", "spans", "off")
SLOW_QUERY, N_PLUS_ONE = 0.5, 10


@dataclass(frozen=True)
class Sql:
    """What is recorded besides the statements' spans and metrics.

    Args:
        slow_query: seconds from which on a statement is a log record as well; 0 for none.
        n_plus_one: how often one place may run the same statement within one span; more is a log record; 0 for none.
        transactions: ``events`` of the span that is current, ``spans`` of their own around their statements, or ``off``.
        parameters: values that are bound to a statement; never those of batches.
        commenter: the trace's id as a comment behind each statement, for the database's own logs and views.

    Raises:
        SettingError: a value is not valid.
    """

    slow_query: float = SLOW_QUERY
    n_plus_one: int = N_PLUS_ONE
    transactions: str = "events"
    parameters: bool = False
    commenter: bool = False

    def __post_init__(self) -> None:
        _check(self, "slow_query", _is_number(self.slow_query), "a number of seconds, 0 or more")
        _check(
            self,
            "n_plus_one",
            type(self.n_plus_one) is int and self.n_plus_one >= 0,
            "a whole number, 0 or more",
        )
        _check(self, "transactions", self.transactions in TRANSACTIONS, "events, spans or off")
        _check(self, "parameters", type(self.parameters) is bool, "true or false")
        _check(self, "commenter", type(self.commenter) is bool, "true or false")


def _is_number(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value < math.inf  # type: ignore[operator]


def _check(sql: Sql, name: str, holds: bool, valid: str) -> None:
    if not holds:
        raise SettingError(name, "argument", getattr(sql, name), valid)


class _State:
    sql = Sql()


def current() -> Sql:
    """The choice that holds now."""
    if debugging.sql:
        return replace(_State.sql, parameters=True, transactions="spans")
    return _State.sql


def use(sql: Sql) -> None:
    """Let another choice hold from the next statement on."""
    _State.sql = sql
