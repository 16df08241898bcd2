"""One measurement of one contender in a fresh process: ``python -m benchmarks.contender CASE CONTENDER`` prints JSON.

Contenders are ``stock``, ``ours``, ``bare`` and, where a part of ours is measured, ours with that part ``off``. A case is
one of those below, ``library.NAME`` of ``benchmarks.libraries`` or ``toolkit.NAME`` of ``benchmarks/toolkit_NAME.py``. Times
are CPU seconds: ``thread_time`` is what the caller's thread pays, ``process_time`` what the whole process pays until
everything has been encoded and sent.
"""

from __future__ import annotations

import contextlib
import json
import logging
import resource
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

Figures = dict[str, float]
Call = Callable[[], object]
BATCH = 1000


def microseconds(call: Call, calls: int, batch: int = BATCH) -> float:
    """The cheapest of several batches, in µs of the caller's thread per call."""
    best = float("inf")
    for _ in range(calls // batch):
        began = time.thread_time()
        for _ in range(batch):
            call()
        best = min(best, time.thread_time() - began)
    return best / batch * 1e6


def whole(call: Call, flush: Call, calls: int) -> Figures:
    """µs per call: in the caller's thread, and in the whole process with encoding and sending."""
    for _ in range(200):
        call()
    flush()
    began = time.process_time()
    caller = microseconds(call, calls)
    flush()
    return {"caller": caller, "whole": (time.process_time() - began) / calls * 1e6}


class Stock:
    """The stock SDK set up by hand."""

    def __init__(self) -> None:
        from benchmarks.stock import set_up

        self.providers = set_up("benchmark")

    def flush(self) -> None:
        for provider in self.providers:
            provider.force_flush(30_000)

    def tracer(self) -> Any:
        return self.providers[0].get_tracer("benchmark")

    def meter(self) -> Any:
        return self.providers[1].get_meter("benchmark")

    def log(self, event: str, **facts: object) -> None:
        logging.getLogger("benchmark").info(event, extra=facts)

    def log_calls(self) -> tuple[Call, Call]:
        logger, facts = logging.getLogger("benchmark"), {"amount": 12.5, "order_id": 7}
        return lambda: logger.info("card charged", extra=facts), lambda: logger.debug(
            "not wanted", extra=facts
        )

    def instrument(self) -> None:
        from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor

        SQLAlchemyInstrumentor().instrument(skip_dep_check=True)


class Ours:
    """otel_kit, by its one call; with settings beside the defaults, where these are what is measured."""

    def __init__(self, **settings: Any) -> None:
        import otel_kit

        self.kit, self.telemetry = otel_kit, otel_kit.init_telemetry("benchmark", console="off", **settings)

    def flush(self) -> None:
        assert self.telemetry.force_flush(30)

    def tracer(self) -> Any:
        return self.kit.get_tracer("benchmark")

    def meter(self) -> Any:
        return self.kit.get_meter("benchmark")

    @property
    def log(self) -> Any:
        return self.kit.get_logger("benchmark").info

    def log_calls(self) -> tuple[Call, Call]:
        log = self.kit.get_logger("benchmark")
        return (
            lambda: log.info("card charged", amount=12.5, order_id=7),
            lambda: log.debug("not wanted", amount=12.5, order_id=7),
        )

    def instrument(self) -> None:
        """It is on by itself."""


class Bare:
    """The program without telemetry."""

    def flush(self) -> None:
        """Nothing waits."""

    def log(self, event: str, **facts: object) -> None:
        """Nothing is logged."""

    def instrument(self) -> None:
        """Nothing is instrumented."""


CONTENDERS: dict[str, type[Any]] = {"stock": Stock, "ours": Ours, "bare": Bare}


def span(contender: Any) -> Figures:
    """A span with five attributes."""
    tracer = contender.tracer()

    def call() -> None:
        with tracer.start_as_current_span("charge card") as active:
            active.set_attribute("order.id", 7)
            active.set_attribute("amount", 12.5)
            active.set_attribute("currency", "EUR")
            active.set_attribute("card.kind", "credit")
            active.set_attribute("retry", False)

    return whole(call, contender.flush, 20_000)


def log(contender: Any) -> Figures:
    """A log record with two facts, inside a span; and one that the level filters out."""
    delivered, filtered = contender.log_calls()
    with contender.tracer().start_as_current_span("charge card"):
        figures = whole(delivered, contender.flush, 20_000)
    return {**figures, "filtered": microseconds(filtered, 50_000)}


def stdlib(contender: Any) -> Figures:
    """The same record through the standard library's logging."""
    logger, facts = logging.getLogger("benchmark.stdlib"), {"amount": 12.5, "order_id": 7}
    logger.setLevel(logging.INFO)
    return whole(lambda: logger.info("card charged", extra=facts), contender.flush, 20_000)


def counter(contender: Any) -> Figures:
    """``counter.add`` with two attributes, outside a span and inside one."""
    orders = contender.meter().create_counter("shop.orders", unit="{order}")
    facts = {"method": "card", "country": "CH"}
    outside = microseconds(lambda: orders.add(1, facts), 50_000)
    with contender.tracer().start_as_current_span("charge card"):
        return {"caller": outside, "exemplar": microseconds(lambda: orders.add(1, facts), 50_000)}


def request(contender: Any) -> Figures:
    """A FastAPI request with two SQLAlchemy statements and two log records."""
    contender.instrument()
    from benchmarks.shop import Caller, make_app

    return whole(Caller(make_app(contender.log)), contender.flush, 3_000)


def start(name: str) -> Figures:
    """CPU ms of import and set-up, and MiB of memory after 1,000 spans."""
    began = time.process_time()
    if name == "stock":
        import benchmarks.stock  # noqa: F401
    else:
        import otel_kit  # noqa: F401
    imported = time.process_time()
    contender = CONTENDERS[name]()
    ready = time.process_time()
    for _ in range(1000):
        with contender.tracer().start_as_current_span("work"):
            pass
    contender.flush()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    figures = {"import": imported - began, "init": ready - imported, "both": ready - began}
    return {**{key: value * 1e3 for key, value in figures.items()}, "memory": peak}


def redaction(name: str) -> Figures:
    """A span and a log record as they are, and with redaction off."""
    contender = Ours(**({"redact": "off"} if name == "off" else {}))
    spans, logs = span(contender), log(contender)
    return {"span": spans["whole"], "log": logs["whole"]}


def redaction_step(_: str) -> Figures:
    """The step that redacts, alone: with redaction off and on in one process, whose noise is less than what it adds."""
    from benchmarks.redaction import steps

    found = {kind: found for kind, found in steps("secrets").items() if kind != "formatted"}
    return {
        f"{kind} {state}": found[kind][index] for kind in found for index, state in enumerate(("off", "on"))
    }


def library(library_name: str, name: str) -> Figures:
    """One call of a library; nothing else is instrumented."""
    from benchmarks.libraries import LIBRARIES

    measured = LIBRARIES[library_name]
    if name == "stock":
        Stock()
        measured.turn_on_peer()
    if name == "ours":
        named = (library_name,) if measured.named is None else measured.named
        Ours(instrument=named)
    call = measured.make(name)
    for _ in range(100):
        call()
    return {"caller": microseconds(call, 2_000, 25)}


def toolkit(part: str, name: str) -> Figures:
    """The cases of a part of the toolkit, by their names."""
    contender = Stock() if name == "stock" else Ours(**({"disabled_toolkit": "*"} if name == "off" else {}))
    module = import_module(f"benchmarks.toolkit_{part}")
    found: dict[str, Call] = module.cases() if name != "stock" else getattr(module, "stock_cases", dict)()
    figures = {}
    for case, call in found.items():
        for _ in range(20):
            call()
        contender.flush()
        figures[case] = microseconds(call, 1_000, 100)
    return figures


CASES: dict[str, Callable[[Any], Figures]] = {
    "span": span,
    "log": log,
    "stdlib": stdlib,
    "counter": counter,
    "request": request,
}


def measure(case: str, name: str) -> Figures:
    """The figures of one case."""
    kind, _, part = case.partition(".")
    by_part = {"library": library, "toolkit": toolkit}
    by_name = {"start": start, "redaction": redaction, "redaction step": redaction_step}
    if kind in by_part:
        return by_part[kind](part, name)
    return by_name[case](name) if case in by_name else CASES[case](CONTENDERS[name]())


def main(case: str, name: str) -> None:
    figures = measure(case, name)
    print(json.dumps(figures), flush=True)
    with contextlib.suppress(Exception):
        sys.stderr.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
