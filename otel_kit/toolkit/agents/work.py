"""A piece of an agent's work: a ``with`` block, each call of a function, or one line about something that is over.

One line, as in ``a.tool("search", seconds=0.3)``, is a piece that is never entered. It is told when the agent's next piece
begins in the same thread, or when the agent's own block ends.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from time import perf_counter, time_ns
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind

from otel_kit import _guard, semconv
from otel_kit.context import calls
from otel_kit.context.calls import Call
from otel_kit.context.parts import part
from otel_kit.context.wrapped import wrap
from otel_kit.signals.logs.values import plain, text
from otel_kit.toolkit.agents.figures import tracer

if TYPE_CHECKING:
    from typing import Self

    from otel_kit.toolkit.agents.invocation import AgentBlock

Function = TypeVar("Function", bound=Callable[..., Any])

agents = part("agents")
current_agent: ContextVar[AgentBlock | None] = ContextVar("otel_kit.agent", default=None)


class Work:
    """What is common to an agent, its steps, tools and calls of models. Whatever can wait until it begins is done then."""

    kind = SpanKind.INTERNAL

    # Defaults on the class: with the part off a piece is made for nothing, and should cost next to nothing.
    _of: AgentBlock | None = None
    _seconds: float | None = None
    _span: Span | None = None
    _inside: Any = None
    _begun = 0.0
    _made = 0
    _call: Call | None = None
    _tokens: tuple[Token[Any], Token[Any]] | None = None

    def _belong(self, agent: AgentBlock | None, seconds: float | None) -> None:
        self._of, self._seconds = agent, seconds
        if agent is not None and agents.on:
            self._made = time_ns()
            agent.expect(self)

    def __enter__(self) -> Self:
        if self._made and self._of is not None:
            self._of.forget(self)
        if agents.on:
            self._begin(current=True)
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._span is not None:
            self._end(exc)

    def __call__(self, function: Function) -> Function:
        """Run each call of the function as a piece of work of its own."""
        if self._made and self._of is not None:
            self._of.forget(self)
        return self._around(function)  # type: ignore[no-any-return]

    def _around(self, function: Any) -> Any:
        def begin(args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> _Run:
            piece = self.again()
            _heard(piece.given, function, args, kwargs)
            return (_InSteps if steps else _Run)(piece)

        return wrap(function, begin, self._around, by="agent(function)", part=agents)

    # What the kinds of work say of themselves.

    def title(self) -> str:
        """The span's name."""
        raise NotImplementedError

    def facts(self) -> dict[str, Any]:
        """The span's attributes as it begins."""
        raise NotImplementedError

    def finish(self, span: Span, seconds: float | None, error_type: str | None) -> None:
        """It is over: say the rest, and count. ``seconds`` is None where nobody knows them."""

    def call(self, span: Span) -> Call | None:
        """The call of a model that the span stands for, if it does."""

    def agent(self) -> AgentBlock | None:
        """The agent that is current inside; by default that of the work."""
        return self._of or current_agent.get()

    def given(self, function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """A decorated function is called with these."""

    def returned(self, result: Any) -> None:
        """A decorated function returned this."""

    def yielded(self, item: Any) -> None:
        """A decorated generator gave this."""

    # How it begins and ends.

    def again(self) -> Self:
        """Another piece of the same work, for one call of a function."""
        twin = copy.copy(self)
        twin._made = 0
        return twin

    def _begin(self, current: bool) -> None:
        """Start the span, and make it current where that holds until the end."""
        try:
            self._begun = perf_counter()
            self._of = self.agent()
            if current:
                self._inside = tracer.start_as_current_span(
                    self.title(), kind=self.kind, attributes=self.facts()
                )
                self._span = self._inside.__enter__()
                self._call = self.call(self._span)
                self._tokens = self._mark()
            else:
                self._span = tracer.start_span(self.title(), kind=self.kind, attributes=self.facts())
                self._call = self.call(self._span)
        except Exception as error:
            _guard.contained("agents.begin", error)

    def _end(self, error: BaseException | None) -> None:
        span, self._span = self._span, None
        if span is None:
            return
        try:
            self.finish(span, perf_counter() - self._begun, error_type_of(error))
            if self._call is not None and self._call.span is span:
                self._call.open = False
            if self._tokens is not None:
                _unmark(self._tokens)
        except Exception as failure:
            _guard.contained("agents.end", failure)
        leave = span.__exit__ if self._inside is None else self._inside.__exit__
        leave(None if error is None else type(error), error, None if error is None else error.__traceback__)

    def _mark(self) -> tuple[Token[Any], Token[Any]]:
        return calls.current.set(self._call), current_agent.set(self._of)

    def tell(self, until: int) -> None:
        """Tell of a piece that was never entered.

        Args:
            until: when the next one began, nanoseconds since the epoch.
        """
        try:
            span = tracer.start_span(
                self.title(), kind=self.kind, attributes=self.facts(), start_time=self._first(until)
            )
            self.finish(span, self._seconds, None)
            span.end(self._last(until))
        except Exception as error:
            _guard.contained("agents.tell", error)

    def _first(self, until: int) -> int:
        return self._made - int((self._seconds or 0) * 1e9)

    def _last(self, until: int) -> int:
        return self._made


class _Run:
    """One call of a function, which is a piece of work."""

    __slots__ = ("_piece",)

    def __init__(self, piece: Work) -> None:
        self._piece = piece
        piece._begin(current=True)

    def __enter__(self) -> None: ...

    def __exit__(self, *exc: object) -> None: ...

    def returned(self, result: object = None) -> None:
        """It ended well."""
        _heard(self._piece.returned, result)
        self._piece.__exit__(None, None, None)

    def raised(self, error: BaseException) -> None:
        """It ended with an exception."""
        self._piece.__exit__(type(error), error, error.__traceback__)


class _InSteps(_Run):
    """One of a generator: in its steps its span, agent and call are current. A step begins and ends in one context."""

    __slots__ = ("_token", "_tokens")

    def __init__(self, piece: Work) -> None:
        self._piece = piece
        piece._begin(current=False)

    def __enter__(self) -> None:
        span = self._piece._span
        self._token = None if span is None else otel_context.attach(trace.set_span_in_context(span))
        self._tokens = None if span is None else self._piece._mark()

    def __exit__(self, *exc: object) -> None:
        if self._token is not None and self._tokens is not None:
            _unmark(self._tokens)
            otel_context.detach(self._token)

    def gave(self, item: object) -> None:
        """An item."""
        _heard(self._piece.yielded, item)

    def returned(self, result: object = None) -> None:
        """It ended well. Most generators return nothing; what ``types.coroutine`` made does."""
        if result is not None:
            _heard(self._piece.returned, result)
        self._piece._end(None)


def _heard(step: Callable[..., None], *arguments: Any) -> None:
    """Let a piece look at what went in or came out; whatever that does is no matter of the program's."""
    try:
        step(*arguments)
    except Exception as error:
        _guard.contained("agents.look", error)


def _unmark(tokens: tuple[Token[Any], Token[Any]]) -> None:
    variables: tuple[ContextVar[Any], ContextVar[Any]] = (calls.current, current_agent)
    for variable, token in zip(variables, tokens, strict=True):
        # It may be left in another context than it was entered, as a generator's.
        with contextlib.suppress(ValueError):
            variable.reset(token)


def error_type_of(error: BaseException | None) -> str | None:
    """The name of what went wrong; a cancelled task and a closed generator are no errors."""
    if not isinstance(error, Exception):
        return None
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class Step(Work):
    """A step of an agent: a plan, a search, an answer.

    As a block or a decorator it lasts as long as that; as one line, until the agent's next piece begins.

    Args:
        agent: whose step it is.
        name: what it is called.
        facts: attributes of its span, under the names as they are written here.
    """

    def __init__(self, agent: AgentBlock | None, name: str, facts: Mapping[str, Any]) -> None:
        self.name, self._facts = name, facts
        if agent is not None:
            self._belong(agent, None)

    def title(self) -> str:
        """The step's name."""
        return named(self.name)

    def facts(self) -> dict[str, Any]:
        """The agent's name and what was given."""
        return {**agent_facts(self._of), semconv.AGENT_STEP: named(self.name), **self._facts}

    def _last(self, until: int) -> int:
        return until

    def set(self, **facts: Any) -> None:
        """Add attributes to its span."""
        if self._span is not None:
            self._span.set_attributes(facts)


def agent_facts(agent: AgentBlock | None) -> dict[str, Any]:
    """What a piece of work says of its agent."""
    if agent is None:
        return {}
    found = {semconv.GEN_AI_AGENT_NAME: named(agent.name)}
    if agent.conversation_id is not None:
        found[semconv.GEN_AI_CONVERSATION_ID] = named(agent.conversation_id)
    return found


def named(name: object) -> str:
    """A name as it goes onto the wire: a text, or an enum's, as programs have for models."""
    return name if type(name) is str else text(plain(name))
