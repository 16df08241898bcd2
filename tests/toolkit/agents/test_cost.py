"""Money: sums, budgets, spending that is unusual."""

from __future__ import annotations

import random
import threading
from datetime import date
from decimal import Decimal, getcontext, localcontext
from importlib import import_module
from typing import Any

import pytest

import otel_kit
from otel_kit.errors import ArgumentError
from otel_kit.testing import capture
from otel_kit.testing.capture import Captured
from otel_kit.toolkit.agents.costs import Cost
from otel_kit.toolkit.agents.usual import upper

NOON = 1_767_268_800.0  # 2026-01-01, 12:00 UTC


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until a test moves it."""
    now = [NOON]
    monkeypatch.setattr(import_module("otel_kit.toolkit.agents.costs"), "_time", lambda: now[0])
    return now


@pytest.fixture
def cost(clock: list[float]) -> Cost:
    """Money of its own for each test."""
    return Cost()


def told(seen: Captured, name: str) -> list[str]:
    return [str(log.body) for log in seen.logs if log.event_name == f"otel_kit.cost.{name}"]


def test_sums_are_exact(cost: Cost) -> None:
    """A sum of floats is off by a little, or by the precision that the program has set for its own decimals."""
    with capture(), localcontext() as context:
        context.prec = 3
        for _ in range(1000):
            cost(0.1, of="chat")
            cost(Decimal("1234567.0001"), "EUR", of="rent")
        totals = cost.totals()
    assert totals.total == {"USD": Decimal("100.0"), "EUR": Decimal("1234567000.1000")}
    assert totals.by_operation["chat"] == {"USD": 100}
    assert getcontext().prec != 3


def test_sums_by_day_operation_and_user(cost: Cost, clock: list[float]) -> None:
    """What was spent is counted for another day, operation or user."""
    with capture():
        cost(1, of="chat", user="ann")
        with otel_kit.bind(user_id="bob"):
            cost(2, of="search")
        clock[0] += 86_400
        cost(4, of="chat")
        first, second = cost.totals(date(2026, 1, 1)), cost.totals(date(2026, 1, 2))
    assert first.by_operation == {"chat": {"USD": 1}, "search": {"USD": 2}}
    assert first.by_user == {"ann": {"USD": 1}, "bob": {"USD": 2}}
    assert (second.total, second.by_user) == ({"USD": 4}, {})
    assert cost.totals().total == {"USD": 7}
    assert cost.totals(date(2025, 1, 1)).total == {}


def test_the_counter_and_the_event() -> None:
    """The metric does not say what for, says for whom, or the span has no event."""
    with capture() as seen:
        with otel_kit.span("work"):
            otel_kit.cost(0.5, "EUR", of="translation", user="ann", pages=3)
        (point,) = seen.metrics["otel_kit.cost"].data.data_points
        (event,) = seen.span("work").events
    assert point.value == 0.5
    assert dict(point.attributes) == {
        "otel_kit.cost.operation": "translation",
        "otel_kit.cost.currency": "EUR",
    }
    assert (event.name, (event.attributes or {})["pages"]) == ("otel_kit.cost", 3)
    assert (event.attributes or {})["otel_kit.cost.amount"] == 0.5


def test_memory_is_bounded_and_the_total_exact(cost: Cost, clock: list[float]) -> None:
    """Names without end grow the memory without end, or what is beyond the bound is not in the total."""
    with capture():
        for number in range(3000):
            cost(1, of=f"o{number}", user=f"u{number}")
        for _ in range(100):
            clock[0] += 86_400
            cost(1, of="chat")
        assert len(cost._spending._days) == 31
        assert len(cost._usual) <= 1000
        clock[0] = NOON
        cost._forget()
        for number in range(3000):
            cost(1, of=f"o{number}", user=f"u{number}")
        totals = cost.totals()
    assert (len(totals.by_operation), len(totals.by_user)) == (1001, 1001)
    assert totals.by_user["(others)"] == {"USD": 2000}
    assert totals.total == {"USD": 3000}


def test_threads_lose_nothing(cost: Cost) -> None:
    """An amount of one of several threads is lost."""

    def spend() -> None:
        for _ in range(500):
            cost(0.01, of="chat")

    with capture():
        threads = [threading.Thread(target=spend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert cost.totals().total == {"USD": 40}


def test_a_budget_warns_once_at_80_and_once_at_100(cost: Cost, clock: list[float]) -> None:
    """A budget says nothing, says it again and again, or never again on the next day."""
    with capture() as seen:
        cost.budget(10, of="chat")
        for _ in range(15):
            cost(1, of="chat")
            cost(1, of="other")
            cost(100, "EUR", of="chat")
        clock[0] += 86_400
        for _ in range(9):
            cost(1, of="chat")
        bodies = told(seen, "budget")
        log = next(log for log in seen.logs if log.event_name == "otel_kit.cost.budget")
    assert bodies == [
        "budget 'chat per day': 80 % spent, 8 of 10 USD this day",
        "budget 'chat per day': 100 % spent, 10 of 10 USD this day",
        "budget 'chat per day': 80 % spent, 8 of 10 USD this day",
    ]
    assert log.severity_text == "WARN"
    assert log.attributes["otel_kit.cost.spent"] == 8.0
    assert log.attributes["code.function.name"].endswith("test_a_budget_warns_once_at_80_and_once_at_100")


def test_budgets_by_month_and_user(cost: Cost, clock: list[float]) -> None:
    """A month's budget begins anew each day, or a user's budget counts what others spend."""
    with capture() as seen:
        cost.budget(10, per="month")
        cost.budget(3, user="ann", name="Ann's")
        for _ in range(5):
            cost(2, of="chat", user="bob")
            clock[0] += 86_400
        cost(5, of="chat", user="ann")
        bodies = told(seen, "budget")
    assert bodies == [
        "budget 'per month': 80 % spent, 8 of 10 USD this month",
        "budget 'per month': 100 % spent, 10 of 10 USD this month",
        'budget "Ann\'s": 100 % spent, 5 of 3 USD this day',
    ]


def test_unusual_spending_is_told_once_a_window(cost: Cost, clock: list[float]) -> None:
    """Spending ten times as much as usual goes unnoticed, is told with each amount, or usual spending is told."""
    usual = random.Random(7)
    with capture() as seen:
        for _ in range(100):
            for _ in range(3):
                cost(round(usual.uniform(0.5, 1.5), 4), of="chat")
            clock[0] += 300
        assert told(seen, "unusual") == []
        for _ in range(30):
            cost(1, of="chat")
            cost(30, of="rare")
        bodies = told(seen, "unusual")
        clock[0] += 300
        for _ in range(30):
            cost(1, of="chat")
        assert len(told(seen, "unusual")) == 2
    assert len(bodies) == 1
    assert bodies[0].startswith("unusual spending for chat: ")


def test_nothing_is_unusual_before_an_hour(cost: Cost, clock: list[float]) -> None:
    """The first amounts of a program are called unusual."""
    with capture() as seen:
        for number in range(11):
            cost(10**number, of="chat")
            clock[0] += 300
        assert told(seen, "unusual") == []


def test_the_band_does_not_follow_outliers() -> None:
    """Some wild windows widen the band so far that the next wild one is usual."""
    calm = [1.0 + 0.01 * n for n in range(50)]
    middle, limit = upper([*calm, *[1000.0] * 20])
    assert middle < 2
    assert limit < 10
    assert upper([5.0] * 20) == (5.0, 10.0)


@pytest.mark.parametrize(
    "amount", [-1, float("nan"), float("inf"), "3", None, True, Decimal("1e40"), Decimal("sNaN")]
)
@pytest.mark.parametrize("on", [True, False])
def test_a_wrong_amount_is_refused(cost: Cost, amount: Any, on: bool) -> None:
    """An amount that is none is counted, or is refused only where telemetry is on."""
    with (
        capture(disabled_toolkit=[] if on else ["agents"]),
        pytest.raises(ArgumentError, match="cost\\(amount\\)"),
    ):
        cost(amount, of="chat")


def test_other_arguments_are_checked_too(cost: Cost) -> None:
    """A wrong argument is taken, or the message does not say which it is."""
    for arguments, name in (((1, ""), "currency"), ((1, 7), "currency")):
        with pytest.raises(ArgumentError, match=name):
            cost(*arguments, of="chat")  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"cost\(of\)"):
        cost(1, of="")
    with pytest.raises(ArgumentError, match="did you mean 'month'"):
        cost.budget(1, per="months")
    with pytest.raises(ArgumentError, match="did you mean 'output'"):
        cost.prices({"m": {"outputs": 1}})


class Float32:
    """A number of another library, as numpy's: no float, but it has one."""

    def __float__(self) -> float:
        return 0.5


