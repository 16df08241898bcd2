"""``otel-kit run``: a whole command as a run, in the foreground or the background."""

from __future__ import annotations

import argparse
import os
import sys


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "run",
        help="run a command as a run, with a summary at its end",
        description="Run a command. What it emits, and what it starts, carries the run's id (OTEL_KIT_RUN_ID, and "
        "OTEL_RESOURCE_ATTRIBUTES for programs in other languages). The exit status is the command's.",
    )
    parser.add_argument("--name", help="of the run; the program's name by default")
    parser.add_argument(
        "--tag", action="append", default=[], metavar="KEY=VALUE", type=_tag, help="may be repeated"
    )
    parser.add_argument("--background", action="store_true", help="detach; see status, stop, wait, runs logs")
    parser.add_argument("--runs", metavar="DIRECTORY", help="where runs are kept; default artifacts/runs")
    parser.add_argument(
        "command", nargs=argparse.REMAINDER, metavar="COMMAND", help="the program and its arguments"
    )
    parser.set_defaults(run=run)


def _tag(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not key or not equals:
        raise argparse.ArgumentTypeError(f"{text!r} is no tag; valid: KEY=VALUE")
    return key, value


def run(options: argparse.Namespace) -> int:
    """Run the command.

    Returns:
        Its exit status; 0 where it runs in the background; 2 where it cannot be started.
    """
    from otel_kit.errors import OtelKitError
    from otel_kit.toolkit.jobs.command import detach, run_command

    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        print(
            "otel-kit run: no command; valid: otel-kit run [--name NAME] python simulate.py", file=sys.stderr
        )
        return 2
    _know_secrets()
    name = options.name or os.path.basename(_program(command))
    arguments = {"name": name, "tags": dict(options.tag), "directory": options.runs}
    try:
        if not options.background:
            return run_command(command, **arguments)
        run_id = detach(command, **arguments)
    except OtelKitError as error:
        print(f"otel-kit run: {error}", file=sys.stderr)
        return 2
    print(f"{name} runs in the background as {run_id}")
    return 0


def _program(command: list[str]) -> str:
    """The script or module, rather than the interpreter."""
    if not os.path.basename(command[0]).startswith("python") or "-c" in command[1:2]:
        return command[0]
    arguments = [each for each in command[1:] if not each.startswith("-")]
    return os.path.splitext(arguments[0])[0] if arguments else command[0]


def _know_secrets() -> None:
    """Have arguments judged by the rules that the settings give."""
    from otel_kit import _guard
    from otel_kit.setup.config import resolve
    from otel_kit.setup.redaction import redaction_of
    from otel_kit.toolkit.jobs.command import redact_with

    try:
        redact_with(redaction_of(resolve(None, {})).value)
    except Exception as error:  # without rules they are withheld
        _guard.contained("cli.run", error)
