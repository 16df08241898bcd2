"""``otel-kit audit verify``: whether an audit trail is as it was written, and the first entry that is not."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from otel_kit.toolkit.trust.entry import Entry
    from otel_kit.toolkit.trust.verify import Verdict

SHORTEST_HEAD = 16


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "audit", help="check an audit trail", description="Work with an audit trail."
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    verify = actions.add_parser(
        "verify",
        help="name the first entry that was changed, removed or inserted",
        description="Check the chain of hashes of an audit trail. The exit status is 1 if an entry was changed, removed, "
        "inserted or moved, or if the last line is unfinished.",
    )
    verify.add_argument("file", metavar="FILE", help="the trail")
    verify.add_argument(
        "--head",
        type=_head,
        metavar="HASH",
        help="the hash of an entry that the trail must hold, as its log record has it in otel_kit.audit.hash",
    )
    verify.set_defaults(run=run)


def _head(text: str) -> str:
    digits = text.strip().lower()
    if not SHORTEST_HEAD <= len(digits) <= 64 or set(digits) - set("0123456789abcdef"):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no hash; valid: {SHORTEST_HEAD} to 64 hexadecimal digits"
        )
    return digits


def run(options: argparse.Namespace) -> int:
    """Check a trail.

    Returns:
        0, or 1 where something is wrong with it, or 2 where the file cannot be read.
    """
    from otel_kit.errors import AuditError
    from otel_kit.toolkit.trust.verify import verify

    try:
        verdict = verify(options.file, options.head or "")
    except (OSError, AuditError) as error:
        print(f"otel-kit audit verify: {error}", file=sys.stderr)
        return 2
    for note in verdict.notes:
        print(f"note: {note}")
    print(f"{options.file}: {_shown(verdict, options.head)}")
    return 0 if verdict.finding is None else 1


def _shown(verdict: Verdict, head: str | None) -> str:
    finding, last = verdict.finding, verdict.last
    if finding is not None:
        before = (
            f"\n{_count(verdict)} before it hold{_span(verdict)}" if verdict.entries and finding.line else ""
        )
        where = f"line {finding.line}: " if finding.line else ""
        return f"{where}{finding.kind.upper()}: {finding.sentence}{before}"
    assert last is not None
    known = (
        ""
        if head
        else (
            "\nEntries missing at the end, or a file written anew as a whole, do not show here: "
            "compare the head with otel_kit.audit.hash of the newest record, or give that as --head."
        )
    )
    return f"unbroken, {_count(verdict)}{_span(verdict)}\nhead {last.seq} {last.hash}{known}"


def _count(verdict: Verdict) -> str:
    return f"{verdict.entries:,} {'entry' if verdict.entries == 1 else 'entries'}"


def _span(verdict: Verdict) -> str:
    if verdict.first is None or verdict.last is None:
        return ""
    return f", from {_time(verdict.first)} to {_time(verdict.last)}"


def _time(entry: Entry) -> str:
    return str(entry.facts().get("time", "an unknown time"))
