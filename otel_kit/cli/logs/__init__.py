"""``otel-kit logs``: what is in log files, by a query.

- ``query``, ``literal``, ``record``, ``needle``: what is asked, and what a line must hold for it
- ``source``, ``part``, ``scan``, ``work``, ``order``: the files, read in parts by several processes, and put in order
- ``follow``: lines as they come
- ``shown``, ``figures``: what is printed · ``answer``: which of it
"""

from __future__ import annotations

import argparse
from typing import Any

DESCRIPTION = """\
Show the records of log files that fit a query, in the order of time, rotated and compressed files included.
A directory stands for its JSON lines (app.jsonl). Without a file: the directory of the setting `files`.

  level>=error               also trace, debug, info, warning, critical
  run.id=r-7                 any attribute, by its name or the end of it, with or without otel_kit.
  duration>1s                ns us ms s m h d, kB MB GB KiB MiB GiB; also != >= < <=
  message~'card \\d+'         a regular expression
  "no funds"                 anywhere in a record, in any case
  since=1h until=14:30       1h, 30m, 2d ago; 14:30; 2026-11-22; 2026-11-22T14:30Z
  a=1 b=2, or, not, ( )      conditions beside each other all hold

Fields: level, logger, event, message, trace, span, service; minute, hour, day to count by.
"""


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "logs",
        help="search, count and measure what is in log files",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "words",
        nargs="*",
        metavar="FILE|QUERY",
        help="files, directories, - for standard input; and the query",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "-f", "--follow", action="store_true", help="go on with what is written from now on, across rotations"
    )
    what.add_argument(
        "--around", metavar="ID", help="records that hold an id, and those before and after them"
    )
    what.add_argument("--count-by", metavar="FIELD", help="how many records have each value of a field")
    what.add_argument(
        "--stats",
        nargs="+",
        metavar=("FIELD", "by FIELD"),
        help="count, min, mean, p50, p95, p99 and max of a field",
    )
    parser.add_argument(
        "--context", type=int, default=5, metavar="N", help="with --around: how many records (5)"
    )
    parser.add_argument("--json", action="store_true", help="print the lines as they are in the files")
    parser.set_defaults(run=run)
    _take_words_anywhere(parser)


def _take_words_anywhere(parser: argparse.ArgumentParser) -> None:
    """argparse takes positional arguments from one place only: ``logs FILE --json QUERY`` would be an error."""
    parse = parser.parse_known_args

    def parse_known_args(args: Any = None, namespace: Any = None) -> Any:
        options, rest = parse(args, namespace)
        options.words = [*options.words, *(each for each in rest if not each.startswith("-"))]
        return options, [each for each in rest if each.startswith("-")]

    parser.parse_known_args = parse_known_args  # type: ignore[method-assign]


def run(options: argparse.Namespace) -> int:
    """Answer.

    Returns:
        0, or 1 where nothing fits, or 2 where the query is wrong or a file cannot be read, or 130 after Ctrl-C.
    """
    from otel_kit.cli.logs.answer import answer

    return answer(options)
