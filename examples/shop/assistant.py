"""The assistant of the shop: an agent that answers what customers ask.

Its model is a toy that knows the products' names, so that the demo needs neither a key nor a network. It answers in the
shape that models' clients answer in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import otel_kit
from examples.shop.models import PRICES

MODEL = "toy-1"

otel_kit.cost.prices({MODEL: {"input": 0.5, "output": 2.0}})  # a million tokens, in USD


def answer(question: str, left: Callable[[str], int | None]) -> str:
    """What the assistant says.

    Args:
        question: what the customer asks.
        left: tells how many pieces of a product are left; None where nobody knows.
    """
    with otel_kit.agent("assistant") as agent:
        with agent.llm(provider="shop", model=MODEL) as call:
            product = call.answered(think(question))["text"]
        if product not in PRICES:
            return "We have " + ", ".join(PRICES)
        with agent.tool("look at the shelf"):
            pieces = left(product)
        with agent.llm(provider="shop", model=MODEL) as call:
            said = call.answered(think(f"{question} {product}", f"{product}: {pieces} left"))
        return str(said["text"])


def think(question: str, known: str = "") -> dict[str, Any]:
    """The model's answer: what it knows, else which product is asked for."""
    product = next((name for name in PRICES if name in question), "")
    words = known or product
    usage = {"input_tokens": len(question.split()), "output_tokens": len(words.split())}
    return {"model": MODEL, "usage": usage, "stop_reason": "stop", "text": words}
