"""A tool that an agent uses."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Span

from otel_kit import semconv
from otel_kit.signals.logs.values import plain
from otel_kit.toolkit.agents import content, figures
from otel_kit.toolkit.agents.work import Work, agent_facts, named

if TYPE_CHECKING:
    from otel_kit.toolkit.agents.agent import AgentBlock

_NAMES = {
    "call_id": semconv.GEN_AI_TOOL_CALL_ID,
    "description": semconv.GEN_AI_TOOL_DESCRIPTION,
    "type": semconv.GEN_AI_TOOL_TYPE,
}


class Tool(Work):
    """One use of a tool; see ``agent.tool``."""

    def __init__(
        self,
        agent: AgentBlock | None,
        name: str,
        seconds: float | None,
        described: Mapping[str, Any],
        said: Mapping[str, Any],
    ) -> None:
        self.name = named(name)
        self._described = {key: plain(value) for key, value in described.items()}
        self._said = dict(said)
        super().__init__(agent, seconds)

    def again(self) -> Tool:
        """Another use of the same tool."""
        twin = super().again()
        twin._described, twin._said = dict(self._described), dict(self._said)
        return twin

    def set(self, *, call_id: str | None = None, arguments: object = None, result: object = None) -> None:
        """Say what became known inside: the model's id of this use, and, recorded on request only, arguments and result."""
        if call_id is not None:
            self._described["call_id"] = call_id
        for name, value in (("arguments", arguments), ("result", result)):
            if value is not None:
                self._said[name] = value

    def title(self) -> str:
        """The span's name, as the conventions say."""
        return f"execute_tool {self.name}"

    def facts(self) -> dict[str, Any]:
        """Which tool, and whose."""
        found = {
            semconv.GEN_AI_OPERATION_NAME: "execute_tool",
            semconv.GEN_AI_TOOL_NAME: self.name,
            **agent_facts(self._of),
        }
        return {
            **found,
            **{_NAMES[name]: value for name, value in self._described.items() if value is not None},
        }

    def given(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The function's arguments by their names, without a method's object."""
        if not content.on_span():
            return
        try:
            bound = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):  # it will be refused by the function itself
            return
        self._said["arguments"] = {
            name: value for name, value in bound.items() if name not in ("self", "cls")
        }

    def returned(self, result: Any) -> None:
        """What the function returned."""
        if result is not None and content.on_span():
            self._said["result"] = result

    def finish(self, span: Span, seconds: float | None, error_type: str | None) -> None:
        """Contents on request, and the duration."""
        if self._described["call_id"] is not None:
            span.set_attribute(semconv.GEN_AI_TOOL_CALL_ID, self._described["call_id"])
        if content.on_span():
            for name, key in (
                ("arguments", semconv.GEN_AI_TOOL_CALL_ARGUMENTS),
                ("result", semconv.GEN_AI_TOOL_CALL_RESULT),
            ):
                if self._said.get(name) is not None:
                    span.set_attribute(key, plain(self._said[name]))
        if seconds is None:
            return
        counted: dict[str, Any] = {semconv.GEN_AI_TOOL_NAME: self.name}
        if self._described["type"] is not None:
            counted[semconv.GEN_AI_TOOL_TYPE] = self._described["type"]
        if self._of is not None:
            counted[semconv.GEN_AI_AGENT_NAME] = self._of.name
        if error_type is not None:
            counted[semconv.ERROR_TYPE] = error_type
        figures.record(semconv.METRIC_GEN_AI_EXECUTE_TOOL_DURATION, seconds, counted)
