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
        stats: what ``telemetry.stats()`` said at its end: per signal accepted, delivered, waiting, dropped by reason.
    """

    def __init__(self, service: str, stats: Mapping[str, Any]) -> None:
        self.service = service
        self.accepted = {signal: int(stats.get(signal, {}).get("accepted", 0)) for signal in COLUMNS}
        self.delivered = {signal: int(stats.get(signal, {}).get("delivered", 0)) for signal in COLUMNS}
        self.dropped = {signal: dict(stats.get(signal, {}).get("dropped", {})) for signal in COLUMNS}

    def delivery(self) -> str:
        """Delivered or not, in words."""
        accepted, delivered = sum(self.accepted.values()), sum(self.delivered.values())
        if accepted and delivered == accepted:
            return "all"
        reasons: Counter[str] = sum((Counter(dropped) for dropped in self.dropped.values()), Counter())
        why = ", ".join(f"{count:,} {reason.replace('_', ' ')}" for reason, count in reasons.items())
        what = f"{delivered:,} of {accepted:,}" if delivered else "nothing"
        return f"{what} ({why})" if why else what

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
    rows = [["", *COLUMNS.values(), "delivered"]]
    for figures in services:
        counts = [f"{figures.accepted[signal]:,}" for signal in COLUMNS]
        rows.append([figures.service, *counts, figures.delivery()])
    first, *widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
    return "\n".join(
        "   ".join([name.ljust(first), *map(str.rjust, counts, widths), delivery]).rstrip()
        for name, *counts, delivery in rows
    )
