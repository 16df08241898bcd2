"""What measuring costs: each case is one call, set up and ready to be timed.

``stock_cases`` is the same by hand with the API alone: a span with the figures of CPU and memory by psutil, a log record, and
a histogram; nothing is counted within.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from opentelemetry import metrics, trace

import otel_kit
from otel_kit.context import tally

Case = Callable[[], object]


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    measure = otel_kit.measure

    @otel_kit.measured("restock")
    def restock(product: str) -> str:
        return product

    def block() -> None:
        with measure("import"):
            pass

    return {
        "measured function": lambda: restock("tea"),
        "measured block": block,
        "count of a statement": lambda: tally.count(tally.QUERY, 0.001),
    }


def stock_cases() -> dict[str, Case]:
    """The peers of those that have one."""
    import psutil

    process = psutil.Process()
    tracer, log = trace.get_tracer("stock"), logging.getLogger("stock")
    seconds = metrics.get_meter("stock").create_histogram("operation.duration", "s")

    def block() -> None:
        with tracer.start_as_current_span("import") as span:
            began, cpu, before = time.perf_counter(), time.thread_time(), process.memory_info().rss
            after, took = process.memory_info().rss, time.perf_counter() - began
            span.set_attributes(
                {"memory.before": before, "memory.after": after, "cpu": time.thread_time() - cpu}
            )
            seconds.record(took, {"name": "import"})
            log.info("import took %.1f ms", took * 1000)

    return {"measured block": block, "measured function": block}
