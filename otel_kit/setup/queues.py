"""The queues of the process: one for each signal and endpoint, kept when the settings change elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from otel_kit import _guard
from otel_kit.export.batch import Batcher, flush_all
from otel_kit.export.grace import Grace
from otel_kit.export.ledger import Ledger, add_up
from otel_kit.export.logs import is_spared
from otel_kit.export.metrics import MOST_POINTS, pack, points_of
from otel_kit.export.otlp import OtlpSender, address_of
from otel_kit.export.outage import Outage
from otel_kit.export.outcome import QUEUE_FULL, UNANSWERED
from otel_kit.export.sdk import ExporterSender
from otel_kit.export.size import record_size, span_size
from otel_kit.setup.config import Settings
from otel_kit.setup.table import BY_NAME

if TYPE_CHECKING:
    from otel_kit.export.outcome import Sender

SIGNALS = ("traces", "metrics", "logs")
# A collection is handed over at once; this is for the rest of it to come.
METRICS_DELAY = 0.2
CONSOLE_TIMEOUT = 10.0
FILES_TIMEOUT = 10.0
FILES_DELAY = 0.1  # what a kill may cost
LONGEST_WAIT = 24 * 3600.0
# Metrics wait in the instruments when their queue is full.
ROOM = {signal: BY_NAME[f"{signal}_queue_size"].variable for signal in ("traces", "logs")}


ABOUT_ITEMS: dict[str, Any] = {
    "traces": {"size": span_size},
    "metrics": {"weigh": points_of},
    "logs": {"size": record_size, "spare": is_spared},
}


class Place(NamedTuple):
    """Where a queue leads.

    Attributes:
        signal: traces, metrics or logs.
        address: for the books: scheme, host and port, or the sender's name.
        key: tells two queues apart; equal keys are one queue.
        make_sender: gives the far side.
        timeout: of one request, in seconds.
        delay: how long an item waits for company, in seconds; None for what the settings say.
        advice: what helps where nothing can be delivered.
    """

    signal: str
    address: str
    key: Any
    make_sender: Callable[[], Sender]
    timeout: float
    delay: float | None = None
    advice: str = ""


class Queues:
    """All queues that there are, and the books of all that there were."""

    def __init__(self, started: Callable[[], object]) -> None:
        self._started = started
        # By signal, address and a number: two queues to one address must not settle each other's items.
        self._ledgers: dict[tuple[str, str, int], Ledger] = {}
        self._outages: dict[str, Outage] = {}
        self._open: dict[Any, Batcher[Any]] = {}
        self._retired: list[Batcher[Any]] = []

    def use(self, places: Sequence[Place], settings: Settings) -> dict[str, list[Batcher[Any]]]:
        """The queues to these places, by signal. Those to other places deliver what they hold, and end."""
        by_signal: dict[str, list[Batcher[Any]]] = {signal: [] for signal in SIGNALS}
        chosen: dict[Any, Batcher[Any]] = {}
        for place in places:
            key = (place.key, self._sizes(place.signal, settings))
            kept = self._open.pop(key) if key in self._open else None
            chosen[key] = kept or self._made(place, settings, chosen.values())
            by_signal[place.signal].append(chosen[key])
        for batcher in self._open.values():
            batcher.retire()
            self._retired.append(batcher)
        self._retired = [batcher for batcher in self._retired if batcher.busy]
        self._open = chosen
        return by_signal

    def _made(self, place: Place, settings: Settings, others: Iterable[Batcher[Any]]) -> Batcher[Any]:
        size, capacity, delay = self._sizes(place.signal, settings)
        return Batcher(
            place.signal,
            place.make_sender(),
            self._ledger(place, [*self.every(), *others]),
            self._outages.setdefault(place.address, Outage(place.address, place.advice)),
            capacity=int(capacity),
            batch_size=int(size),
            delay=delay if place.delay is None else place.delay,
            timeout=place.timeout,
            **ABOUT_ITEMS[place.signal],
            remedy=ROOM.get(place.signal, ""),
            started=self._started,
        )

    def _ledger(self, place: Place, batchers: Iterable[Batcher[Any]]) -> Ledger:
        """Books that no queue writes into any more, or new ones."""
        used = {id(batcher.ledger) for batcher in batchers}
        keys = ((place.signal, place.address, number) for number in count())
        ledgers = (self._ledgers.setdefault(key, Ledger()) for key in keys)
        return next(each for each in ledgers if id(each) not in used and not each.waiting)

    @staticmethod
    def _sizes(signal: str, settings: Settings) -> tuple[float, float, float]:
        if signal == "metrics":
            return (MOST_POINTS, 5 * MOST_POINTS, METRICS_DELAY)
        names = ("batch_size", "queue_size", "batch_delay")
        size, capacity, delay = (getattr(settings, f"{signal}_{name}") for name in names)
        return (size, capacity, delay)

    def every(self) -> list[Batcher[Any]]:
        """All queues that may hold something."""
        return [*self._open.values(), *self._retired]

    def flush(self, deadline: float) -> bool:
        """Flush all queues at the same time."""
        return flush_all(self.every(), deadline)

    def refuse_more(self) -> None:
        """From now on count what is emitted as too late."""
        for batcher in self.every():
            batcher.refuse_more()

    def insist(self) -> None:
        """Let the next flush ignore what receivers asked for."""
        for batcher in self.every():
            batcher.insist()

    def linger(self, seconds: float) -> None:
        """Drop what still waits, and deliver what exit handlers emit yet, in ``seconds`` for all of it."""
        grace = Grace(seconds)
        for batcher in self.every():
            batcher.linger(grace)

    def close(self) -> None:
        """Drop what still waits."""
        for batcher in self.every():
            batcher.abandon()
        self._open.clear()
        self._retired.clear()

    def is_free(self, patience: float) -> bool:
        """Whether no thread, the calling one included, keeps a lock of ours for longer than ``patience`` seconds."""
        return all(ledger.is_free(patience) for ledger in self._ledgers.values())

    def renew(self) -> None:
        """In a forked child: empty queues and empty books."""
        for outage in self._outages.values():
            outage.renew()
        for ledger in self._ledgers.values():
            ledger.renew()
        for batcher in self.every():
            batcher.renew()

    def stats(self, signal: str) -> dict[str, Any]:
        """The books of a signal: in all, and by endpoint."""
        endpoints = {
            address: figures for (name, address), figures in self._figures().items() if name == signal
        }
        return {**add_up(endpoints.values()), "endpoints": endpoints}

    def _figures(self) -> dict[tuple[str, str], dict[str, Any]]:
        """The books by signal and address."""
        readings: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for (signal, address, _), ledger in list(self._ledgers.items()):
            readings.setdefault((signal, address), []).append(ledger.snapshot())
        return {place: add_up(found) for place, found in readings.items()}

    def report_losses(self) -> None:
        """One line on stderr where something was not delivered; for the exit."""
        parts, room = [], set()
        for (signal, address), figures in self._figures().items():
            missing = {
                **figures["dropped"],
                **({UNANSWERED: figures["waiting"]} if figures["waiting"] else {}),
            }
            if missing:
                reasons = ", ".join(f"{count} {reason}" for reason, count in missing.items())
                parts.append(f"{signal} to {address}: {reasons} of {figures['accepted']}")
            if QUEUE_FULL in missing and signal in ROOM:
                room.add(ROOM[signal])
        if parts:
            advice = f"; more room: {' and '.join(sorted(room))}" if room else ""
            _guard.say(f"not delivered at exit: {'; '.join(parts)}{advice}")


def otlp_places(settings: Settings, cleaners: dict[str, Callable[[Any], Any]]) -> list[Place]:
    """One place for each signal that is exported by OTLP, and each of its endpoints."""
    return [
        _otlp_place(target, cleaners[signal])
        for signal in SIGNALS
        if "otlp" in getattr(settings, f"{signal}_exporter")
        for target in settings.targets(signal)  # type: ignore[arg-type]
    ]


def _otlp_place(target: Any, clean: Callable[[Any], Any]) -> Place:
    is_metrics = target.signal == "metrics"
    key = (*target._replace(headers=tuple(sorted(target.headers.items()))),)
    return Place(
        target.signal,
        address_of(target.url),
        key,
        lambda: OtlpSender(target, clean, points_of if is_metrics else _one, pack if is_metrics else _all),
        target.timeout,
    )


def console_places(settings: Settings, cleaners: dict[str, Callable[[Any], Any]]) -> list[Place]:
    """One place for spans, and one for metrics, where the console is asked for; log records are shown at once."""
    style = "auto" if settings.console == "off" else settings.console
    found = []
    for signal, module, name in (
        ("traces", "otel_kit.export.console.spans", "ConsoleSpanExporter"),
        ("metrics", "otel_kit.export.console.metrics", "ConsoleMetricExporter"),
    ):
        if "console" in getattr(settings, f"{signal}_exporter"):
            sender = _console_sender(module, name, style, cleaners[signal], signal == "metrics")
            found.append(Place(signal, "console", (signal, "console", style), sender, CONSOLE_TIMEOUT))
    return found


def _console_sender(
    module: str, name: str, style: str, clean: Callable[[Any], Any], is_metrics: bool
) -> Callable[[], Sender]:
    def make() -> Any:
        return getattr(import_module(module), name)(style)

    weigh = points_of if is_metrics else _one
    return lambda: ExporterSender(make, clean, pack if is_metrics else _all, weigh)


def file_places(settings: Settings) -> list[Place]:
    """One place for the log files, where they are asked for."""
    if settings.files is None:
        return []
    rows = [
        getattr(settings, f"files_{name}") for name in ("layout", "max_size", "keep", "max_age", "total_size")
    ]
    own = tuple((name, tuple(found)) for name, found in settings.files_categories.items())
    key = ("files", settings.files, *rows, settings.files_compress, own)
    advice = "See whether the directory can be written and the disk has room"
    return [
        Place("logs", settings.files, key, lambda: _file_sender(settings), FILES_TIMEOUT, FILES_DELAY, advice)
    ]


def _file_sender(settings: Settings) -> Sender:
    files = import_module("otel_kit.export.files.sender")
    layouts = import_module("otel_kit.export.files.layout")
    keeping = import_module("otel_kit.export.files.archive").Keeping(
        settings.files_keep, settings.files_max_age, settings.files_total_size, settings.files_compress
    )
    layout = layouts.layout_of(settings.files_layout, settings.files_categories)
    sender: Sender = files.FileSender(settings.files, layout, settings.files_max_size, keeping)
    return sender


def _one(_: object) -> int:
    return 1


def _all(items: Sequence[Any]) -> Sequence[Any]:
    return items


def seconds_from_now(seconds: float) -> float:
    """A deadline, a day away at most: locks refuse to wait for years."""
    return time.monotonic() + float(min(max(0.0, seconds), LONGEST_WAIT))
