"""Agents, workflows, costs, events of the business.

- ``invocation``: an agent's work, and its steps, tools and calls of models, after OpenTelemetry's GenAI conventions
- ``workflows``: something that moves from state to state, over processes
- ``costs``: what was spent, budgets, and spending that is unusual
- ``business``: what matters to the business
"""

from __future__ import annotations

from otel_kit.toolkit.agents.business import business_event
from otel_kit.toolkit.agents.costs import cost
from otel_kit.toolkit.agents.invocation import agent
from otel_kit.toolkit.agents.workflows import workflow

__all__ = ["agent", "business_event", "cost", "workflow"]
