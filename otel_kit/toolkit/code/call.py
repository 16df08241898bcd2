"""One call of a watched function: its span, and the records of its begin and end.

What fails in here is contained: the function is called whatever happens, and its outcome passes as it is.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from contextvars import ContextVar, Token
from time import perf_counter
from types import TracebackType
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Status, StatusCode

from otel_kit import semconv
from otel_kit.signals.logs.levels import INFO, WARNING
from otel_kit.signals.logs.values import text
from otel_kit.toolkit.code.records import contained, say, took, wanted
from otel_kit.toolkit.code.site import Site, calls
from otel_kit.toolkit.code.values import kept

_runtime = otel_context._RUNTIME_CONTEXT

DEEPEST = 50  # steps of indentation

# How many watched calls this one is inside of.
_depth: ContextVar[int] = ContextVar("otel_kit_call_depth", default=0)


class Call:
    """One call. As a context manager, the time that a step of it runs: a generator has many.

    Args:
        site: the function.
        arguments: what it was given, where that is told.
        level: of the records of its begin and end.
        steps: its code runs in steps, which come later; else it runs from now to the end.
    """

    __slots__ = (
        "_attached",
        "_began",
        "_close",
        "_context",
        "_depth",
        "_level",
        "_set",
        "_site",
        "_span",
    )

    def __init__(self, site: Site, arguments: Mapping[str, Any], level: int, *, steps: bool) -> None:
        self._site, self._level = site, level
        self._depth = _depth.get()
        self._attached: Any = None
        self._context: Context | None = None
        self._set: Token[int] | None = None
        attributes = _attributes(site, arguments)
        if steps:
            self._span = site.tracer.start_span(site.name, attributes=attributes)
            self._close: Callable[..., Any] = self._span.__exit__
        else:
            manager = site.tracer.start_as_current_span(site.name, attributes=attributes)
            self._close = manager.__exit__
            self._span = manager.__enter__()
            self._go_deeper()
        self._tell(lambda: self._tell_begin(arguments))
        self._began = perf_counter()

    def __enter__(self) -> None:
        # Where a step has left a span of its own open, that is the current one in the next step, too.
        self._context = self._context or trace.set_span_in_context(self._span)
        self._attached = _runtime.attach(self._context)
        self._go_deeper()

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc: BaseException | None = None,
        tb: TracebackType | None = None,
    ) -> None:
        self._context = _runtime.get_current()
        self._detach()

    def _detach(self) -> None:
        self._come_back()
        attached, self._attached = self._attached, None
        try:
            _runtime.detach(attached)
        except ValueError:  # in another context than it was entered in
            return

    def returned(self, result: object = None) -> None:
        """It ended well."""
        seconds = perf_counter() - self._began
        self._tell(lambda: self._tell_result(result, seconds))
        self._end(None)

    def raised(self, error: BaseException) -> None:
        """It ended with an exception."""
        if sys.is_finalizing():  # a generator that was left open: nothing can be imported or started any more
            return
        seconds = perf_counter() - self._began
        self._tell(lambda: self._tell_error(error, seconds))
        self._end(error)

    def _tell(self, sentence: Callable[[], None]) -> None:
        try:
            # Between its steps a generator's span is not the current one.
            with self if self._set is None else nullcontext():
                sentence()
        except Exception as error:
            contained(error)

    def _tell_begin(self, arguments: Mapping[str, Any]) -> None:
        site = self._site
        if site.options.logs and wanted(site.gate, self._level):
            self._say(f"→ {site.name}({site.written(arguments)})", semconv.EVENT_CODE_ENTERED)

    def _tell_result(self, result: object, seconds: float) -> None:
        site = self._site
        last = site.name.rpartition(".")[2]  # what a function returns is often what it is called
        if site.options.result:
            self._span.set_attribute(semconv.CODE_RESULT, kept(last, result, ask=site.by_hand))
        if site.options.logs and wanted(site.gate, self._level):
            shown = site.short(last, result)
            self._say(f"← {site.name} {took(seconds)} {shown}", semconv.EVENT_CODE_RETURNED, seconds)
        self._tell_slow(seconds)

    def _tell_error(self, error: BaseException, seconds: float) -> None:
        site = self._site
        if site.options.logs and wanted(site.gate, self._level):
            if isinstance(error, GeneratorExit):
                self._say(f"← {site.name} {took(seconds)} left early", semconv.EVENT_CODE_RETURNED, seconds)
            else:
                words = f"{type(error).__name__}: {text(error)[:1000]}".removesuffix(": ")
                self._say(f"✗ {site.name} {took(seconds)} {words}", semconv.EVENT_CODE_RAISED, seconds)
        self._tell_slow(seconds)

    def _tell_slow(self, seconds: float) -> None:
        limit = self._site.options.slower_than
        if limit is not None and seconds > limit:
            attributes = {**self._site.attributes, semconv.CODE_DURATION: round(seconds, 6)}
            body = f"slow: {self._site.name} {took(seconds)}"
            say(self._site.gate, WARNING, body, attributes, semconv.EVENT_CODE_SLOW)

    def _say(self, sentence: str, event_name: str, seconds: float | None = None) -> None:
        attributes = dict(self._site.attributes)
        if seconds is not None:
            attributes[semconv.CODE_DURATION] = round(seconds, 6)
        indent = "  " * min(self._depth, DEEPEST)
        say(self._site.gate, self._level, indent + sentence, attributes, event_name)

    def _end(self, error: BaseException | None) -> None:
        try:
            # A context that the program has attached for later calls is to stay.
            if self._attached is not None and _runtime.get_current() is self._context:
                self._detach()
            else:
                self._come_back()
            if error is not None and not self._site.by_hand:
                self._note(error)
                error = None
            self._close(type(error) if error else None, error, error.__traceback__ if error else None)
        except Exception as failure:
            contained(failure)

    def _note(self, error: BaseException) -> None:
        """An exception of a function that nobody chose may be part of the plan: it fails the span, and is told nowhere else."""
        if isinstance(error, Exception) and not isinstance(error, StopIteration | StopAsyncIteration):
            self._span.set_attribute(semconv.ERROR_TYPE, type(error).__qualname__)
            self._span.set_status(Status(StatusCode.ERROR, f"{type(error).__name__}: {text(error)}"))

    def _go_deeper(self) -> None:
        self._set = _depth.set(self._depth + 1)

    def _come_back(self) -> None:
        token, self._set = self._set, None
        try:
            if token is not None:
                _depth.reset(token)
        except ValueError:  # closed in another context than it ran in, as a task's generators may be
            return


def begin(
    site: Site, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool = False
) -> Call | None:
    """A call of a wrapped function begins; None where it cannot be watched."""
    try:
        told = site.options.args or (site.options.logs and wanted(site.gate, INFO))
        return Call(site, site.arguments(args, kwargs) if told else {}, INFO, steps=steps)
    except Exception as error:
        contained(error)
        return None


def _attributes(site: Site, arguments: Mapping[str, Any]) -> dict[str, Any]:
    thread = threading.current_thread()
    attributes = {**site.attributes, semconv.THREAD_ID: thread.ident, semconv.THREAD_NAME: thread.name}
    if site.options.args:
        attributes.update(site.described(arguments))
    if site.options.stack:
        attributes[semconv.CODE_STACKTRACE] = calls()
    return attributes
