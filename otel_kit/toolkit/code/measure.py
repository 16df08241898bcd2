"""``measure``: what a piece of work took, and where the time went, counted for real within it."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping
from contextvars import Token
from time import perf_counter, thread_time
from types import FrameType, TracebackType
from typing import Any, NamedTuple, Self

from opentelemetry import metrics, trace
from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, StatusCode, Tracer, set_span_in_context

from otel_kit import semconv
from otel_kit.context import tally
from otel_kit.context.parts import part
from otel_kit.context.redacted import redacted
from otel_kit.context.tally import Tally
from otel_kit.errors import ArgumentError
from otel_kit.signals import get_meter, get_tracer
from otel_kit.signals.logs import levels, record
from otel_kit.signals.logs.caller import code_attributes, module
from otel_kit.toolkit.code.measure_figures import Figures, figures
from otel_kit.toolkit.code.measure_sentence import sentence
from otel_kit.toolkit.code.operations import add
from otel_kit.toolkit.code.records import WHERE, contained

LONGEST_NAME = 200
MOST_KINDS = 50  # of things that were counted, shown as attributes
MOST_TRACERS = 1000
_SCOPE = "otel_kit.operations"
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)

code = part("code")
_tracers: dict[str, Tracer] = {}


class Plan(NamedTuple):
    """What is measured.

    Attributes:
        name: of the operation, and of its span.
        slower_than: seconds from which on its record is a warning; None for never.
        scope: the module that it belongs to, which the record's logger is named after.
        place: ``code.*`` attributes.
        tracer: of the span.
    """

    name: str
    slower_than: float | None
    scope: str
    place: Mapping[str, Any]
    tracer: Tracer


class Work:
    """One run of a plan, from when it is made to its end. As a context manager, the time that a step of it runs.

    Nothing of it raises once it is made.

    Args:
        plan: what is measured.
        steps: it runs in steps, which come later; else it runs from now to the end.

    Attributes:
        cpu, duration: seconds; the duration once it is over.
        tally: what happened within.
        span: its own.
    """

    __slots__ = (
        "_attached",
        "_before",
        "_began",
        "_counting",
        "_plan",
        "_ran",
        "cpu",
        "duration",
        "span",
        "tally",
    )

    def __init__(self, plan: Plan, *, steps: bool = False) -> None:
        self._plan, self.tally = plan, Tally()
        self.cpu = self.duration = 0.0
        self._counting: Token[Tally | None] | None = None
        _histogram()  # what the first one imports, and the rules of redaction, are not what the work takes
        self._before = figures()
        self.span: Span = plan.tracer.start_span(plan.name, attributes=plan.place)
        self._began = perf_counter()
        if not steps:
            self.__enter__()

    def __enter__(self) -> None:
        self._attached = attach(set_span_in_context(self.span))
        self._counting = self.tally.begin_step()
        self._ran = thread_time()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.cpu += thread_time() - self._ran
        counting, self._counting = self._counting, None
        if counting is not None:
            self.tally.end_step(counting)
            detach(self._attached)

    def returned(self, result: object = None) -> None:
        """It ended well."""
        self.end(None)

    def raised(self, error: BaseException) -> None:
        """It ended with an exception; that nobody wants the rest of a generator is none."""
        if sys.is_finalizing():  # a generator that was left open: nothing can be imported or started any more
            return
        self.end(None if isinstance(error, GeneratorExit) else error)

    def end(self, error: BaseException | None) -> None:
        """It is over: say what there is to say."""
        self.duration = perf_counter() - self._began
        try:
            if error is not None:
                self._note(error)
            if self._counting is not None:
                self.__exit__(None, None, None)
            self._end(error)
        except Exception as failure:
            contained(failure)
        self.span.end()

    def _note(self, error: BaseException) -> None:
        if self._counting is None:
            with self:  # who tells of an exception first counts it
                _note(self.span, error)
        else:
            _note(self.span, error)

    def _end(self, error: BaseException | None) -> None:
        self.tally.close()
        failed = isinstance(error, Exception)
        facts = self._facts(self._before, figures())
        self.span.set_attributes(facts)
        token = attach(set_span_in_context(self.span))
        try:
            self._tell(error, facts)
        finally:
            detach(token)
        context = self.span.get_span_context()
        trace_id = trace.format_trace_id(context.trace_id) if context.is_valid else ""
        add(self._plan.name, self.duration, failed=failed, trace_id=trace_id)
        tally.tell("operation", name=self._plan.name, seconds=self.duration, failed=failed, facts=facts)

    def _facts(self, before: Figures, after: Figures) -> dict[str, Any]:
        counts, seconds = self.tally.counts, self.tally.seconds
        own = self.duration - sum(seconds.values())
        facts: dict[str, Any] = {
            **_memory(before, after),
            semconv.OPERATION_CPU_TIME: self.cpu,
            semconv.OPERATION_PROCESS_CPU_TIME: after.process_cpu - before.process_cpu,
            semconv.OPERATION_THREADS: after.threads,
        }
        for kind in sorted(counts)[:MOST_KINDS]:
            facts[semconv.OPERATION_COUNT + kind] = counts[kind]
            if kind in seconds:
                facts[semconv.OPERATION_TIME + kind] = seconds[kind]
        if own > 0:  # not where calls went on at the same time: their times add up to more
            facts[semconv.OPERATION_OWN_TIME] = own
        return facts

    def _tell(self, error: BaseException | None, facts: dict[str, Any]) -> None:
        """The histogram and the record, in the span's context."""
        kind = _type_name(error) if error is not None else ""
        counted = {semconv.OPERATION_NAME: self._plan.name, **({semconv.ERROR_TYPE: kind} if kind else {})}
        _histogram().record(self.duration, counted)
        slow = self._plan.slower_than is not None and self.duration >= self._plan.slower_than
        level = logging.WARNING if slow else logging.INFO
        if record.state.active and level >= levels.threshold(self._plan.scope):
            body = sentence(self._plan.name, self.duration, self.tally, slow=slow, error=kind)
            attributes = {**self._plan.place, **counted, semconv.OPERATION_DURATION: self.duration, **facts}
            record.guarded(WHERE, _emit, self._plan.scope, level, body, attributes, later=True)


