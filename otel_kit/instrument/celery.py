"""Celery: a span where a task is sent and one where it runs, in the same trace and with the same ids.

By Celery's own signals, and a hook of ours on ``Celery.send_task``, whose failure no signal tells. Trace and ids travel in
the message's headers, under the W3C's names: workers with other instrumentations understand them, too. An exception of a
task is an event of its span; its log record is Celery's own.
"""

from __future__ import annotations

import threading
from functools import wraps
from importlib import import_module
from time import perf_counter
from typing import Any

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind, StatusCode

from otel_kit import _guard, semconv
from otel_kit.context import bind, current_context
from otel_kit.instrument._instruments import Instruments

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
IDS_HEADER = "otel_kit_ids"
_STATE = "_otel_kit_run"
_SUPPRESSED = (otel_context._SUPPRESS_INSTRUMENTATION_KEY, "suppress_instrumentation")

_lock = threading.Lock()
_originals: list[tuple[Any, str, Any]] = []
_emitted = Instruments("otel_kit.celery")


def instrument() -> None:
    """Turn it on; nothing happens where it is on already."""
    celery_class, signals = import_module("celery.app.base").Celery, import_module("celery.signals")
    with _lock:
        if _originals:
            return
        original = celery_class.send_task
        _originals.append((celery_class, "send_task", original))
        celery_class.send_task = wraps(original)(_sending(original))
        for name, receiver in _RECEIVERS.items():
            # Without weak references: the receivers live as long as this module, whatever the signal believes.
            getattr(signals, name).connect(receiver, weak=False, dispatch_uid=f"otel_kit.{name}")


def undo() -> None:
    """Turn it off again; tasks that run just now end their spans."""
    signals = import_module("celery.signals")
    with _lock:
        if not _originals:
            return
        for owner, name, original in _originals:
            setattr(owner, name, original)
        _originals.clear()
        for name in _RECEIVERS.keys() - {"task_postrun"}:
            getattr(signals, name).disconnect(dispatch_uid=f"otel_kit.{name}")


def _sending(original: Any) -> Any:
    def send_task(app: Any, name: str, *args: Any, **kwargs: Any) -> Any:
        context = otel_context.get_current()
        if any(context.get(key) for key in _SUPPRESSED):
            return original(app, name, *args, **kwargs)
        span = _emitted.tracer().start_span(
            f"publish {name}", kind=SpanKind.PRODUCER, attributes=_facts("publish", "send", name)
        )
        # What fails here raises in the program, which deals with it or not: an event, and no log record.
        with trace.use_span(span, end_on_exit=True, record_exception=False, set_status_on_exception=False):
            try:
                return original(app, name, *args, **kwargs)
            except Exception as error:
                _failed(span, error)
                raise

    return send_task


def _before_publish(headers: Any = None, routing_key: Any = None, **_: Any) -> None:
    try:
        if not isinstance(headers, dict):
            return
        propagate.inject(headers)
        found = current_context()
        if found:
            headers[IDS_HEADER] = found
        span = trace.get_current_span()
        span.set_attribute(semconv.MESSAGING_MESSAGE_ID, str(headers.get("id", "")))
        if routing_key:
            span.set_attribute(semconv.MESSAGING_DESTINATION_NAME, str(routing_key))
    except Exception as error:
        _guard.contained("instrument.celery", error)


