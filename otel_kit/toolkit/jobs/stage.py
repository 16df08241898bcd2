"""A stage of a run: how often, how long, how many rows."""

from __future__ import annotations

import threading
from contextvars import ContextVar, Token
from time import perf_counter
from types import TracebackType
from typing import Any, Self

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, set_span_in_context

from otel_kit import semconv
from otel_kit.context.parts import part
from otel_kit.signals import get_tracer

MOST_STAGES = 500
_SCOPE = "otel_kit.toolkit.jobs"

jobs = part("jobs")
_current: ContextVar[Stage | None] = ContextVar("otel_kit_stage", default=None)


class Stages:
    """All stages of a run, those of one name as one."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sums: dict[str, dict[str, Any]] = {}

    def begin(self, path: str, name: str, depth: int) -> None:
        """A stage begins: its place among the others is where it began first."""
        with self._lock:
            if path not in self._sums and len(self._sums) < MOST_STAGES:
                self._sums[path] = {
                    "name": name,
                    "path": path,
                    "depth": depth,
                    "times": 0,
                    "seconds": 0.0,
                    "rows": 0,
                    "failed": 0,
                }

    def end(self, path: str, seconds: float, rows: int, *, failed: bool) -> None:
        """It is over."""
        with self._lock:
            known = self._sums.get(path)
            if known is not None:
                known["times"] += 1
                known["seconds"] += seconds
                known["rows"] += rows
                known["failed"] += failed

    def sums(self) -> list[dict[str, Any]]:
        """What they came to, with ``rows_per_second`` where there were rows."""
        with self._lock:
            found = [dict(each) for each in self._sums.values()]
        for each in found:
            rate = each["rows"] / each["seconds"] if each["rows"] and each["seconds"] else None
            each["rows_per_second"] = rate
        return found


class Stage:
    """One of them; a context manager, sync and async."""

    def __init__(self, stages: Stages, name: str, belongs: object) -> None:
        self.name, self._stages, self._belongs = name, stages, belongs
        self._rows = 0
        self._outer: Stage | None = None
        self._span: Span | None = None
        self._token: Token[Stage | None] | None = None
        self._attached: Any = None
        self._path = name

    def rows(self, count: int) -> None:
        """So many rows were dealt with."""
        stage: Stage | None = self
        while stage is not None:
            stage._rows += count
            stage = stage._outer

    def __enter__(self) -> Self:
        outer = _current.get()
        self._outer = outer if outer is not None and outer._belongs is self._belongs else None
        self._path = f"{self._outer._path} / {self.name}" if self._outer else self.name
        self._stages.begin(self._path, self.name, self._path.count(" / "))
        self._token = _current.set(self)
        if jobs.on:
            self._span = get_tracer(_SCOPE).start_span(self.name, attributes={semconv.STAGE_NAME: self._path})
            self._attached = attach(set_span_in_context(self._span))
        self._began = perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        seconds = perf_counter() - self._began
        self._stages.end(self._path, seconds, self._rows, failed=isinstance(error, Exception))
        token, self._token = self._token, None
        try:
            if token is not None:
                _current.reset(token)
        except ValueError:  # left in another context than it was entered
            pass
        self._end_span(error)

    def _end_span(self, error: BaseException | None) -> None:
        span, self._span = self._span, None
        if span is None:
            return
        detach(self._attached)
        if self._rows:
            span.set_attribute(semconv.STAGE_ROWS, self._rows)
        note_error(span, error)
        span.end()

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def note_error(span: Span, error: BaseException | None) -> None:
    """Have a span tell of the exception that leaves its block."""
    note = getattr(span, "note_exception", None)  # a span of ours
    if error is None or isinstance(error, GeneratorExit):
        return
    if note is not None:
        note(error)
    elif isinstance(error, Exception):
        span.record_exception(error)


def stage_of(belongs: object) -> Stage | None:
    """The innermost open stage here, of that run."""
    stage = _current.get()
    return stage if stage is not None and stage._belongs is belongs else None
