"""``otel-kit status``: what runs here, how far it is, and whether it still moves."""

from __future__ import annotations

import argparse
import json
import re
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
ENDED_WITHIN = 86_400.0
EVERY = 1.0  # seconds between two looks
WIDEST = 100
LONGEST_NAME = 30  # that is made room for
NOTHING = "nothing runs here"


def seconds(text: str) -> float:
    """``90``, ``90s``, ``10m``, ``2h``, ``1d``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd]?)", text.strip())
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is no time; valid: 90, 90s, 10m, 2h, 1d")
    return float(match[1]) * _UNITS[match[2] or "s"]


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "status",
        help="what runs here: progress, rate, time left, current item",
        description="Show all that runs here, and what ended in the background within a day.",
    )
    parser.add_argument("--runs", metavar="DIRECTORY", help="where runs are kept; default artifacts/runs")
    parser.add_argument("--watch", action="store_true", help="again and again, until q or Ctrl-C")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument(
        "--stuck-after",
        type=seconds,
        default=600.0,
        metavar="TIME",
        help="without progress for so long; default 10m",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show it.

    Returns:
        0; 1 where something is stuck; 2 where the directory cannot be read.
    """
    from otel_kit.errors import OtelKitError

    try:
        return _watch(options) if options.watch else _show(options)
    except KeyboardInterrupt:
        return 0
    except (OSError, OtelKitError) as error:
        print(f"otel-kit status: {error}", file=sys.stderr)
        return 2


def _watch(options: argparse.Namespace) -> int:
    from otel_kit.cli.screen import Screen
    from otel_kit.toolkit.jobs.page import paint_for

    if options.json or not sys.stdout.isatty():
        while True:
            _show(options)
            time.sleep(EVERY)
    with Screen() as screen:
        while True:
            found = _found(options)
            lines = list(_lines(found, paint_for(sys.stdout), shutil.get_terminal_size().columns))
            hint = paint_for(sys.stdout)("2", f"{time.strftime('%H:%M:%S')}  q ends this")
            screen.draw([*(lines or [NOTHING]), "", hint])
            if screen.wait(EVERY):
                return int(_is_stuck(found))


def _show(options: argparse.Namespace) -> int:
    from otel_kit.toolkit.jobs.page import paint_for

    found = _found(options)
    if options.json:
        print(json.dumps(found, indent=2), flush=True)
    else:
        print("\n".join(_lines(found, paint_for(sys.stdout), WIDEST)) or NOTHING, flush=True)
    return int(_is_stuck(found))


def _found(options: argparse.Namespace) -> list[dict[str, Any]]:
    from otel_kit.toolkit.jobs.history import opened
    from otel_kit.toolkit.jobs.watching import states

    return states(opened(options.runs), stuck_after=options.stuck_after, ended_within=ENDED_WITHIN)


def _is_stuck(found: list[dict[str, Any]]) -> bool:
    return any(each["status"] == "stuck" for each in found)


def _lines(found: list[dict[str, Any]], paint: Any, columns: int) -> Iterator[str]:
    from otel_kit.toolkit.jobs.bar import plain_line
    from otel_kit.toolkit.jobs.watching import idle_seconds
    from otel_kit.toolkit.jobs.words import in_time, printable

    colors = {"running": "36", "finished": "32", "failed": "31", "died": "31", "stuck": "31"}
    names = min(LONGEST_NAME, max((len(printable(each["name"])) for each in found), default=0))
    ids = max((len(each["id"]) for each in found), default=0)  # a batch without a run has none
    for each in found:
        status = paint(colors.get(each["status"], "33"), f"{each['status']:<11}")
        name = paint("1", printable(each["name"]).ljust(names))
        took = in_time(each["duration_seconds"]) if each.get("duration_seconds") is not None else ""
        pid = f"pid {each['process'].get('pid')}" if each["outcome"] == "running" else ""
        yield f"{status} {'  '.join(filter(None, (name, each['id'].ljust(ids), pid, took)))}"
        for progress in each["progress"]:
            idle = idle_seconds(progress)
            still = f"  nothing for {in_time(idle)}" if each["outcome"] == "running" and idle > 10 else ""
            yield f"  {plain_line(progress, min(WIDEST, columns - 2 - len(still)))}{paint('33', still)}"
