"""What tokens cost: by the program's own table, else by the price library ``genai-prices`` where it is installed.

https://github.com/pydantic/genai-prices keeps the prices of most providers, old ones too. Its import takes most of a second,
so a thread does it when a price is first asked for; what is asked until then is answered when it is there.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from otel_kit import _guard
from otel_kit.errors import ArgumentError
from otel_kit.toolkit.agents import money

LIBRARY = "genai_prices"
PER = Decimal(1_000_000)
MOST_WAITING = 1000
MOST_MODELS = 10_000
_KINDS = ("input", "output", "cache_read", "cache_write")

Amount = tuple[Decimal, str]  # and its currency
Answer = Callable[[Amount], None]
Question = tuple[str, tuple[str, ...], Mapping[str, int]]


class Prices:
    """A table of the program's own, and the library behind it."""

    def __init__(self) -> None:
        self._table: dict[str, tuple[dict[str, Decimal], str]] = {}
        self._lock = threading.Lock()
        self._library: Any = None
        self._state = "unasked"  # loading, ready, missing
        self._waiting: list[tuple[Question, Answer]] = []
        if hasattr(os, "register_at_fork"):
            os.register_at_fork(after_in_child=self._after_fork)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._waiting = []
        if self._state == "loading":  # that thread is not in the child
            self._state = "unasked"

    def set(self, table: Mapping[str, Mapping[str, object]], currency: str) -> None:
        """Add to the table; see ``cost.prices``."""
        for model, price in table.items():
            self._table[model] = self._checked(model, price), currency
            if len(self._table) > MOST_MODELS:
                raise ArgumentError("cost.prices(table)", len(table), f"at most {MOST_MODELS} models")

    def _checked(self, model: str, price: object) -> dict[str, Decimal]:
        if not isinstance(price, Mapping) or not price:
            valid = "a price per million tokens for " + ", ".join(_KINDS)
            raise ArgumentError(f"cost.prices: {model!r}", price, valid)
        for kind in price:
            if kind not in _KINDS:
                raise ArgumentError(f"cost.prices: {model!r}", kind, ", ".join(_KINDS), _KINDS)
        return {kind: money.exact(f"cost.prices: {model!r}", value) for kind, value in price.items()}

    def prepare(self, model: str) -> None:
        """The price of this model will be asked for soon."""
        if self._state == "unasked" and model not in self._table:
            with self._lock:
                self._begin()

    def ask(self, question: Question, answer: Answer) -> Amount | None:
        """The price, where it is known at once. Where the library is still loading, ``answer`` is called when it is there.

        Args:
            question: provider, model names from the surest on, tokens.
            answer: called from another thread, and not at all where no price is known.
        """
        found = self._own(question)
        if found is not None:
            return found
        if self._state != "ready":
            with self._lock:
                if self._state in ("unasked", "loading"):
                    self._wait(question, answer)
                    return None
        return self._asked(question)

    def _own(self, question: Question) -> Amount | None:
        _, models, tokens = question
        for model in models:
            if model in self._table:
                price, currency = self._table[model]
                return _sum(price, tokens), currency
        return None

    def _wait(self, question: Question, answer: Answer) -> None:
        self._begin()
        if self._state == "loading" and len(self._waiting) < MOST_WAITING:
            self._waiting.append((question, answer))

    def _begin(self) -> None:
        if self._state != "unasked":
            return
        self._state = "missing" if find_spec(LIBRARY) is None else "loading"
        if self._state == "loading":
            # No daemon: a program that ends at once still tells what its calls cost.
            threading.Thread(target=self._load, name="otel_kit prices", daemon=False).start()

    def _load(self) -> None:
        try:
            self._library = import_module(LIBRARY)
            self._asked(("openai", ("gpt-4o",), {"input_tokens": 1}))  # the first one reads all prices
        except Exception as error:
            _guard.contained("agents.prices", error)
        with self._lock:
            self._state = "missing" if self._library is None else "ready"
            waiting, self._waiting = self._waiting, []
        for question, answer in waiting:
            amount = self._asked(question)
            if amount is not None:
                answer(amount)

    def _asked(self, question: Question) -> Amount | None:
        if self._library is None:
            return None
        provider, models, tokens = question
        for model in models:
            # A provider's name may be one that the library does not know; the model often says enough.
            for by in (provider, None):
                try:
                    usage = self._library.Usage(
                        **{kind: n for kind, n in tokens.items() if kind != "reasoning_tokens"}
                    )
                    found = self._library.calc_price(usage, model_ref=model, provider_id=by)
                    return found.total_price, "USD"
                except LookupError:  # neither the provider nor the model is known
                    continue
                except Exception as error:
                    _guard.contained("agents.prices", error)
                    return None
        return None


def _sum(price: Mapping[str, Decimal], tokens: Mapping[str, int]) -> Decimal:
    read, written = tokens.get("cache_read_tokens", 0), tokens.get("cache_write_tokens", 0)
    plain = max(tokens.get("input_tokens", 0) - read - written, 0)
    whole = price.get("input", Decimal(0))
    numbers = (
        (plain, whole),
        (read, price.get("cache_read", whole)),
        (written, price.get("cache_write", whole)),
        (tokens.get("output_tokens", 0), price.get("output", Decimal(0))),
    )
    total = Decimal(0)
    for number, each in numbers:
        total = money.plus(total, money.times(each, number))
    return money.EXACT.divide(total, PER)
