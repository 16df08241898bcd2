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
    from otel_kit.toolkit.agents.invocation import AgentBlock

_NAMES = (semconv.GEN_AI_TOOL_CALL_ID, semconv.GEN_AI_TOOL_DESCRIPTION, semconv.GEN_AI_TOOL_TYPE)


class Tool(Work):
    """One use of a tool; see ``agent.tool``.

    Args:
        agent: whose use it is.
        name: the tool's name.
        seconds: how long it took, where it is over already.
        described: the id of this use, what the tool does, and of what type it is.
        said: arguments and result.
    """

    def __init__(
        self,
        agent: AgentBlock | None,
        name: str,
        seconds: float | None,
        described: tuple[str | None, str | None, str | None],
        said: tuple[object, object],
    ) -> None:
        self.name, self._described, self._said = name, described, said
        if agent is not None or seconds is not None:
            self._belong(agent, seconds)

    def set(self, *, call_id: str | None = None, arguments: object = None, result: object = None) -> None:
        """Say what became known inside: the model's id of this use, and, recorded on request only, arguments and result."""
        if call_id is not None:
            self._described = (call_id, *self._described[1:])
        given, answered = self._said
        self._said = (given if arguments is None else arguments, answered if result is None else result)

    def title(self) -> str:
        """The span's name, as the conventions say."""
        return f"execute_tool {named(self.name)}"

    def facts(self) -> dict[str, Any]:
        """Which tool, and whose."""
        return {
            semconv.GEN_AI_OPERATION_NAME: "execute_tool",
            semconv.GEN_AI_TOOL_NAME: named(self.name),
            **agent_facts(self._of),
            **self._descriptions(),
        }

    def _descriptions(self) -> dict[str, str]:
        return {
            key: named(value) for key, value in zip(_NAMES, self._described, strict=True) if value is not None
        }

    def given(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """The function's arguments by their names, without a method's object."""
        if not content.on_span():
            return
        try:
            bound = dict(inspect.signature(function).bind(*args, **kwargs).arguments)
        except (TypeError, ValueError):  # it will be refused by the function itself
            return
        self.set(arguments={name: value for name, value in bound.items() if name not in ("self", "cls")})

    def returned(self, result: Any) -> None:
        """What the function returned."""
        if content.on_span():
            self.set(result=result)

    def finish(self, span: Span, seconds: float | None, error_type: str | None) -> None:
        """Contents on request, and the duration."""
        span.set_attributes(self._descriptions())
        if content.on_span():
            keys = (semconv.GEN_AI_TOOL_CALL_ARGUMENTS, semconv.GEN_AI_TOOL_CALL_RESULT)
            said = zip(keys, self._said, strict=True)
            span.set_attributes({key: plain(value) for key, value in said if value is not None})
        if seconds is None:
            return
        counted: dict[str, Any] = {semconv.GEN_AI_TOOL_NAME: named(self.name)}
        if self._described[2] is not None:
            counted[semconv.GEN_AI_TOOL_TYPE] = named(self._described[2])
        if self._of is not None:
            counted[semconv.GEN_AI_AGENT_NAME] = named(self._of.name)
        if error_type is not None:
            counted[semconv.ERROR_TYPE] = error_type
        figures.record(semconv.METRIC_GEN_AI_EXECUTE_TOOL_DURATION, seconds, counted)