class Measurement:
    """What :func:`measure` returns: a context manager, and afterwards what it found.

    Attributes:
        duration: seconds; 0 until the block is over.
        cpu: seconds of CPU that this thread took meanwhile.
    """

    __slots__ = ("_name", "_slower_than", "_work")

    def __init__(self, name: str, slower_than: float | None) -> None:
        self._name, self._slower_than = name, slower_than
        self._work: Work | None = None

    def __enter__(self) -> Self:
        if self._name:
            self._work = begun(_plan_at(self._name, self._slower_than, sys._getframe(1)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        if self._work is not None:
            self._work.end(error)

    @property
    def counts(self) -> dict[str, int]:
        """What happened within so far, by kind: ``query``, ``http_call``, ``cache_hit``, ``log.warning``, ``exception`` …"""
        return self._work.tally.counts if self._work is not None else {}

    @property
    def seconds(self) -> dict[str, float]:
        """How long the calls took together, by kind."""
        return self._work.tally.seconds if self._work is not None else {}

    @property
    def duration(self) -> float:
        return self._work.duration if self._work is not None else 0.0

    @property
    def cpu(self) -> float:
        return self._work.cpu if self._work is not None else 0.0


def measure(name: str, *, slower_than: float | None = None) -> Measurement:
    """Measure a block: ``with measure("restock") as m:``.

    Counted for real within it, in tasks and threads that it starts too: statements and calls of instrumented libraries with
    their time, cache hits and misses, log records by level, exceptions. It also takes note of CPU time, memory before, after
    and at its peak, and threads.

    Emits a span with all of it, a log record (event name ``otel_kit.operation``, INFO; WARNING where it was slow) that says
    where the time went, and the histogram ``otel_kit.operation.duration``. Adds to :func:`operations`.

    Args:
        name: of the operation. It is an attribute of a metric: no ids in it.
        slower_than: seconds from which on the record is a warning.

    Raises:
        ArgumentError: ``name`` is no text, or ``slower_than`` no number of seconds.
    """
    if not code.on:
        return _OFF
    if not isinstance(name, str) or not name:
        raise ArgumentError("measure(name)", name, "a text")
    return Measurement(name[:LONGEST_NAME], checked(slower_than))


_OFF = Measurement("", None)


def checked(slower_than: object) -> float | None:
    """A threshold as a number of seconds.

    Raises:
        ArgumentError: it is none.
    """
    number = isinstance(slower_than, int | float) and not isinstance(slower_than, bool)
    if slower_than is None or (number and slower_than >= 0):  # type: ignore[operator]
        return slower_than  # type: ignore[return-value]
    raise ArgumentError("slower_than", slower_than, "seconds as a number, or None")


def begun(plan: Plan, *, steps: bool = False) -> Work | None:
    """The work of a plan; None where it cannot be measured, which is counted."""
    try:
        return Work(plan, steps=steps)
    except Exception as error:
        contained(error)
        return None


def _plan_at(name: str, slower_than: float | None, frame: FrameType) -> Plan:
    scope = module(frame)
    return Plan(name, slower_than, scope, code_attributes(frame), tracer_of(scope))


def tracer_of(scope: str) -> Tracer:
    """The tracer of a module."""
    tracer = _tracers.get(scope)
    if tracer is None:
        if len(_tracers) >= MOST_TRACERS:
            _tracers.clear()
        tracer = _tracers[scope] = get_tracer(scope)
    return tracer


def _emit(scope: str, level: int, body: str, attributes: dict[str, Any]) -> None:
    record.emit(scope, level, body, attributes, event_name=semconv.EVENT_OPERATION, counts=False)


def _note(span: Span, error: BaseException) -> None:
    note = getattr(span, "note_exception", None)  # a span of ours
    if note is not None:
        note(error)
    elif isinstance(error, Exception):
        span.record_exception(error)
        span.set_status(StatusCode.ERROR)


def _memory(before: Figures, after: Figures) -> dict[str, int]:
    if not (before.memory and after.memory):
        return {}
    # The system knows the peak of the process only. Where that did not rise, the peak of the work is below it.
    peak = max(before.memory, after.memory, after.peak if after.peak > before.peak else 0)
    return {
        semconv.OPERATION_MEMORY_BEFORE: before.memory,
        semconv.OPERATION_MEMORY_AFTER: after.memory,
        semconv.OPERATION_MEMORY_PEAK: peak,
    }


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


class _Made:
    provider: Any = None
    histogram: metrics.Histogram


def _histogram() -> metrics.Histogram:
    provider = metrics.get_meter_provider()
    if provider is not _Made.provider:
        _Made.histogram = get_meter(_SCOPE).create_histogram(
            semconv.METRIC_OPERATION_DURATION,
            "s",
            "Duration of measured operations.",
            explicit_bucket_boundaries_advisory=_SECONDS,
        )
        _Made.provider = provider
        redacted("name", _SCOPE)
    return _Made.histogram
