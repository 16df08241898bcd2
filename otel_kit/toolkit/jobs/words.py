"""Figures as people read them."""

from __future__ import annotations


def in_time(seconds: float | None) -> str:
    """``12 µs``, ``0.42 s``, ``12.3 s``, ``2 min 03 s``, ``3 h 07 min``, ``2 d 04 h``."""
    if seconds is None:
        return "?"
    if seconds < 0.0009995:
        return f"{seconds * 1e6:.3g} µs"
    if seconds < 0.0995:
        return f"{seconds * 1000:.3g} ms"
    if seconds < 59.95:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 86_400:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{whole // 86_400} d {whole % 86_400 // 3600:02d} h"


def in_bytes(count: float | None) -> str:
    """``512 B``, ``3.4 MB``."""
    if count is None:
        return "?"
    for unit in ("B", "kB", "MB", "GB"):
        if abs(count) < 999.5 or unit == "GB":
            return f"{count:.3g} {unit}" if unit != "B" else f"{count:.0f} B"
        count /= 1000
    return ""


def in_rate(rate: float | None) -> str:
    """``1,234/s``, ``2.5/s``, ``6/min``."""
    if not rate:
        return "-"
    if rate >= 100:
        return f"{rate:,.0f}/s"
    return f"{rate:.3g}/s" if rate >= 0.1 else f"{rate * 60:.3g}/min"


def printable(text: object) -> str:
    """On one line, whatever is in it: a name must not drive the terminal."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in str(text))
