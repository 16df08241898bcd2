"""The command ``otel-kit``, also ``python -m otel_kit``; one file per command.

A command's file has ``add(commands)``, which adds its parser, and ``run(options) -> int``, its exit status. It imports
what it needs in ``run``, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from otel_kit import __version__
from otel_kit.cli import audit, config, logs, redact_check, run, runs, status, stop, wait

COMMANDS = (config, redact_check, audit, logs, run, runs, status, stop, wait)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        argv: the arguments; default: those of the process.

    Returns:
        The exit status: 0 all is well, 1 the command found something wrong, 2 the arguments are wrong.
    """
    _show_what_the_terminal_can()
    parser = _parser()
    try:
        options = parser.parse_args(argv)
        if not hasattr(options, "run"):
            parser.print_help()
            return 0
        status: int = options.run(options)
        sys.stdout.flush()
        return status
    except SystemExit as stop:  # argparse ends the process itself, which a caller in Python does not expect
        return stop.code if isinstance(stop.code, int) else 2
    except BrokenPipeError:  # the reader, such as head, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="otel-kit", description="Traces, metrics and logs of a program, by OpenTelemetry."
    )
    parser.add_argument("--version", action="version", version=f"otel-kit {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    return parser


def _show_what_the_terminal_can() -> None:
    """A name in a script that the terminal's encoding lacks is shown escaped, rather than not at all."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
