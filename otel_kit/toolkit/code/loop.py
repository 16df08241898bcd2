"""One loop: its span, what its iterations took, what failed, and how it ended. Nothing in here raises."""

from __future__ import annotations

import sys
from opcode import opname
from time import perf_counter
from types import FrameType
from typing import Any

from opentelemetry.trace import Status, StatusCode

from otel_kit import semconv
from otel_kit.context.before import Before
from otel_kit.signals import get_tracer
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.code.durations import Durations
from otel_kit.toolkit.code.records import contained, took
from otel_kit.toolkit.code.values import LONGEST

EXHAUSTED, LEFT, FAILED = "exhausted", "left", "failed"
MOST_ERRORS = 20  # that are told with their index; all are counted
ALL_SPANS = 100  # iterations of which each has a span
# By break and return the iterator is taken off the interpreter's stack with the first two; with the others a generator, or a
# task, is closed that has the loop. With any other instruction an exception leaves the loop.
_LEAVING = {"POP_TOP", "POP_ITER", "YIELD_VALUE", "RESUME", "CLEANUP_THROW"}


class Loop:
    """One time through.

    Args:
        name: of the span.
        scope: the module's name.
        slowest: how many of the slowest iterations are told.
        spans: a span for each iteration, too.

    Attributes:
        held: a ``with`` block is around the loop, and tells of its end.
    """

    def __init__(self, name: str, scope: str, slowest: int, spans: bool) -> None:
        self._name, self._spans = name, spans
        self._tracer = get_tracer(scope)
        self._durations = Durations(slowest)
        self._errors: list[str] = []
        self._error_count = 0
        self._before: Before | None = None
        self._manager: Any = None
        self._turn: Any = None
        self.held = self._given = self._over = False
        self._how, self._index = LEFT, 0
        self._began = self._since = 0.0
        self._frame = 0

    def step(self) -> None:
        """The next item is asked for; an iteration is over, if there was one."""
        now = perf_counter()
        if self._given:
            self._count(now)
            if self._turn is not None:
                self._end_turn(None)
        elif self._manager is None:
            self._begin(now, id(sys._getframe(2)))
        self._since, self._index = now, self._durations.count

    def give(self) -> None:
        """There is an item: an iteration begins."""
        self._given = True
        if self._spans and _has_span(self._durations.count):
            try:
                attributes = {semconv.LOOP_INDEX: self._durations.count}
                turn = self._tracer.start_as_current_span(f"{self._name} item", attributes=attributes)
                turn.__enter__()
                self._turn = turn
            except Exception as error:
                contained(error)

    def note(self, error: BaseException) -> None:
        """The iteration that runs has failed."""
        self._error_count += 1
        if len(self._errors) < MOST_ERRORS:
            sentence = f"{self._index}: {type(error).__name__}: {text(error)}"
            self._errors.append(sentence[:LONGEST])

    def leave(self, frame: FrameType) -> None:
        """The loop has let go of its iterator, in that frame."""
        if self._over or self._manager is None:
            self._go_back()
            return
        failed = id(frame) == self._frame and opname[frame.f_code.co_code[frame.f_lasti]] not in _LEAVING
        self._how = FAILED if failed else LEFT
        if self.held:
            self._count(perf_counter())
        else:
            self.end(self._how)

    def end_held(self, error: BaseException | None) -> None:
        """The ``with`` block around it is over."""
        self.end(FAILED if error is not None and self._given else self._how, error)
        self._go_back()

    def end(self, how: str, error: BaseException | None = None) -> None:
        """It is over; what comes after the first end is ignored."""
        if self._over or self._manager is None:
            return
        self._over = True
        now = perf_counter()
        try:
            if how == FAILED:
                self._note_end(error)
            self._count(now)
            self._end_turn(error)
            self._tell(how, now - self._began)
            self._manager.__exit__(
                type(error) if error else None, error, error.__traceback__ if error else None
            )
        except Exception as failure:
            contained(failure)

    def _go_back(self) -> None:
        if self._before is not None:
            self._before.go_back()

    def _count(self, now: float) -> None:
        if self._given:
            self._given = False
            self._durations.add(now - self._since)

    def _begin(self, now: float, frame: int) -> None:
        self._began, self._frame = now, frame
        try:
            self._before = Before()
            manager = self._tracer.start_as_current_span(self._name)
            self._span = manager.__enter__()
            self._manager = manager
        except Exception as error:
            self._over = True
            contained(error)

    def _note_end(self, error: BaseException | None) -> None:
        if error is not None:
            self.note(error)
            return
        self._error_count += 1
        if len(self._errors) < MOST_ERRORS:
            self._errors.append(f"{self._index}: an exception left the loop")
        self._span.set_status(Status(StatusCode.ERROR, f"failed at index {self._index}"))

    def _end_turn(self, error: BaseException | None) -> None:
        turn, self._turn = self._turn, None
        if turn is not None:
            turn.__exit__(type(error) if error else None, error, error.__traceback__ if error else None)

    def _tell(self, how: str, seconds: float) -> None:
        durations = self._durations
        self._span.set_attributes(
            {
                semconv.LOOP_COUNT: durations.count,
                semconv.LOOP_END: how,
                semconv.LOOP_ERROR_COUNT: self._error_count,
                semconv.LOOP_MEAN: _short(durations.mean),
                semconv.LOOP_P95: _short(durations.quantile(0.95)),
                semconv.LOOP_RATE: _short(durations.count / seconds) if seconds else 0.0,
            }
        )
        slowest = [f"{index}: {took(seconds)}" for index, seconds in durations.slowest]
        for key, sentences in ((semconv.LOOP_SLOWEST, slowest), (semconv.LOOP_ERRORS, self._errors)):
            if sentences:
                self._span.set_attribute(key, sentences)


def _short(number: float) -> float:
    """With six significant digits."""
    return float(f"{number:.6g}")


def _has_span(index: int) -> bool:
    """The first hundred, of the first thousand one in ten, and so on: of a million 460."""
    return index < ALL_SPANS or index % int(10 ** (len(str(index)) - 2)) == 0
