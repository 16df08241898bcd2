"""``otel-kit wait``: until a run ends; with its exit status."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from otel_kit.cli.status import seconds

TOO_LONG = 124  # as of coreutils' timeout


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "wait",
        help="wait until a run ends",
        description="Wait until a run ends, and show it. The exit status is the run's, 1 where it failed without one, and 124 "
        "where the time was over first.",
    )
    parser.add_argument(
        "which", metavar="RUN", help="its name, or a part of its id; one that has ended is shown at once"
    )
    parser.add_argument("--timeout", type=seconds, metavar="TIME", help="such as 90s, 10m, 2h")
    parser.add_argument("--runs", metavar="DIRECTORY", help="where runs are kept; default artifacts/runs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Wait for it.

    Returns:
        The run's exit status; 124; or 2 where there is no such run.
    """
    from otel_kit.errors import OtelKitError
    from otel_kit.toolkit.jobs.history import opened, summary_of
    from otel_kit.toolkit.jobs.page import page, paint_for
    from otel_kit.toolkit.jobs.watching import ended

    try:
        index = opened(options.runs)
        summary = summary_of(index, options.which)
        runs = summary["outcome"] == "running"
        if runs and not ended(summary["process"], options.timeout):
            print(f"otel-kit wait: {summary['name']} {summary['id']} still runs", file=sys.stderr)
            return TOO_LONG
        summary = summary_of(opened(options.runs), summary["id"])
    except (OSError, OtelKitError) as error:
        print(f"otel-kit wait: {error}", file=sys.stderr)
        return 2
    print(page(summary, paint_for(sys.stdout)))
    return _status(summary)


def _status(summary: dict[str, Any]) -> int:
    status = summary.get("exit_status")
    return status if isinstance(status, int) else int(summary["outcome"] != "finished")
