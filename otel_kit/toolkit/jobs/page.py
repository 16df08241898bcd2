"""The summary of a run as a page of text, for people."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import IO, Any

from otel_kit.toolkit.jobs.resources import used
from otel_kit.toolkit.jobs.words import in_bytes, in_rate, in_time, printable

WIDTH = 78
BAR = 20
MOST_STAGES = 15
MOST_LINES = 5

_COLORS = {"finished": "32", "failed": "31", "died": "31", "stopped": "33", "interrupted": "33"}
_BLOCKS = " ▏▎▍▌▋▊▉█"


class Paint:
    """Colours, where they are wanted."""

    def __init__(self, *, on: bool) -> None:
        self.on = on

    def __call__(self, code: str, text: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.on and code else text


def paint_for(stream: IO[str] | None) -> Paint:
    """In colours on a terminal that can, and where ``NO_COLOR`` does not forbid it."""
    try:
        on = bool(stream and stream.isatty()) and not os.environ.get("NO_COLOR")
    except ValueError:  # closed
        on = False
    return Paint(on=on and os.environ.get("TERM") != "dumb")


def page(summary: Mapping[str, Any], paint: Paint, path: str = "") -> str:
    """The whole page.

    Args:
        summary: as it is in ``summary.json``.
        paint: the colours.
        path: of the file.
    """
    lines = [_title(summary, paint)]
    for label, part in _PARTS:
        shown = label
        for line in part(summary, paint):
            lines.append(f"  {paint('2', f'{shown:<10}')} {line}")
            shown = ""
    if path:
        lines.append(f"  {paint('2', 'summary   ')} {_short(path)}")
    return "\n".join(lines)


def _short(path: str) -> str:
    try:
        near = os.path.relpath(path)
    except (OSError, ValueError):
        return printable(path)
    return printable(path if near.startswith("..") else near)


def _title(summary: Mapping[str, Any], paint: Paint) -> str:
    outcome = str(summary["outcome"])
    name = printable(summary["name"])
    said = (
        f"{outcome} {'after' if outcome != 'finished' else 'in'} {in_time(summary.get('duration_seconds'))}"
    )
    rule = "─" * max(3, WIDTH - len(name) - len(said) - 8)
    return f"── {paint('1', name)} {paint('2', rule)} {paint(_COLORS.get(outcome, ''), said)} ──"


def _error(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    error = summary.get("error")
    if error:
        place = f"  {paint('2', _short_place(error.get('place')))}" if error.get("place") else ""
        yield f"{paint('31', printable(error['type']))}: {printable(error['message'])}{place}"
    if summary.get("exit_status"):
        yield f"exit status {summary['exit_status']}"


def _short_place(place: str) -> str:
    path, _, line = place.rpartition(":")
    return f"{_short(path)}:{line}" if path else place


def _run(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    tags = " ".join(f"{printable(k)}={printable(v)}" for k, v in (summary.get("tags") or {}).items())
    yield f"{summary['id']}  {paint('2', str(summary['started'])[:19])}  {tags}".rstrip()
    if summary.get("command"):
        yield printable(" ".join(summary["command"]))[:100]


def _stages(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    stages = summary.get("stages") or []
    most = max((each["seconds"] for each in stages), default=0.0)
    names = [f"{'  ' * each['depth']}{printable(each['name'])}"[:32] for each in stages]
    width = max(map(len, names[:MOST_STAGES]), default=0)
    for name, each in list(zip(names, stages, strict=True))[:MOST_STAGES]:
        rows = f"{each['rows']:>10,} rows {in_rate(each['rows_per_second']):>9}" if each["rows"] else " " * 25
        failed = paint("31", f" {each['failed']} failed") if each["failed"] else ""
        times = f" {each['times']}×" if each["times"] > 1 else ""
        yield (
            f"{name:<{width}} {in_time(each['seconds']):>11} "
            f"{paint('36', bar(each['seconds'] / most if most else 0, BAR))} {rows}{times}{failed}"
        ).rstrip()
    if len(stages) > MOST_STAGES:
        yield f"… and {len(stages) - MOST_STAGES} more"


def bar(share: float, width: int) -> str:
    """A bar of so many characters, exact to an eighth of one."""
    eighths = round(max(0.0, min(1.0, share)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (_BLOCKS[rest] if rest else "")).ljust(width)


def _rows(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    if summary.get("rows"):
        yield f"{summary['rows']:,}, {in_rate(summary['rows_per_second'])}"


def _batches(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    for each in (summary.get("batches") or [])[:MOST_LINES]:
        total = "?" if each.get("total") is None else f"{each['total']:,}"
        bad = paint("31", f", {each['failed']:,} failed") if each.get("failed") else ""
        doubt = paint("33", f", {each['in_doubt']:,} in doubt") if each.get("in_doubt") else ""
        skipped = f", {each['skipped']:,} done before" if each.get("skipped") else ""
        yield f"{printable(each['name'])}: {each['processed']:,} of {total}, {each['outcome']}{bad}{doubt}{skipped}"


def _resources(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    peak, cpu, bound = used(summary)
    parts = []
    if peak:
        parts.append(f"peak {f'below {in_bytes(peak)}, the launcher included' if bound else in_bytes(peak)}")
    if cpu:
        seconds = summary.get("duration_seconds") or 0
        parts.append(f"CPU {in_time(cpu)}" + (f" ({cpu / seconds:.0%})" if seconds else ""))
    if parts:
        yield ", ".join(parts)


def _problems(severity: str, color: str) -> Any:
    def lines(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
        found = [each for each in summary.get("problems") or [] if each["severity"] == severity]
        count = summary.get(f"{severity}s") or 0
        if count:
            yield paint(color, f"{count:,}")
        for each in found[:MOST_LINES]:
            kind = f"{printable(each['type'])}: " if each["type"] else ""
            text = f"{kind}{printable(each['message'])}"[:60]
            yield f"{each['count']:>5,}× {text}  {paint('2', _short_place(each['place']))}".rstrip()

    return lines


def _slowest(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    for each in (summary.get("slowest") or [])[:MOST_LINES]:
        yield f"{in_time(each['seconds']):>11} {printable(each['name'])}"


def _checks(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    found = summary.get("checks") or []
    bad = [each for each in found if each["failed"]]
    if found:
        said = f"{len(found) - len(bad)} passed"
        yield said + (paint("31", f", {len(bad)} failed") if bad else "")
    for each in bad[:MOST_LINES]:
        yield f"{each['outcome']} {printable(each['name'])}: {printable(each['value'])}"


def _artifacts(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    for each in (summary.get("artifacts") or [])[:MOST_LINES]:
        size = f"  {in_bytes(each['bytes'])}" if each.get("bytes") is not None else paint("31", "  not there")
        kind = f"{each['kind']}: " if each["kind"] != "artifact" else ""
        yield f"{kind}{_short(each['path'])}{size}"


def _costs(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    found = summary.get("costs") or {}
    if found:
        yield ", ".join(f"{amount:,.2f} {printable(currency)}" for currency, amount in found.items())


def _changes(summary: Mapping[str, Any], paint: Paint) -> Iterator[str]:
    found = summary.get("config_changes") or {}
    for key, (old, new) in list((found.get("changed") or {}).items())[:MOST_LINES]:
        yield f"{printable(key)}: {printable(old)} → {paint('1', printable(new))}"
    for sign, kind in (("+", "added"), ("-", "removed")):
        for key, value in list((found.get(kind) or {}).items())[:MOST_LINES]:
            yield f"{sign} {printable(key)}: {printable(value)}"


_PARTS = (
    ("error", _error),
    ("run", _run),
    ("config", _changes),
    ("stages", _stages),
    ("rows", _rows),
    ("batches", _batches),
    ("resources", _resources),
    ("errors", _problems("error", "31")),
    ("warnings", _problems("warning", "33")),
    ("slowest", _slowest),
    ("checks", _checks),
    ("cost", _costs),
    ("artifacts", _artifacts),
)
