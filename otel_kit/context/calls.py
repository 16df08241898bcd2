"""The call of a model that the program tells of itself, so that a library inside it does not tell of it once more.

The program opens a :class:`Call` around the client's call. A span that an instrumentation, or the client itself, starts for
that same call is no second span then: what it says is added to the program's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

from opentelemetry.trace import Span

from otel_kit import semconv

INFERENCE = frozenset({"chat", "text_completion", "generate_content", "embeddings"})
MOST_GUESTS = 100
# Instrumentations of the OpenTelemetry project and of those who follow its names count tokens and seconds as well.
_COUNTING = "opentelemetry.instrumentation."

current: ContextVar[Call | None] = ContextVar("otel_kit.model_call", default=None)


class Call:
    """One call of a model, as the program tells it.

    Attributes:
        span: the program's span of it.
        open: whether it is still under way.
    """

    __slots__ = ("_told", "_under_way", "open", "span")

    def __init__(self, span: Span) -> None:
        self.span, self.open = span, True
        self._told: list[tuple[str, dict[str, Any]]] = []
        self._under_way: dict[str, dict[str, Any]] = {}

    def join(self, scope: str) -> dict[str, Any]:
        """Somebody else tells of this call.

        Args:
            scope: who; one that begins while his last one is under way means the same call.

        Returns:
            The facts that he has said so far, to be added to.
        """
        facts = self._under_way.get(scope)
        if facts is None:
            facts = {}
            if len(self._told) < MOST_GUESTS:
                self._told.append((scope, facts))
                self._under_way[scope] = facts
        return facts

    def leave(self, scope: str) -> None:
        """He has told everything; what he begins now is another call, such as one more try."""
        self._under_way.pop(scope, None)

    @property
    def is_counted(self) -> bool:
        """Whether somebody else counts this call's tokens and seconds."""
        return any(scope.startswith(_COUNTING) for scope, _ in self._told)

    def facts(self) -> dict[str, Any]:
        """What was said by the one who told of it first; completed by others. Tokens of repeated calls are summed."""
        by_scope: dict[str, dict[str, Any]] = {}
        for scope, facts in self._told:
            _add(by_scope.setdefault(scope, {}), facts)
        found: dict[str, Any] = {}
        for facts in by_scope.values():
            found = {**facts, **found}
        return found


def _add(total: dict[str, Any], facts: dict[str, Any]) -> None:
    for name, value in list(facts.items()):
        is_tokens = name.startswith("gen_ai.usage.") and type(value) is int
        total[name] = total.get(name, 0) + value if is_tokens else value


def is_inference(attributes: Mapping[str, Any]) -> bool:
    """Whether attributes are those of a model's call."""
    operation = attributes.get(semconv.GEN_AI_OPERATION_NAME)
    return type(operation) is str and operation in INFERENCE


def host_of(parent: object, attributes: Mapping[str, Any]) -> tuple[Span, Call | None] | None:
    """The span that tells already of the call of which a client span is about to tell.

    Args:
        parent: of that span.
        attributes: it starts with these.
    """
    if not is_inference(attributes):
        return None
    call = current.get()
    if call is not None and call.open:
        return call.span, call
    said = getattr(parent, "_attributes", None)
    if not isinstance(parent, Span) or not parent.is_recording() or type(said) is not dict:
        return None
    provider = semconv.GEN_AI_PROVIDER_NAME
    same = is_inference(said) and said.get(provider) == attributes.get(provider)
    return (parent, None) if same else None
