"""``otel-kit stop``: ask a run to end with what it has; asked again, it ends now."""

from __future__ import annotations

import argparse
import sys


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "stop",
        help="end a run cleanly, with what it has; again: now",
        description="Ask a run to end: batches finish the items that are being worked on. Asked again, it ends now.",
    )
    parser.add_argument("which", metavar="RUN", help="its name, or a part of its id")
    parser.add_argument("--runs", metavar="DIRECTORY", help="where runs are kept; default artifacts/runs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Ask it.

    Returns:
        0, or 2 where no such run runs, or it may not be stopped.
    """
    from otel_kit.errors import OtelKitError
    from otel_kit.toolkit.jobs.history import opened
    from otel_kit.toolkit.jobs.watching import running_run, stop

    try:
        index = opened(options.runs)
        row = running_run(index, options.which)
        print(f"{row['name']} {row['id']}: {stop(index, row)}")
    except (OSError, OtelKitError) as error:
        print(f"otel-kit stop: {error}", file=sys.stderr)
        return 2
    return 0
