"""``otel-kit runs``: the history of runs: a list, one of them, two side by side, a trend, clean-up."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_kit.toolkit.jobs.index import Index
    from otel_kit.toolkit.jobs.page import Paint

MEASURES = ("duration_seconds", "rows_per_second", "peak_memory_bytes", "errors", "warnings")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "runs",
        help="the history of runs: list, show, compare, trend, logs, prune",
        description="The history of runs. A run is named by its id, the beginning or end of that, or by its name for the latest.",
    )
    parser.add_argument("--runs", metavar="DIRECTORY", help="where runs are kept; default artifacts/runs")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--name", help="only runs of this name")
    parser.add_argument("-n", type=int, default=20, metavar="COUNT", help="at most so many (20)")
    parser.set_defaults(run=run, action=_list)
    actions = parser.add_subparsers(title="actions", metavar="ACTION")
    one = actions.add_parser("show", help="one run")
    one.add_argument("which", metavar="RUN")
    one.set_defaults(action=_show)
    two = actions.add_parser("compare", help="what is different in the second of two runs")
    two.add_argument("before", metavar="A")
    two.add_argument("after", metavar="B")
    two.set_defaults(action=_compare)
    trend = actions.add_parser("trend", help="how runs of a name have gone; status 1 if the latest are worse")
    trend.add_argument("which", metavar="NAME")
    trend.add_argument("--of", choices=MEASURES, default=MEASURES[0], help=f"default {MEASURES[0]}")
    trend.add_argument(
        "--threshold", type=float, default=0.1, help="how much worse counts; default 0.1, a tenth"
    )
    trend.set_defaults(action=_trend)
    logs = actions.add_parser("logs", help="what a run in the background has said")
    logs.add_argument("which", metavar="RUN")
    logs.add_argument("-f", "--follow", action="store_true", help="go on until it ends")
    logs.set_defaults(action=_logs)
    prune = actions.add_parser("prune", help="remove old runs")
    prune.add_argument("--days", type=float, help="those that are older")
    prune.add_argument("--megabytes", type=float, help="the oldest, until all take no more than that")
    prune.add_argument(
        "--keep", type=int, default=10, help="the latest so many of each name stay; default 10"
    )
    prune.add_argument("--dry-run", action="store_true", help="only say which")
    prune.set_defaults(action=_prune)


def run(options: argparse.Namespace) -> int:
    """Do what was asked.

    Returns:
        0; 1 where a trend is worse; 2 where a run is not found or the directory cannot be read.
    """
    from otel_kit.errors import OtelKitError
    from otel_kit.toolkit.jobs.history import opened

    try:
        status: int = options.action(opened(options.runs), options)
        return status
    except (OSError, OtelKitError) as error:
        print(f"otel-kit runs: {error}", file=sys.stderr)
        return 2


def _paint() -> Paint:
    from otel_kit.toolkit.jobs.page import paint_for

    return paint_for(sys.stdout)


def _list(index: Index, options: argparse.Namespace) -> int:
    rows = index.runs(options.name, options.n)
    if options.json:
        print(json.dumps(rows, indent=2))
        return 0
    if not rows:
        print(f"no runs in {index.directory}")
        return 0
    for line in _table(rows, _paint()):
        print(line)
    return 0


def _table(rows: list[dict[str, Any]], paint: Paint) -> Iterator[str]:
    from otel_kit.toolkit.jobs.words import in_rate, in_time, printable

    width = min(30, max(len(printable(row["name"])) for row in rows))
    yield paint(
        "2",
        f"{'id':<26}  {'name':<{width}}  {'started':<19}  {'outcome':<11}  {'took':>11}  {'rows/s':>9}  errors",
    )
    colors = {"finished": "32", "failed": "31", "died": "31"}
    for row in rows:
        outcome = paint(colors.get(row["outcome"], "33"), f"{row['outcome']:<11}")
        took = in_time(row["duration_seconds"]) if row["duration_seconds"] is not None else "-"
        yield (
            f"{row['id']}  {printable(row['name'])[:width]:<{width}}  {row['started'][:19].replace('T', ' ')}  {outcome}  "
            f"{took:>11}  {in_rate(row['rows_per_second']):>9}  {row['errors'] or '-'}"
        )


def _show(index: Index, options: argparse.Namespace) -> int:
    from otel_kit.toolkit.jobs.history import summary_of
    from otel_kit.toolkit.jobs.page import page

    summary = summary_of(index, options.which)
    if options.json:
        print(json.dumps(summary, indent=2, ensure_ascii=False))
    else:
        print(page(summary, _paint(), os.path.join(index.directory, summary["id"], "summary.json")))
    return 0


def _compare(index: Index, options: argparse.Namespace) -> int:
    from otel_kit.toolkit.jobs.history import compared, summary_of

    before, after = summary_of(index, options.before), summary_of(index, options.after)
    found = compared(before, after)
    if options.json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return 0
    for line in _compared(found, before, after, _paint()):
        print(line)
    return 0


def _compared(
    found: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any], paint: Paint
) -> Iterator[str]:
    from otel_kit.toolkit.jobs.chart import in_words
    from otel_kit.toolkit.jobs.words import in_time, printable

    yield f"{before['id']} {before['started'][:19]} {before['outcome']}"
    yield f"{after['id']} {after['started'][:19]} {after['outcome']}"
    for name, pair in found["figures"].items():
        measure = "duration_seconds" if name == "cpu_seconds" else name
        yield _pair(name, [in_words(measure, value) for value in pair], pair, paint)
    for title in ("stages", "operations"):
        changed = sorted(found[title].items(), key=lambda each: -abs((each[1][1] or 0) - (each[1][0] or 0)))
        for name, pair in changed[:10]:
            words = [in_time(value) if value is not None else "-" for value in pair]
            yield _pair(f"{title[:-1]} {printable(name)}", words, pair, paint)
    for title, sign in (("new_problems", "+"), ("gone_problems", "-")):
        for each in found[title]:
            kind = f"{each['severity']} {printable(each['type'])}"
            yield f"{sign} {each['count']}× {kind} {printable(each['message'])}  {each['place']}"
    for each in found["new_failed_checks"]:
        yield f"+ check failed: {printable(each['name'])}"
    for title in ("config", "environment"):
        for key, (old, new) in found[title]["changed"].items():
            yield f"  {title} {printable(key)}: {printable(old)} → {printable(new)}"
        for sign, kind in (("+", "added"), ("-", "removed")):
            for key, value in found[title][kind].items():
                yield f"{sign} {title} {printable(key)}: {printable(value)}"


def _pair(name: str, words: list[str], pair: list[Any], paint: Paint) -> str:
    change = ""
    if pair[0] and pair[1] is not None:
        share = pair[1] / pair[0] - 1
        worse = share > 0 if name not in ("rows", "rows_per_second") else share < 0
        change = paint("31" if worse else "32", f"{share:+.0%}") if abs(share) >= 0.05 else f"{share:+.0%}"
    return f"  {name:<36} {words[0]:>12} → {words[1]:>12}  {change}".rstrip()


def _trend(index: Index, options: argparse.Namespace) -> int:
    from otel_kit.toolkit.jobs.chart import chart, verdict
    from otel_kit.toolkit.jobs.history import trend_of

    found = trend_of(index, options.which, options.of, options.threshold)
    if options.json:
        print(json.dumps({**found._asdict(), "ratio": found.ratio}, indent=2))
    else:
        paint = _paint()
        print(paint("1", f"{options.which}: {options.of}"))
        for line in chart(found, paint):
            print(line)
        print(verdict(found))
    return int(found.degraded)


def _logs(index: Index, options: argparse.Namespace) -> int:
    from otel_kit.toolkit.jobs.alive import is_alive
    from otel_kit.toolkit.jobs.history import summary_of
    from otel_kit.toolkit.jobs.output import job_logs

    summary = summary_of(index, options.which)
    folder = os.path.join(index.directory, summary["id"])
    process = summary.get("process") or {}
    runs = summary["outcome"] == "running"
    going_on = (lambda: runs and is_alive(process) is not False) if options.follow else None
    for piece in job_logs(folder, follow=going_on):
        sys.stdout.write(piece.decode("utf-8", "backslashreplace"))
    return 0


def _prune(index: Index, options: argparse.Namespace) -> int:
    from otel_kit.toolkit.jobs.history import prunable, remove
    from otel_kit.toolkit.jobs.words import in_bytes

    found = list(prunable(index, days=options.days, megabytes=options.megabytes, keep=options.keep))
    if not options.dry_run:
        remove(index, [row for row, _ in found])
    size = in_bytes(sum(size for _, size in found))
    print(f"{'would remove' if options.dry_run else 'removed'} {len(found)} runs, {size}")
    return 0
