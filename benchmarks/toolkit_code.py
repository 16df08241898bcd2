"""What it costs to tell of functions, blocks, loops and attributes: each case is one call, set up and ready to be timed.

``stock_cases`` is the same by hand with OpenTelemetry's API alone: a span around the call, nothing more.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import trace

import otel_kit

Case = Callable[[], object]
ITEMS = range(1000)


def work(amount: int, product: str) -> int:
    """What the program does."""
    return amount


class Order:
    """What the program changes."""

    status = "new"


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    plain, told = otel_kit.traced(work), otel_kit.traced(args=True, result=True)(work)
    logged = otel_kit.traced(logs=True)(work)
    watched = otel_kit.watch_attributes(type("Watched", (Order,), {}))()

    def block() -> None:
        with otel_kit.block("work"):
            pass

    def watching() -> None:
        x = 0
        with otel_kit.block("work", watch="x"):
            x = 1
        assert x

    def loop() -> None:
        for _ in otel_kit.each(ITEMS, "rows"):
            pass

    def write() -> None:
        watched.status = "paid"

    return {
        "traced": lambda: plain(1, "tea"),
        "traced, arguments and result": lambda: told(1, "tea"),
        "traced, records of begin and end": lambda: logged(1, "tea"),
        "block": block,
        "block, one watched variable": watching,
        "each, 1000 items": loop,
        "watched attribute": write,
        "capture": otel_kit.capture,
    }


def stock_cases() -> dict[str, Case]:
    """The peers of those that have one."""
    tracer = trace.get_tracer("stock")

    def plain() -> None:
        with tracer.start_as_current_span("work"):
            work(1, "tea")

    def told() -> None:
        with tracer.start_as_current_span("work", attributes={"amount": 1, "product": "tea"}) as span:
            span.set_attribute("result", work(1, "tea"))

    def block() -> None:
        with tracer.start_as_current_span("work"):
            pass

    def loop() -> None:
        with tracer.start_as_current_span("rows"):
            for _ in ITEMS:
                pass

    return {
        "traced": plain,
        "traced, arguments and result": told,
        "block": block,
        "each, 1000 items": loop,
    }
