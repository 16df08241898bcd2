"""Something that moves from state to state, over requests, processes and days: an order, a claim, a deployment."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import TYPE_CHECKING, Any

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, Span

from otel_kit import _guard, semconv
from otel_kit.context import bind
from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.signals.logs import levels
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.agents import event, figures

if TYPE_CHECKING:
    from typing import Self

STARTED = "started"
COMPLETED, FAILED = "completed", "failed"
LONGEST = 256
MOST_STATES = 100  # of one workflow as metric attributes; the others are one
OTHERS = "(others)"

Graph = Mapping[str, Iterable[str]]

_agents = part("agents")
_time: Callable[[], float] = time.time
_states: dict[str, set[str]] = {}


class workflow:
    """One instance of a workflow: ``with workflow("order", id=7311) as w: w.to("paid")``.

    A span, the id ``workflow_id`` on everything inside, a record at the start, at each change of state and at the end, the time
    spent in each state, and how many are in which state. An exception that leaves the block is the outcome ``failed``, and
    everything else ``completed``, unless :meth:`end` says otherwise.

    Args:
        name: the kind of workflow; a metric attribute, so let there be few.
        id: which one it is.
        graph: by state the states that may follow: ``{"started": ["paid", "cancelled"], "paid": ["shipped"]}``. A change
            that is not in it is flagged, and happens. It begins in ``started``.
        carrier: of an instance that goes on here: what :meth:`hand_on` gave in another block, process or day.

    Attributes:
        name, id: as given.
        state: where it is.

    Raises:
        ArgumentError: the name or a state is no text, the id is none, or the carrier is one of another instance.
    """

    def __init__(
        self,
        name: str,
        *,
        id: object,
        graph: Graph | None = None,
        carrier: Mapping[str, str] | str | None = None,
    ) -> None:
        self.name = _text("workflow(name)", name)
        self.id = (id if type(id) is str else text(id))[:LONGEST]
        if id is None:
            raise ArgumentError(
                "workflow(id)", id, "what tells this one from others, such as an order's number"
            )
        self._graph = None if graph is None else {state: frozenset(after) for state, after in graph.items()}
        self.state = STARTED
        self._began = self._since = 0.0
        self._ended = self._handed_on = False
        self._span: Span | None = None
        self._lock = threading.Lock()
        self._before = {} if carrier is None else _read(carrier)
        if self._before:
            self._take_up(self._before)

    def _take_up(self, before: Mapping[str, str]) -> None:
        if (before.get("name"), before.get("id")) != (self.name, self.id):
            given = f"of {before.get('name')} {before.get('id')}"
            raise ArgumentError("workflow(carrier)", given, f"one of {self.name} {self.id}")
        self.state = before.get("state", STARTED)
        self._began, self._since = _seconds(before, "began"), _seconds(before, "since")

    def __enter__(self) -> Self:
        self._since = self._since or _time()
        self._began = self._began or self._since
        if _agents.on:
            self._open()
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._span is None:
            return
        if not self._ended and not self._handed_on:
            self._finish(COMPLETED if exc is None else FAILED, exc)
        self._span = None
        self._inside.__exit__(exc_type, exc, tb)
        self._bound.__exit__(None, None, None)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.__exit__(exc_type, exc, tb)

    def to(self, state: str, **facts: Any) -> None:
        """Move to another state.

        Args:
            state: its name; a metric attribute, so let there be few.
            facts: attributes of the record, under the names as they are written here.

        Raises:
            ArgumentError: the state is no text.
        """
        state, now = _text("workflow.to(state)", state), _time()
        with self._lock:
            before, since = self.state, self._since
            self.state, self._since = state, now
        if self._span is not None and not self._ended:
            self._move(before, state, max(now - since, 0.0), facts)

    def end(self, outcome: str = COMPLETED, **facts: Any) -> None:
        """End it here, with an outcome of its own: ``w.end("cancelled", reason="no stock")``.

        Args:
            outcome: a metric attribute, so let there be few.
            facts: attributes of the record.

        Raises:
            ArgumentError: the outcome is no text.
        """
        outcome = _text("workflow.end(outcome)", outcome)
        if self._span is not None and not self._ended:
            self._finish(outcome, None, facts)

    def hand_on(self) -> dict[str, str]:
        """Let it go on elsewhere: this block's end is not the workflow's.

        Returns:
            Texts by name, for ``workflow(name, id=…, carrier=…)``: to be sent in a message, or kept beside the order.
        """
        carrier = {
            "name": self.name,
            "id": self.id,
            "state": self.state,
            "since": repr(self._since),
            "began": repr(self._began),
        }
        self._handed_on = True
        if self._span is not None:
            propagate.inject(carrier, context=trace.set_span_in_context(self._span, Context()))
            self._tell(semconv.EVENT_WORKFLOW_HANDED_ON, f"{self} handed on", {})
        return carrier

    def __str__(self) -> str:
        return f"{self.name} {self.id}"

    # What is emitted.

    def _open(self) -> None:
        try:
            self._bound = bind(workflow_id=self.id)
            self._bound.__enter__()
            facts = {semconv.WORKFLOW_NAME: self.name, semconv.WORKFLOW_ID: self.id}
            self._inside = figures.tracer.start_as_current_span(
                f"workflow {self.name}", attributes=facts, links=_links(self._before)
            )
            self._span = self._inside.__enter__()
            if self._before:
                self._tell(semconv.EVENT_WORKFLOW_CONTINUED, f"{self} goes on", {})
            else:
                self._count(self.state, 1)
                self._tell(semconv.EVENT_WORKFLOW_STARTED, f"{self} started", {})
        except Exception as error:
            _guard.contained("agents.workflow", error)

    def _move(self, before: str, state: str, seconds: float, facts: Mapping[str, Any]) -> None:
        allowed = None if self._graph is None else self._graph.get(before, frozenset())
        undeclared = allowed is not None and state not in allowed
        self._count(before, -1)
        self._count(state, 1)
        self._spent(before, seconds)
        said: dict[str, Any] = {
            semconv.WORKFLOW_PREVIOUS_STATE: before,
            semconv.WORKFLOW_STATE_DURATION: round(seconds, 6),
            semconv.WORKFLOW_UNDECLARED: undeclared or None,
            **facts,
        }
        body = f"{self}: {before} → {state} after {_shown(seconds)}"
        if undeclared:
            figures.add(semconv.METRIC_WORKFLOW_UNDECLARED, 1, {semconv.WORKFLOW_NAME: self.name})
            valid = ", ".join(sorted(allowed or ())) or "nothing"
            body = f"{body}, which its graph does not have: after {before} comes {valid}"
        self._tell(semconv.EVENT_WORKFLOW_MOVED, body, said, levels.WARNING if undeclared else levels.INFO)

    def _finish(
        self, outcome: str, exc: BaseException | None, facts: Mapping[str, Any] | None = None
    ) -> None:
        self._ended = True
        now = _time()
        seconds, in_state = max(now - self._began, 0.0), max(now - self._since, 0.0)
        self._count(self.state, -1)
        self._spent(self.state, in_state)
        ended = {semconv.WORKFLOW_NAME: self.name, semconv.WORKFLOW_OUTCOME: outcome}
        figures.record(semconv.METRIC_WORKFLOW_DURATION, seconds, ended)
        if self._span is not None:
            self._span.set_attribute(semconv.WORKFLOW_OUTCOME, outcome)
        said = {
            semconv.WORKFLOW_OUTCOME: outcome,
            semconv.WORKFLOW_DURATION: round(seconds, 6),
            semconv.WORKFLOW_STATE_DURATION: round(in_state, 6),
            semconv.ERROR_TYPE: None if exc is None else type(exc).__qualname__,
            **(facts or {}),
        }
        level = levels.INFO if exc is None else levels.ERROR
        self._tell(semconv.EVENT_WORKFLOW_ENDED, f"{self} {outcome} after {_shown(seconds)}", said, level)

    def _tell(self, name: str, body: str, facts: Mapping[str, Any], level: int = levels.INFO) -> None:
        if self._span is not None:
            self._span.set_attribute(semconv.WORKFLOW_STATE, self.state)
        said = {
            semconv.WORKFLOW_NAME: self.name,
            semconv.WORKFLOW_ID: self.id,
            semconv.WORKFLOW_STATE: self.state,
        }
        event.tell(name, body, {**said, **facts}, level)

    def _count(self, state: str, change: int) -> None:
        counted = {semconv.WORKFLOW_NAME: self.name, semconv.WORKFLOW_STATE: self._bounded(state)}
        figures.add(semconv.METRIC_WORKFLOW_ACTIVE, change, counted)

    def _spent(self, state: str, seconds: float) -> None:
        spent = {semconv.WORKFLOW_NAME: self.name, semconv.WORKFLOW_STATE: self._bounded(state)}
        figures.record(semconv.METRIC_WORKFLOW_STATE_DURATION, seconds, spent)

    def _bounded(self, state: str) -> str:
        if self.name not in _states and len(_states) >= MOST_STATES:
            return OTHERS
        known = _states.setdefault(self.name, set())
        if state not in known and len(known) >= MOST_STATES:
            return OTHERS
        known.add(state)
        return state


def _links(before: Mapping[str, str]) -> list[Link]:
    """To the span that handed it on."""
    if not before:
        return []
    span = trace.get_current_span(propagate.extract(before, context=Context()))
    context = span.get_span_context()
    return [Link(context)] if context.is_valid else []


def _read(carrier: Mapping[str, str] | str | None) -> Mapping[str, str]:
    try:
        read = json.loads(carrier) if isinstance(carrier, str) else carrier
    except ValueError:
        read = carrier
    if not isinstance(read, Mapping | None):
        raise ArgumentError("workflow(carrier)", carrier, "what hand_on() gave, also as JSON text")
    return {} if read is None else {text(key): text(value) for key, value in read.items()}


def _seconds(carrier: Mapping[str, str], name: str) -> float:
    try:
        seconds = float(carrier.get(name, ""))
    except ValueError:
        return 0.0
    return seconds if 0 < seconds < 1e11 else 0.0


def _text(what: str, given: object) -> str:
    if type(given) is not str or not given or len(given) > LONGEST:
        raise ArgumentError(what, given, f"a text of up to {LONGEST} characters")
    return given


def _shown(seconds: float) -> str:
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 120:
        return f"{seconds:.1f} s"
    minutes = seconds / 60
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
