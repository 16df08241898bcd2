"""An agent's work, and what is done in it: ``agent("planner")``, ``agent.tool("search")``, ``agent.llm(…)``."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from decimal import Decimal
from time import time_ns
from typing import Any

from opentelemetry.trace import Span

from otel_kit import semconv
from otel_kit.toolkit.agents import figures
from otel_kit.toolkit.agents.llm import Llm
from otel_kit.toolkit.agents.tool import Tool
from otel_kit.toolkit.agents.work import Step, Work, agent_facts, agents, current_agent, named

MOST_CURRENCIES = 20
_DESCRIBED = (
    semconv.GEN_AI_AGENT_ID,
    semconv.GEN_AI_AGENT_DESCRIPTION,
    semconv.GEN_AI_AGENT_VERSION,
    semconv.GEN_AI_PROVIDER_NAME,
    semconv.GEN_AI_REQUEST_MODEL,
)
_USAGE = {
    "input_tokens": semconv.GEN_AI_USAGE_INPUT_TOKENS,
    "output_tokens": semconv.GEN_AI_USAGE_OUTPUT_TOKENS,
}


class Pieces:
    """The pieces that an agent's work is made of. Each is a ``with`` block, a decorator of sync and async functions and
    generators, or one line about what is over.
    """

    _whose: AgentBlock | None = None  # whose pieces they are; of the agent around them, where it is None

    def step(self, name: str, /, **facts: Any) -> Step:
        """A step: a plan, a search, an answer.

        As one line it lasts until the agent's next piece begins.

        Args:
            name: the span's name.
            facts: its attributes, under the names as they are written here.
        """
        return Step(self._whose, name, facts)

    def tool(
        self,
        name: str,
        /,
        *,
        call_id: str | None = None,
        description: str | None = None,
        type: str | None = None,
        arguments: object = None,
        result: object = None,
        seconds: float | None = None,
    ) -> Tool:
        """A tool that the agent uses: the span ``execute_tool NAME`` and the metric ``gen_ai.execute_tool.duration``.

        Args:
            name: the tool's name.
            call_id: what the model calls this use of it.
            description: what the tool does.
            type: ``function``, ``extension`` or ``datastore``.
            arguments: what it was given; recorded on request only, and taken from a decorated function by itself.
            result: what it answered; the same.
            seconds: in one line about a use that is over, how long it took.
        """
        return Tool(self._whose, name, seconds, (call_id, description, type), (arguments, result))

    def llm(
        self,
        *,
        provider: str,
        model: str,
        operation: str = "chat",
        seconds: float | None = None,
        conversation_id: str | None = None,
        **facts: Any,
    ) -> Llm:
        """A call of a model: the span ``chat MODEL``, its tokens, seconds and, where the price is known, cost.

        Where the client inside is instrumented, or tells by itself, what it says is added to this span, and nothing is
        told or counted twice.

        Args:
            provider: such as ``openai``, ``anthropic``, ``aws.bedrock``.
            model: the model that is asked for.
            operation: ``chat``, ``text_completion``, ``generate_content`` or ``embeddings``.
            seconds: in one line about a call that is over, how long it took.
            conversation_id: by default the agent's.
            facts: what :meth:`Llm.set` takes: ``input_tokens``, ``output_tokens``, ``finish_reason``, ``temperature`` …

        Raises:
            ArgumentError: a name is misspelt, or the operation is none.
        """
        return Llm(self._whose, provider, model, operation, seconds, conversation_id, facts)


class AgentBlock(Work, Pieces):
    """What ``agent("planner")`` gives: a ``with`` block, and a decorator.

    Attributes:
        name: the agent's name.
        conversation_id: of the conversation that it is in, if any.
    """

    def __init__(self, name: str, conversation_id: str | None, described: tuple[str | None, ...]) -> None:
        self.name, self.conversation_id, self._described = name, conversation_id, described
        self._whose = self
        if agents.on:
            self._start_over()

    def __getattr__(self, name: str) -> Any:
        if name not in ("_lock", "_tokens_used", "_spent", "_expected"):
            raise AttributeError(name)
        self._start_over()  # it was made while the part was off, for next to nothing
        return self.__dict__[name]

    def _begin(self, current: bool) -> None:
        self._start_over()
        super()._begin(current)

    def _start_over(self) -> None:
        self._lock = threading.Lock()
        self._tokens_used: dict[str, int] = {}
        self._spent: dict[str, Decimal] = {}
        self._expected: dict[int, Work] = {}

    def agent(self) -> AgentBlock:
        """Itself."""
        return self

    def title(self) -> str:
        """The span's name, as the conventions say."""
        return f"invoke_agent {named(self.name)}"

    def facts(self) -> dict[str, Any]:
        """Who works, and in which conversation; by default in that of the agent around it."""
        around = current_agent.get()
        if self.conversation_id is None and around is not None:
            self.conversation_id = around.conversation_id
        described = zip(_DESCRIBED, self._described, strict=True)
        return {
            semconv.GEN_AI_OPERATION_NAME: "invoke_agent",
            **agent_facts(self),
            **{key: named(value) for key, value in described if value is not None},
        }

    def finish(self, span: Span, seconds: float | None, error_type: str | None) -> None:
        """Tell of pieces that were one line, sum up, count."""
        self._tell_expected(list(self._expected))
        with self._lock:
            span.set_attributes({_USAGE[name]: number for name, number in self._tokens_used.items()})
            if len(self._spent) == 1:
                currency, amount = next(iter(self._spent.items()))
                span.set_attributes({semconv.COST_AMOUNT: float(amount), semconv.COST_CURRENCY: currency})
        counted = {semconv.GEN_AI_AGENT_NAME: named(self.name)}
        if error_type is not None:
            counted[semconv.ERROR_TYPE] = error_type
        if seconds is not None:
            figures.record(semconv.METRIC_GEN_AI_INVOKE_AGENT_DURATION, seconds, counted)

    # What its pieces tell it.

    def expect(self, piece: Work) -> None:
        """A piece was made; it may be entered yet. The one before it in this thread was not, so it was one line."""
        here = threading.get_ident()
        self._tell_expected([here])
        if self._span is not None:
            with self._lock:
                self._expected[here] = piece

    def forget(self, piece: Work) -> None:
        """The piece is entered, or decorates a function."""
        with self._lock:
            for thread, expected in list(self._expected.items()):
                if expected is piece:
                    del self._expected[thread]

    def used(self, tokens: dict[str, int]) -> None:
        """A call of a model used tokens."""
        with self._lock:
            for name, number in tokens.items():
                self._tokens_used[name] = self._tokens_used.get(name, 0) + number

    def spent(self, amount: Decimal, currency: str) -> None:
        """A call of a model cost something."""
        with self._lock:
            if currency in self._spent or len(self._spent) < MOST_CURRENCIES:
                self._spent[currency] = self._spent.get(currency, Decimal(0)) + amount

    def _tell_expected(self, threads: Sequence[int]) -> None:
        for thread in threads:
            with self._lock:
                piece = self._expected.pop(thread, None)
            if piece is not None:
                piece.tell(until=time_ns())


class Agent(Pieces):
    """An agent at work: ``with agent("planner") as a:``, or a decorator of its function.

    ``agent.step``, ``agent.tool`` and ``agent.llm`` decorate functions wherever they are; each call belongs to the agent
    that it is made in.
    """

    def __call__(
        self,
        name: str,
        /,
        *,
        conversation_id: str | None = None,
        id: str | None = None,
        description: str | None = None,
        version: str | None = None,
        provider: str | None = None,
        model: str | None = None,
    ) -> AgentBlock:
        """An agent's work: the span ``invoke_agent NAME`` and the metric ``gen_ai.invoke_agent.duration``.

        Args:
            name: the agent's name; a metric attribute, so let there be few.
            conversation_id: on it and on each of its calls; by default that of the agent around it.
            id: its identity, where it has one beside its name.
            description: what it is for.
            version: its version.
            provider: of its model.
            model: the model that it uses.
        """
        return AgentBlock(name, conversation_id, (id, description, version, provider, model))

    @property
    def current(self) -> AgentBlock | None:
        """The agent that is at work here, if there is one."""
        return current_agent.get() if agents.on else None


agent: Agent = Agent()
