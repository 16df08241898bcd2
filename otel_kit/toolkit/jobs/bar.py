"""A batch's progress as a line of text, for a terminal and for a log."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from otel_kit.toolkit.jobs.page import bar
from otel_kit.toolkit.jobs.words import in_rate, in_time, printable

Progress = Mapping[str, Any]
LONGEST_NAME = 24
BAR = 24


def line(found: Progress) -> str:
    """For a log: ``leads 120 of 500 (24%), 2.1/s, 3 failed, 3 min 01 s left``."""
    total = found["total"]
    parts = [f"{found['operation']} {found['processed']:,}"]
    if total is not None:
        parts[0] += f" of {total:,} ({found['percentage']:.0f}%)"
    parts.append(in_rate(found["rate_per_second"]))
    if found["failed"]:
        parts.append(f"{found['failed']:,} failed")
    if found["eta_seconds"] is not None and found["status"] == "running":
        parts.append(f"{in_time(found['eta_seconds'])} left")
    if found["status"] != "running":
        parts.append(f"{found['status']} after {in_time(found['elapsed_seconds'])}")
    return printable(", ".join(parts))


def plain_line(found: Progress, width: int) -> str:
    """For a terminal, without colours."""
    total = found["total"]
    name = printable(found["operation"])[: min(LONGEST_NAME, max(8, width // 3))]
    if total:
        share = found["processed"] / total
        drawn = bar(share, max(5, min(BAR, width - 50)))  # figures say more than a long bar
        head = f"{name} {drawn.replace(' ', '░')} {share:>4.0%} {found['processed']:,}/{total:,}"
    else:
        head = f"{name} {found['processed']:,}"
    tail = [in_rate(found["rate_per_second"])]
    if found["failed"]:
        tail.append(f"{found['failed']:,} failed")
    if found["eta_seconds"] is not None:
        tail.append(f"{in_time(found['eta_seconds'])} left")
    if found["current_item"]:
        tail.append(printable(found["current_item"]))
    return f"{head} {'  '.join(tail)}"[:width]


def drawing() -> Callable[[Progress, int], str]:
    """What draws the line: with rich where it is installed."""
    try:
        rendered: Callable[[Progress, int], str] = import_module("otel_kit.toolkit.jobs.bar_rich").rendered
    except ImportError:
        return plain_line
    return rendered