class _Run:
    """One run of a task, in its own span and with the ids of whoever sent it."""

    __slots__ = ("_begun", "_counted", "_ids", "_token", "span")

    def __init__(self, task: Any, task_id: str) -> None:
        request = task.request
        headers = {name: request.get(name) for name in propagate.get_global_textmap().fields}
        headers = {name: value for name, value in headers.items() if isinstance(value, str)}
        # A task that runs at once where it is called has no message: it belongs to its caller.
        parent = propagate.extract(headers) if headers else otel_context.get_current()
        self._counted = _facts("process", "process", task.name)
        given = {**self._counted, semconv.MESSAGING_MESSAGE_ID: task_id}
        delivery = request.get("delivery_info") or {}
        if queue := delivery.get("routing_key"):
            given[semconv.MESSAGING_DESTINATION_NAME] = str(queue)
        if request.get("retries"):
            given[semconv.TASK_RETRIES] = request.get("retries")
        self._ids = bind(**_ids(request.get(IDS_HEADER)))
        self._ids.__enter__()
        try:
            self.span = _emitted.tracer().start_span(
                f"process {task.name}", context=parent, kind=SpanKind.CONSUMER, attributes=given
            )
        except Exception:
            self._ids.__exit__(None, None, None)
            raise
        self._token = otel_context.attach(trace.set_span_in_context(self.span, parent))
        self._begun = perf_counter()

    def failed(self, error: BaseException) -> None:
        """The task raised."""
        self._counted[semconv.ERROR_TYPE] = _failed(self.span, error)

    def over(self, state: str) -> None:
        """The task has ended, in one of Celery's states."""
        self.span.set_attribute(semconv.TASK_STATE, state)
        duration = _emitted.histogram(
            semconv.METRIC_MESSAGING_PROCESS_DURATION, "Duration of processing a message.", SECONDS
        )
        duration.record(perf_counter() - self._begun, self._counted)
        self.span.end()
        otel_context.detach(self._token)
        self._ids.__exit__(None, None, None)


def _prerun(task_id: str = "", task: Any = None, **_: Any) -> None:
    try:
        setattr(task.request, _STATE, _Run(task, task_id))
    except Exception as error:
        _guard.contained("instrument.celery", error)


def _postrun(task: Any = None, state: str | None = None, **_: Any) -> None:
    try:
        run = _run_of(task.request)
        if run is not None:
            delattr(task.request, _STATE)
            run.over(state or "")
    except Exception as error:
        _guard.contained("instrument.celery", error)


def _failure(sender: Any = None, exception: Any = None, **_: Any) -> None:
    try:
        run = _run_of(getattr(sender, "request", None))
        if run is not None and isinstance(exception, BaseException):
            run.failed(exception)
    except Exception as error:
        _guard.contained("instrument.celery", error)


def _retry(request: Any = None, reason: Any = None, **_: Any) -> None:
    try:
        run = _run_of(request)
        if run is not None:
            cause = getattr(reason, "exc", None) or reason
            kind = _type_name(cause) if isinstance(cause, BaseException) else str(cause)
            run.span.add_event(semconv.EVENT_TASK_RETRY, {semconv.ERROR_TYPE: kind})
    except Exception as error:
        _guard.contained("instrument.celery", error)


_RECEIVERS = {
    "before_task_publish": _before_publish,
    "task_prerun": _prerun,
    "task_postrun": _postrun,
    "task_failure": _failure,
    "task_retry": _retry,
}


def _run_of(request: Any) -> _Run | None:
    run = getattr(request, _STATE, None)
    return run if isinstance(run, _Run) else None


def _facts(name: str, kind: str, task: str) -> dict[str, Any]:
    return {
        semconv.MESSAGING_SYSTEM: "celery",
        semconv.MESSAGING_OPERATION_NAME: name,
        semconv.MESSAGING_OPERATION_TYPE: kind,
        semconv.TASK_NAME: task,
    }


def _ids(found: Any) -> dict[str, Any]:
    """What came with a message is not trusted further than its form."""
    return {str(name): value for name, value in found.items()} if isinstance(found, dict) else {}


def _failed(span: trace.Span, error: BaseException) -> str:
    kind = _type_name(error)
    try:
        message = str(error)
    except Exception:
        message = ""
    span.set_attribute(semconv.ERROR_TYPE, kind)
    span.add_event(
        semconv.EVENT_EXCEPTION, {semconv.EXCEPTION_TYPE: kind, semconv.EXCEPTION_MESSAGE: message}
    )
    span.set_status(StatusCode.ERROR, f"{type(error).__name__}: {message}")
    return kind


def _type_name(error: BaseException) -> str:
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