def test_numbers_of_other_libraries_count(cost: Cost) -> None:
    """A number of another library is refused, or is not what it shows as."""
    with capture():
        cost(Float32(), of="chat")  # type: ignore[arg-type]
        cost(Decimal("0.1"), of="chat")
        cost(2, of="chat")
        assert cost.totals().total == {"USD": Decimal("2.6")}


def test_nothing_is_counted_while_the_part_is_off(cost: Cost) -> None:
    """With the part off something is counted."""
    with capture(disabled_toolkit=["agents"]) as seen:
        cost(1, of="chat")
        assert cost.totals().total == {}
        assert "otel_kit.cost" not in seen.metrics


def test_a_forked_process_has_spent_nothing(run_program: Any) -> None:
    """A forked child counts what its parent spent, or waits for a lock that nobody holds any more."""
    done = run_program(
        """
        import os, otel_kit
        from otel_kit.testing import capture
        with capture():
            otel_kit.cost(1, of="chat")
            otel_kit.cost._lock.acquire()
            child = os.fork()
            if child == 0:
                otel_kit.cost(2, of="chat")
                os._exit(0 if str(otel_kit.cost.totals().total["USD"]) == "2" else 1)
            print(os.waitpid(child, 0)[1])
        """
    )
    assert done.stdout.strip() == "0", done.stderr


class Untold:
    """Has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


def test_user_without_text() -> None:
    """Spending is lost because its user has no text."""
    user: Any = Untold()
    with capture() as seen:
        otel_kit.cost(5, of="chat", user=user)
    assert [point.value for point in seen.metrics["otel_kit.cost"].data.data_points] == [5]


def test_amounts_without_text() -> None:
    """An amount that cannot be shown raises anything but an ArgumentError with a bounded message."""
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    amounts: list[Any] = [10**5000, deep, Untold()]
    for amount in amounts:
        with pytest.raises(ArgumentError) as raised:
            otel_kit.cost(amount, of="chat")
        assert len(str(raised.value)) < 1000
