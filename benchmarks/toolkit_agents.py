"""What agents, workflows, costs and events of the business cost: each case is one call, set up and ready to be timed.

``stock_cases`` is the same by hand with OpenTelemetry's API alone: the span, its attributes and the metrics, nothing more.
"""

from __future__ import annotations

from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.trace import SpanKind

import otel_kit

Case = Callable[[], object]


def cases() -> dict[str, Case]:
    """By name, what is to be timed."""
    agent, workflow = otel_kit.agent, otel_kit.workflow
    otel_kit.cost.prices({"acme-1": {"input": 2.5, "output": 10}})

    def call() -> None:
        with agent.llm(provider="acme", model="acme-1") as told:
            told.set(input_tokens=100, output_tokens=20)

    def whole() -> None:
        with agent("planner") as a, a.tool("search"):
            pass

    def moved() -> None:
        with workflow("order", id=7) as w:
            w.to("paid")

    @otel_kit.agent.tool("search")
    def search(query: str) -> str:
        return query

    return {
        "agent with one tool": whole,
        "decorated tool": lambda: search("x"),
        "call of a model": call,
        "workflow with one change": moved,
        "cost": lambda: otel_kit.cost(0.0012, "USD", of="chat"),
        "business event": lambda: otel_kit.business_event("order paid", value=12.5, product="tea"),
    }


def stock_cases() -> dict[str, Case]:
    """The peers of those that have one."""
    tracer, meter = trace.get_tracer("stock"), metrics.get_meter("stock")
    seconds = meter.create_histogram("gen_ai.client.operation.duration", "s")
    tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}")
    said = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme", "gen_ai.request.model": "acme-1"}

    def call() -> None:
        with tracer.start_as_current_span("chat acme-1", kind=SpanKind.CLIENT, attributes=said) as span:
            span.set_attributes({"gen_ai.usage.input_tokens": 100, "gen_ai.usage.output_tokens": 20})
            tokens.record(100, {**said, "gen_ai.token.type": "input"})
            tokens.record(20, {**said, "gen_ai.token.type": "output"})
            seconds.record(0.1, said)

    def tool() -> None:
        about = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
        with tracer.start_as_current_span("execute_tool search", attributes=about):
            seconds.record(0.1, {"gen_ai.tool.name": "search"})

    return {"call of a model": call, "decorated tool": tool}
