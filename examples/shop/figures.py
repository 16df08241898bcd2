"""What the services emitted, as their own telemetry counted it: the table and the report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

COLUMNS = {"traces": "spans", "logs": "log records", "metrics": "metric points"}


class Figures:
    """The figures of one service.

    Args:
        service: its name.
        account: what it wrote at its end: its ``requests``, and ``stats`` as ``telemetry.stats()`` gave them.
        complaints: what its telemetry complained about.
    """

    def __init__(self, service: str, account: Mapping[str, Any], complaints: Sequence[str] = ()) -> None:
        stats = {signal: account.get("stats", {}).get(signal, {}) for signal in COLUMNS}
        self.service, self.complaints = service, complaints
        self.requests = int(account.get("requests", 0))
        self.accepted = {signal: int(stats[signal].get("accepted", 0)) for signal in COLUMNS}
        self.delivered = {signal: int(stats[signal].get("delivered", 0)) for signal in COLUMNS}
        self.dropped = {signal: dict(stats[signal].get("dropped", {})) for signal in COLUMNS}
        self.endpoints = {endpoint for signal in COLUMNS for endpoint in stats[signal].get("endpoints", {})}

    def delivery(self) -> str:
        """To where, and how much of it, in words."""
        if not self.endpoints:
            return "nowhere"
        accepted, delivered = sum(self.accepted.values()), sum(self.delivered.values())
        share = "all" if delivered == accepted else f"{delivered:,} of {accepted:,}" if delivered else "none"
        return f"{' and '.join(sorted(self.endpoints))}: {share}{self._losses()}"

    def _losses(self) -> str:
        dropped: Counter[str] = sum((Counter(counts) for counts in self.dropped.values()), Counter())
        told = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in dropped.items())
        return f" ({told})" if told else ""

    def as_json(self) -> dict[str, Any]:
        """The same for a machine: accepted as plain numbers, delivered and dropped by signal."""
        names = {signal: column.replace(" ", "_") for signal, column in COLUMNS.items()}
        return {
            **{names[signal]: count for signal, count in self.accepted.items()},
            "delivered": {names[signal]: count for signal, count in self.delivered.items()},
            "dropped": {names[signal]: dropped for signal, dropped in self.dropped.items()},
        }


def table(services: Sequence[Figures]) -> str:
    """One line per service: what it emitted, and whether that was delivered."""
    rows = [["", "requests", *COLUMNS.values(), "delivered to"]]
    for figures in services:
        counts = [f"{figures.accepted[signal]:,}" for signal in COLUMNS]
        rows.append([figures.service, f"{figures.requests:,}", *counts, figures.delivery()])
    first, *widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join(
        "   ".join([name.ljust(first), *map(str.rjust, counts, widths), delivery]).rstrip()
        for name, *counts, delivery in rows
    )
