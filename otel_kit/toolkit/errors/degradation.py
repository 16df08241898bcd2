"""What works worse than it should at the moment, and why."""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections.abc import Iterable
from types import FrameType, TracebackType
from typing import Any, Self

from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation

from otel_kit import _guard, semconv
from otel_kit.context.parts import part
from otel_kit.errors import ArgumentError
from otel_kit.signals import get_meter
from otel_kit.signals.logs import levels, record
from otel_kit.signals.logs.caller import caller, code_attributes, module
from otel_kit.toolkit.errors._figures import SCOPE, counter

WHERE = "errors.degraded"
MOST = 100  # names that the gauge shows
LONGEST_NAME, LONGEST_REASON = 200, 1000
_STANDING = 0  # who holds it that is no block

_part = part("errors")


class _State:
    """One thing, by its name."""

    __slots__ = ("holders", "reason", "since")

    def __init__(self) -> None:
        self.holders: set[int] = set()
        self.reason, self.since = "", 0.0


class _States:
    # Reentrant: a signal's handler may tell of one thing while another is being told.
    lock = threading.RLock()
    by_name: dict[str, _State]
    observed: Any = None  # the provider whose gauge looks at them


_States.by_name = {}


class Degradation:
    """What :func:`degraded` returns: as a context manager it recovers at the end of the block.

    Args:
        name: of what is degraded; empty while this part is off.
        reason: why.
    """

    __slots__ = ("_name", "_reason", "_stands")

    def __init__(self, name: str, reason: str) -> None:
        self._name, self._reason, self._stands = name, reason, False

    def __enter__(self) -> Self:
        self._hold(id(self))
        if self._stands:
            self._release(_STANDING)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._release(id(self))

    def recovered(self) -> None:
        """It works again."""
        self._release(id(self), _STANDING)

    def _stand(self) -> None:
        self._stands = self._hold(_STANDING)

    def _hold(self, holder: int) -> bool:
        """Whether nobody of that kind held it before."""
        if not self._name:
            return False
        with _States.lock:
            state = _States.by_name.get(self._name)
            if state is None:
                if len(_States.by_name) >= MOST:
                    _forget()
                state = _States.by_name[self._name] = _State()
            begins, is_new = not state.holders, holder not in state.holders
            state.holders.add(holder)
            state.reason = self._reason
            if begins:
                state.since = time.monotonic()
        if begins:
            _safely(_tell_begin, self._name, self._reason, caller(sys._getframe(1)))
        return is_new

    def _release(self, *holders: int) -> None:
        state = _States.by_name.get(self._name)
        if state is None:
            return
        with _States.lock:
            held = bool(state.holders)
            state.holders.difference_update(holders)
            ends = held and not state.holders
        if ends:
            _safely(_tell_end, self._name, state, caller(sys._getframe(1)))


def degraded(name: str, reason: str) -> Degradation:
    """Tell that something works worse than it should from now on, until it has :func:`recovered`.

    ``with degraded("search", "index is being built"):`` recovers at the end of the block; several blocks, and calls
    without a block, may hold at the same time. Told again meanwhile, it changes the reason only.

    Emits at the begin and at the end an event of the current span and a log record (``otel_kit.degraded`` as WARNING,
    ``otel_kit.recovered`` as INFO), the counter ``otel_kit.degradations``, and as long as the process lasts the gauge
    ``otel_kit.degraded``: 1 while it is, 0 after.

    Args:
        name: of what is degraded. It is an attribute of a metric: no ids in it.
        reason: why, in a few words.

    Raises:
        ArgumentError: one of these is no text.
    """
    if not _part.on:
        return _NOTHING
    if not isinstance(name, str) or not name:
        raise ArgumentError("degraded(name)", name, "a text")
    if not isinstance(reason, str):
        raise ArgumentError("degraded(reason)", reason, "a text")
    held = Degradation(name[:LONGEST_NAME], reason[:LONGEST_REASON])
    held._stand()
    return held


def recovered(name: str) -> None:
    """Tell that something works as it should again, whoever told that it did not.

    Args:
        name: as given to :func:`degraded`; nothing happens where it is not degraded.
    """
    state = _States.by_name.get(name[:LONGEST_NAME]) if isinstance(name, str) else None
    if state is not None:
        Degradation(name[:LONGEST_NAME], "")._release(*tuple(state.holders))


_NOTHING = Degradation("", "")


def _forget() -> None:
    """Make room: what has recovered is forgotten, else what has been degraded for longest."""
    over = [name for name, state in _States.by_name.items() if not state.holders]
    for name in over or [min(_States.by_name, key=lambda name: _States.by_name[name].since)]:
        del _States.by_name[name]


def _tell_begin(name: str, reason: str, frame: FrameType) -> None:
    _observe()
    attributes = {semconv.DEGRADED_NAME: name}
    counter(semconv.METRIC_DEGRADATIONS, "{degradation}", "How often something began to work worse.").add(
        1, attributes
    )
    facts = {**attributes, semconv.DEGRADED_REASON: reason}
    _say(frame, logging.WARNING, f"degraded: {name}: {reason}", semconv.EVENT_DEGRADED, facts)


def _tell_end(name: str, state: _State, frame: FrameType) -> None:
    seconds = time.monotonic() - state.since
    facts = {
        semconv.DEGRADED_NAME: name,
        semconv.DEGRADED_REASON: state.reason,
        semconv.DEGRADED_DURATION: seconds,
    }
    _say(frame, logging.INFO, f"recovered: {name} after {_in_words(seconds)}", semconv.EVENT_RECOVERED, facts)


def _say(frame: FrameType, level: int, body: str, event_name: str, facts: dict[str, Any]) -> None:
    trace.get_current_span().add_event(event_name, facts)
    scope = module(frame)
    if record.state.active and levels.threshold(scope) <= level:
        attributes = {**code_attributes(frame), **facts}
        record.guarded(WHERE, _emit, scope, level, body, attributes, event_name, later=True)


def _emit(scope: str, level: int, body: str, attributes: dict[str, Any], event_name: str) -> None:
    record.emit(scope, level, body, attributes, event_name=event_name, counts=False)


def _safely(step: Any, *arguments: Any) -> None:
    if not _part.on:
        return
    try:
        step(*arguments)
    except Exception as error:
        _guard.contained(WHERE, error)


def _observe() -> None:
    provider = metrics.get_meter_provider()
    if provider is not _States.observed:
        _States.observed = provider
        get_meter(SCOPE).create_observable_gauge(
            semconv.METRIC_DEGRADED,
            [_look],
            "1",
            "What works worse than it should: 1 while it does, 0 after.",
        )


def _look(_: CallbackOptions) -> Iterable[Observation]:
    return [
        Observation(int(bool(state.holders)), {semconv.DEGRADED_NAME: name})
        for name, state in list(_States.by_name.items())
    ]


def _renew() -> None:
    _States.lock = threading.RLock()  # another thread may have held it when the process was forked


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew)


def _in_words(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.1f} s"
    return f"{seconds * 1000:.3g} ms" if seconds >= 0.0009995 else f"{seconds * 1e6:.3g} µs"
