"""Tells the operator about an endpoint that does not take what it is sent: once per outage, not once per batch."""

from __future__ import annotations

import re
import threading
import time

from otel_kit import _guard
from otel_kit.export.ledger import Ledger

REPEAT_SECONDS = 60.0
REFUSED = "connection refused"
START_ONE = "Start a collector there (docker compose up -d, or make stack) or set OTEL_EXPORTER_OTLP_ENDPOINT"
CHECK = "Check the collector and OTEL_EXPORTER_OTLP_ENDPOINT"
UNAFFECTED = "the program is not affected"
LOCAL = re.compile(r"(.*://)?(localhost|127\.[\d.]+|\[::1\])(:\d+)?")


class Outage:
    """What is known about one address, shared by the signals that go there.

    Args:
        address: scheme, host and port, without credentials, as it may be shown; or a directory.
        advice: what helps where nothing can be delivered.
    """

    def __init__(self, address: str, advice: str = "") -> None:
        self.address, self._hint = address, advice
        self.renew()

    def renew(self) -> None:
        """Forget everything, under a new lock (a forked child)."""
        self._lock = threading.Lock()
        self._down_since: float | None = None
        self._said_at = self._complained_at = float("-inf")

    def failed(self, trouble: str, ledger: Ledger) -> None:
        """An attempt found no taker, and will be repeated."""
        now = time.monotonic()
        with self._lock:
            first = self._down_since is None
            if first:
                self._down_since = now
            due = now - self._said_at >= REPEAT_SECONDS or (first and self._said_at == float("-inf"))
            if due:
                self._said_at = now
        if due:
            self._say_down(first, trouble, ledger)

    def _say_down(self, first: bool, trouble: str, ledger: Ledger) -> None:
        if first:
            _guard.say(
                f"cannot deliver to {self.address}: {trouble}; keeping what fits and trying again. "
                f"{self._advice(trouble)}; {UNAFFECTED}."
            )
        else:
            figures = ledger.snapshot()
            lost = sum(figures["dropped"].values())
            _guard.say(
                f"still cannot deliver to {self.address}: {trouble}; {figures['waiting']} waiting, {lost} dropped"
            )

    def _advice(self, trouble: str) -> str:
        if self._hint:
            return self._hint
        return START_ONE if trouble == REFUSED and LOCAL.fullmatch(self.address) else CHECK

    def answered(self, trouble: str, ledger: Ledger, *, took_some: bool = True) -> None:
        """An attempt got its answer; ``trouble`` says what was wrong with it, if anything."""
        if self._down_since is None and not trouble:
            return
        now = time.monotonic()
        with self._lock:
            down, self._down_since = self._down_since, None
            complain = bool(trouble) and now - self._complained_at >= REPEAT_SECONDS
            if complain:
                self._complained_at = now
            recovered = down is not None and not trouble
            if recovered:
                self._said_at = float("-inf")
        if recovered and down is not None:
            lost = sum(ledger.snapshot()["dropped"].values())
            _guard.say(
                f"delivering to {self.address} again after {now - down:.0f} s; {lost} dropped meanwhile"
            )
        if complain:
            verdict = "did not take everything" if took_some else "took nothing of what it was sent"
            _guard.say(f"{self.address} {verdict}: {trouble}")
