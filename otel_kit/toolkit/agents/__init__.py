"""Agents, workflows, costs, events of the business.

- ``agent``: an agent's work, and its steps, tools and calls of models, after OpenTelemetry's GenAI conventions
- ``workflow``: something that moves from state to state, over processes
- ``cost``: what was spent, budgets, and spending that is unusual
- ``business``: what matters to the business
"""

from __future__ import annotations

from otel_kit.toolkit.agents.agent import agent
from otel_kit.toolkit.agents.business import business_event
from otel_kit.toolkit.agents.cost import cost
from otel_kit.toolkit.agents.workflow import workflow

__all__ = ["agent", "business_event", "cost", "workflow"]
