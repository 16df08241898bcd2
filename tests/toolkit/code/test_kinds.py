"""What is decorated stays what it was, whatever kind of thing it is."""

from __future__ import annotations

import asyncio
import functools
import types
from collections.abc import Callable, Generator
from typing import Any

import pytest

import otel_kit
from otel_kit.testing import capture
from otel_kit.toolkit.code import debug_on_error, measured, traced, watch_attributes


@pytest.mark.parametrize("decorate", [traced, measured, otel_kit.span, debug_on_error])
def test_a_coroutine_that_is_a_generator_can_be_awaited(decorate: Callable[[Any], Any]) -> None:
    """What types.coroutine made can no longer be awaited once it is decorated."""

    @decorate
    @types.coroutine
    def nap() -> Generator[None, None, Any]:
        yield
        return 7

    async def main() -> Any:
        return await nap()

    with capture():
        assert asyncio.run(main()) == 7


def test_a_property_that_is_made_in_another_way_is_left_alone() -> None:
    """A class cannot be traced because a property of its own kind takes one argument only."""

    class Simple(property):
        def __init__(self, function: Callable[[Any], Any]) -> None:
            super().__init__(function)

    with capture() as seen:

        @traced
        class Order:
            @Simple
            def total(self) -> int:
                return 3

            def pay(self) -> Any:
                return self.total

        assert Order().pay() == 3
    assert [span.name.rpartition(".")[2] for span in seen.spans] == ["pay"]


def test_an_attribute_is_written_whatever_its_class_answers() -> None:
    """A write is lost, or raises, because the class's __dict__ or a default's metaclass raises."""

    class Strict(type):
        def __getattr__(cls, name: str) -> Any:
            raise RuntimeError(name)

    class Default(metaclass=Strict):
        pass

    class Order:
        __slots__ = ("number",)
        number: int
        status: Any = None

        @property
        def __dict__(self) -> Any:  # type: ignore[override]
            raise RuntimeError("no dict")

    class Other:
        status: Any = Default()

    with capture():
        order, other = watch_attributes(Order)(), watch_attributes(Other)()
        order.number = 3
        other.status = "paid"
    assert (order.number, other.status) == (3, "paid")


def test_a_loop_that_is_open_at_exit_says_nothing(run_program: Any) -> None:
    """The interpreter complains at exit about an iterator that was left open."""
    done = run_program(
        """
        from otel_kit.toolkit.code import each
        rows = iter(each([1, 2], "rows"))
        next(rows)
        """
    )
    assert done.returncode == 0
    assert "Exception ignored" not in done.stderr


def test_generators_that_are_open_at_exit_say_nothing(run_program: Any) -> None:
    """A program with a measured or traced generator that is left open hangs at exit, or complains."""
    done = run_program(
        """
        import otel_kit
        from otel_kit.toolkit.code import measured, traced

        def rows():
            yield 1

        otel_kit.init_telemetry()
        first, second = measured(rows)(), traced(rows)()
        next(first), next(second)
        """,
        options=("-W", "error"),
        env={"OTEL_SDK_DISABLED": "", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"},
    )
    assert done.returncode == 0
    assert "Exception ignored" not in done.stderr
    assert "contained" not in done.stderr


def test_a_cached_method_stays_a_method() -> None:
    """A method that ``lru_cache`` made something else of is no longer bound once it is traced."""

    class Shop:
        @otel_kit.traced
        @functools.lru_cache  # noqa: B019
        def price(self, piece: int) -> tuple[Shop, int]:
            return self, piece

    class Name(str):
        loud = otel_kit.traced(str.upper)

    shop = Shop()
    for _ in range(2):
        assert shop.price(3) == (shop, 3)
    assert Shop.price.cache_info().hits == 1
    assert Name("ann").loud() == "ANN"
