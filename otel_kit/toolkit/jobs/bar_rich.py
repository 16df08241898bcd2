"""The line of a terminal, drawn by rich."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from otel_kit.toolkit.jobs.words import in_rate, in_time, printable

BAR = 28


def rendered(found: Mapping[str, Any], width: int) -> str:
    """One line, with the terminal's codes for colours."""
    console = Console(file=io.StringIO(), force_terminal=True, width=width, legacy_windows=False)
    table = Table.grid(padding=(0, 1))
    for _ in range(6):
        table.add_column(no_wrap=True, overflow="ellipsis")
    total, processed = found["total"], found["processed"]
    share = f"{processed / total:>4.0%}" if total else ""
    counted = f"{processed:,}/{total:,}" if total is not None else f"{processed:,}"
    left = f"{in_time(found['eta_seconds'])} left" if found["eta_seconds"] is not None else ""
    failed = f" {found['failed']:,} failed" if found["failed"] else ""
    table.add_row(
        Text(printable(found["operation"])[:24], style="bold"),
        ProgressBar(total=total, completed=processed, width=BAR, pulse=total is None),
        Text.assemble(f"{share} {counted}", (failed, "red")),
        Text(in_rate(found["rate_per_second"]), style="cyan"),
        Text(left, style="magenta"),
        Text(printable(found["current_item"] or ""), style="dim"),
    )
    console.print(table, end="")
    return str(console.file.getvalue()).partition("\n")[0].rstrip()  # type: ignore[attr-defined]
