"""One call of a model."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry.trace import Span, SpanKind

from otel_kit import semconv
from otel_kit.context import calls
from otel_kit.context.calls import Call
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs.values import plain
from otel_kit.toolkit.agents import content, event, figures
from otel_kit.toolkit.agents.costs import cost
from otel_kit.toolkit.agents.response import facts_of
from otel_kit.toolkit.agents.work import Work, agent_facts, named

if TYPE_CHECKING:
    from otel_kit.toolkit.agents.invocation import AgentBlock

Answer = TypeVar("Answer")

TOKENS = {
    "input_tokens": semconv.GEN_AI_USAGE_INPUT_TOKENS,
    "output_tokens": semconv.GEN_AI_USAGE_OUTPUT_TOKENS,
    "cache_read_tokens": semconv.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS,
    "cache_write_tokens": semconv.GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS,
    "reasoning_tokens": semconv.GEN_AI_USAGE_REASONING_OUTPUT_TOKENS,
}
_NAMES = {
    **TOKENS,
    "finish_reason": semconv.GEN_AI_RESPONSE_FINISH_REASONS,
    "response_model": semconv.GEN_AI_RESPONSE_MODEL,
    "response_id": semconv.GEN_AI_RESPONSE_ID,
    "temperature": semconv.GEN_AI_REQUEST_TEMPERATURE,
    "top_p": semconv.GEN_AI_REQUEST_TOP_P,
    "top_k": semconv.GEN_AI_REQUEST_TOP_K,
    "max_tokens": semconv.GEN_AI_REQUEST_MAX_TOKENS,
    "seed": semconv.GEN_AI_REQUEST_SEED,
    "stop_sequences": semconv.GEN_AI_REQUEST_STOP_SEQUENCES,
    "stream": semconv.GEN_AI_REQUEST_STREAM,
    "server_address": semconv.SERVER_ADDRESS,
    "server_port": semconv.SERVER_PORT,
}
_CONTENTS = {
    "system": semconv.GEN_AI_SYSTEM_INSTRUCTIONS,
    "input": semconv.GEN_AI_INPUT_MESSAGES,
    "output": semconv.GEN_AI_OUTPUT_MESSAGES,
}
# What clients and instrumentations of newer conventions than ours say instead.
_ALSO = {"gen_ai.usage.cache_write.input_tokens": "cache_write_tokens"}
_BACK = {**{key: name for name, key in _NAMES.items()}, **_ALSO}
_KNOWN = (*_NAMES, *_CONTENTS)


class Llm(Work):
    """One call of a model; see ``agent.llm``."""

    kind = SpanKind.CLIENT
    _is_inner = False  # inside of a block for the same call
    _first_chunk = -1.0
    _conversation_id: str | None = None
    _known: dict[str, Any] = {}  # noqa: RUF012  # never written to: the first fact makes another one
    _contents: dict[str, Any] = {}  # noqa: RUF012

    def __init__(
        self,
        agent: AgentBlock | None,
        provider: str,
        model: str,
        operation: str,
        seconds: float | None,
        conversation_id: str | None,
        facts: Mapping[str, Any],
    ) -> None:
        if operation != "chat" and operation not in calls.INFERENCE:
            valid = ", ".join(sorted(calls.INFERENCE))
            raise ArgumentError("llm(operation)", operation, valid, calls.INFERENCE)
        self.provider = provider if type(provider) is str else named(provider)
        self.model = model if type(model) is str else named(model)
        self.operation = operation
        if conversation_id is not None:
            self._conversation_id = conversation_id
        if facts:
            self.set(**facts)
        if agent is not None or seconds is not None:
            self._belong(agent, seconds)

    def set(self, **facts: Any) -> None:
        """Say what is known of the call, at any moment of it.

        Args:
            facts: ``input_tokens`` (those from a cache included), ``output_tokens``, ``cache_read_tokens``,
                ``cache_write_tokens``, ``reasoning_tokens``; ``finish_reason`` (one, or a list of them), ``response_model``,
                ``response_id``; ``temperature``, ``top_p``, ``top_k``, ``max_tokens``, ``seed``, ``stop_sequences``,
                ``stream``; ``server_address``, ``server_port``; and, recorded on request only, the contents ``system``,
                ``input`` and ``output``.

        Raises:
            ArgumentError: a name is none of these.
        """
        known = self._knows()
        for name, value in facts.items():
            if name in _NAMES:
                if value is not None:
                    known[name] = value
            elif name in _CONTENTS:
                self._contents = {**self._contents, name: value}
            else:
                raise ArgumentError("llm's fact", name, ", ".join(_KNOWN), _KNOWN)

    def answered(self, answer: Answer) -> Answer:
        """Read tokens, model, id and finish reasons from what the client returned, or from a piece of a stream.

        Args:
            answer: OpenAI's, Anthropic's or Google's, or of their shape; anything else says nothing.

        Returns:
            The answer itself.
        """
        if self._span is not None:
            self._knows().update(facts_of(answer))
        return answer

    def _knows(self) -> dict[str, Any]:
        if "_known" not in self.__dict__:
            self._known = {}
        return self._known

    def again(self) -> Llm:
        """Another call of the same model."""
        twin = super().again()
        twin._known, twin._contents = dict(self._known), dict(self._contents)
        return twin

    def title(self) -> str:
        """The span's name, as the conventions say."""
        return f"{self.operation} {self.model}"

    def facts(self) -> dict[str, Any]:
        """Which model, and whose call."""
        found = {
            semconv.GEN_AI_OPERATION_NAME: self.operation,
            semconv.GEN_AI_PROVIDER_NAME: self.provider,
            semconv.GEN_AI_REQUEST_MODEL: self.model,
            **agent_facts(self._of),
        }
        if self._conversation_id is not None:
            found[semconv.GEN_AI_CONVERSATION_ID] = self._conversation_id
        return found

    def call(self, span: Span) -> Call | None:
        """What lets clients and instrumentations inside join, unless this is inside such a call itself."""
        cost.prepare(self.model)
        around = calls.current.get()
        self._is_inner = around is not None and around.open
        return around if self._is_inner else Call(span)

    def returned(self, result: Any) -> None:
        """The answer, of a decorated function."""
        self.answered(result)

    def yielded(self, item: Any) -> None:
        """A piece of a streamed answer, of a decorated generator."""
        if self._first_chunk < 0:
            self._first_chunk = perf_counter() - self._begun
            self._knows()["stream"] = True
        self.answered(item)

    def finish(self, span: Span, seconds: float | None, error_type: str | None) -> None:
        """Say what became known, and count it, unless somebody else does."""
        self._known = {name: plain(value) for name, value in self._known.items()}
        if type(reason := self._known.get("finish_reason")) is str:
            self._known["finish_reason"] = [reason]
        span.set_attributes({_NAMES[name]: value for name, value in self._known.items()})
        if self._first_chunk >= 0:
            span.set_attribute(semconv.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, self._first_chunk)
        if self._contents:
            self._tell_contents(span)
        if self._is_inner:
            return
        told = {} if self._call is None else self._call.facts()
        known = {**{_BACK[key]: value for key, value in told.items() if key in _BACK}, **self._known}
        tokens = {name: known[name] for name in TOKENS if type(known.get(name)) is int}
        if self._call is None or not self._call.is_counted:
            self._count(known, tokens, seconds, error_type)
        if tokens:
            self._charge(span, str(known.get("response_model") or self.model), tokens)

    def _count(
        self,
        known: Mapping[str, Any],
        tokens: Mapping[str, int],
        seconds: float | None,
        error_type: str | None,
    ) -> None:
        counted: dict[str, Any] = {
            semconv.GEN_AI_OPERATION_NAME: self.operation,
            semconv.GEN_AI_PROVIDER_NAME: self.provider,
            semconv.GEN_AI_REQUEST_MODEL: self.model,
        }
        for name in ("response_model", "server_address", "server_port"):
            if known.get(name) is not None:
                counted[_NAMES[name]] = known[name]
        for kind in ("input", "output"):
            if f"{kind}_tokens" in tokens:
                used = {**counted, semconv.GEN_AI_TOKEN_TYPE: kind}
                figures.record(semconv.METRIC_GEN_AI_CLIENT_TOKEN_USAGE, tokens[f"{kind}_tokens"], used)
        if self._first_chunk >= 0:
            name = semconv.METRIC_GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK
            figures.record(name, self._first_chunk, counted)
        if error_type is not None:
            counted[semconv.ERROR_TYPE] = error_type
        if seconds is not None:
            figures.record(semconv.METRIC_GEN_AI_CLIENT_OPERATION_DURATION, seconds, counted)

    def _charge(self, span: Span, model: str, tokens: dict[str, int]) -> None:
        if self._of is not None:
            self._of.used(
                {name: tokens[name] for name in ("input_tokens", "output_tokens") if name in tokens}
            )
        cost.charge(self.provider, (model, self.model), self.operation, tokens, span, self._of)

    def _tell_contents(self, span: Span) -> None:
        on_span, in_event = content.on_span(), content.in_event()
        if not on_span and not in_event:
            return
        said: dict[str, Any] = {}
        for name, value in self._contents.items():
            if value is not None:
                role = "assistant" if name == "output" else "user"
                form = content.parts(value) if name == "system" else content.messages(value, role)
                said[_CONTENTS[name]] = form
        if on_span:
            span.set_attributes(said)
        if in_event:
            event.tell(semconv.EVENT_GEN_AI_DETAILS, self.title(), {**self.facts(), **said})
