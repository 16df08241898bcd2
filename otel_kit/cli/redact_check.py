"""``otel-kit redact-check``: what the rules do to a file, line by line, with the rule that did it.

A line is text, a JSON object whose keys are judged too, or a row of a corpus (``where``, ``input``, ``must_not_contain``,
``must_contain``); ``--score`` sums up a corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_kit.redact import Redactor

_MARK = re.compile(r"\[(?:redacted:[^\]]{1,40}|hash:[0-9a-f]+)\]|\*{4}\S{0,4}")
_RED, _PLAIN = "\x1b[1;31m", "\x1b[0m"


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "redact-check",
        help="show what redaction does to a file",
        description="Show each line as it would leave, and the rules that changed it. A line may be text, a JSON object, or "
        "a row of a corpus. The exit status is 1 if a row of a corpus leaks its secret or a harmless row is changed.",
    )
    parser.add_argument("file", metavar="FILE", help="text, JSON lines or a corpus; - reads standard input")
    parser.add_argument("--personal", action="store_true", help="redact personal data too")
    parser.add_argument("--changed", action="store_true", help="show only lines that are changed")
    parser.add_argument(
        "--score",
        action="store_true",
        help="of a corpus: recall, false positives, harmless context kept, per kind",
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Show the lines, or the score.

    Returns:
        0, or 1 where a row of a corpus was not treated as it says, or 2 where the file cannot be read.
    """
    from otel_kit.redact import Redactor, Rules

    redactor = Redactor(Rules(mode="secrets+personal" if options.personal else "secrets"))
    try:
        with _opened(options.file) as stream:
            checks = (check(redactor, line.rstrip("\n")) for line in stream if line.strip())
            return _score(checks) if options.score else _show(checks, options.changed)
    except OSError as error:
        print(f"otel-kit redact-check: {error}", file=sys.stderr)
        return 2


@dataclass(frozen=True)
class Check:
    """One line before and after.

    Args:
        kind: of a row of a corpus, its kind; else empty.
        before, after: the line's text.
        leaked: whether the row's secret is still there.
        changed: whether anything was replaced.
        lost: whether the row's harmless context is gone.
        secret, context: whether the row has one.
    """

    kind: str
    before: str
    after: str
    leaked: bool = False
    changed: bool = False
    lost: bool = False
    secret: bool = False
    context: bool = False

    @property
    def wrong(self) -> bool:
        """Whether a row of a corpus was not treated as it says."""
        return self.leaked or self.lost or (bool(self.kind) and not self.secret and self.changed)


def check(redactor: Redactor, line: str) -> Check:
    """What the redactor does to a line."""
    data = _json(line)
    if isinstance(data, dict) and {"where", "input"} <= data.keys():
        return _row(redactor, data)
    redactor.begin()
    if isinstance(data, dict):
        shown = redactor.value("", data)
        after = line if shown is data else json.dumps(shown, ensure_ascii=False)
    else:
        after = redactor.text(line)
    return Check("", line, after, changed=after != line)


def _json(line: str) -> Any:
    try:
        return json.loads(line)
    except ValueError:
        return None


def _row(redactor: Redactor, row: dict[str, Any]) -> Check:
    given, secret, context = row["input"], row.get("must_not_contain"), row.get("must_contain")
    shown = redacted(redactor, row["where"], given)
    before, after = _text(given), _text(shown)
    return Check(
        str(row.get("kind", "row")),
        before,
        after,
        leaked=secret is not None and _within(secret, after),
        changed=shown != given,
        lost=context is not None and not _within(context, after),
        secret=secret is not None,
        context=context is not None,
    )


def redacted(redactor: Redactor, where: str, given: Any) -> Any:
    """The input of a corpus row as it leaves, in the form of the input."""
    redactor.begin()
    if isinstance(given, str):
        return redactor.text(given)
    if where == "sql":
        statement, parameters = redactor.statement(given["statement"], given.get("parameters"))
        return {**given, "statement": statement, "parameters": parameters}
    if where == "exception":
        return {
            name: redactor.value(name if name == "locals" else "exception", value)
            for name, value in given.items()
        }
    return {"key": redactor.key(given["key"]), "value": redactor.value(given["key"], given["value"])}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)


def _within(part: str, text: str) -> bool:
    return part in text or json.dumps(part, ensure_ascii=False)[1:-1] in text


def _show(checks: Iterable[Check], only_changed: bool) -> int:
    status = 0
    colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    for one in checks:
        status |= one.wrong
        if one.changed or one.wrong or not only_changed:
            print(_shown(one, colour))
    return status


def _shown(one: Check, colour: bool) -> str:
    rules = ", ".join(dict.fromkeys(_rules(one.after))) if one.changed else ""
    verdict = "LEAK" if one.leaked else "CONTEXT LOST" if one.lost else "FALSE POSITIVE" if one.wrong else ""
    text = _MARK.sub(lambda match: f"{_RED}{match.group()}{_PLAIN}", one.after) if colour else one.after
    notes = (
        "  # " + "; ".join(filter(None, (verdict, one.kind, rules))) if verdict or one.kind or rules else ""
    )
    return text + notes


def _rules(text: str) -> Iterator[str]:
    for match in _MARK.finditer(text):
        yield match.group().strip("[]").removeprefix("redacted:")


def _score(checks: Iterable[Check]) -> int:
    kinds: dict[str, list[Check]] = {}
    for one in checks:
        kinds.setdefault(one.kind or "(no corpus row)", []).append(one)
    every = [one for ones in kinds.values() for one in ones]
    print(f"{'kind':<40} {'rows':>5} {'recall':>8} {'false positives':>16} {'context kept':>13}")
    for kind, ones in sorted(kinds.items()):
        print(_scored(kind, ones))
    print(_scored("all", every))
    return int(any(one.wrong for one in every))


def _scored(kind: str, ones: list[Check]) -> str:
    secrets, contexts = (
        [one for one in ones if one.secret],
        [one for one in ones if one.secret and one.context],
    )
    benign = [one for one in ones if not one.secret]
    recall = _share(sum(not one.leaked for one in secrets), len(secrets))
    wrong = _share(sum(one.changed for one in benign), len(benign))
    kept = _share(sum(not one.lost for one in contexts), len(contexts))
    return f"{kind:<40} {len(ones):>5} {recall:>8} {wrong:>16} {kept:>13}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "–"


def _opened(name: str) -> IO[str]:
    if name == "-":
        return sys.stdin
    return open(name, encoding="utf-8", errors="replace")
