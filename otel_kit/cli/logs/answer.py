"""What the arguments ask for, and the printing of it."""

from __future__ import annotations

import argparse
import glob
import os
import sys
import tempfile
from collections import Counter, deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from otel_kit.cli.logs import figures
from otel_kit.cli.logs.follow import Tail, follow, tails_of
from otel_kit.cli.logs.order import by_time, settled
from otel_kit.cli.logs.part import Part, parts_of
from otel_kit.cli.logs.query import ANYTHING, Condition, QueryError, parse
from otel_kit.cli.logs.record import Line
from otel_kit.cli.logs.scan import NONE, Groups, Match, around, counted, matches, measured, stream, whole_id
from otel_kit.cli.logs.shown import Output
from otel_kit.cli.logs.source import Source, close, sources
from otel_kit.cli.logs.work import Work
from otel_kit.setup.config import resolve

LAST = 10
STDIN = "-"


class Asked(NamedTuple):
    """What a command line asks for.

    Attributes:
        files: files and directories.
        condition: which records.
        measure, by: the fields of ``--stats``; empty for none.
    """

    files: list[str]
    condition: Condition
    measure: str = ""
    by: str = ""


def answer(options: argparse.Namespace) -> int:
    """Print what is asked for, and give the exit status."""
    try:
        asked = _asked(options)
        return _follow(options, asked) if options.follow else _search(options, asked)
    except (OSError, QueryError) as error:
        if isinstance(error, BrokenPipeError):
            raise
        print(f"otel-kit logs: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _asked(options: argparse.Namespace) -> Asked:
    words, measure, by = list(options.words), "", ""
    if options.stats:
        measure, *rest = options.stats
        if rest[:1] == ["by"]:
            if len(rest) < 2:
                raise QueryError(
                    "--stats " + " ".join(options.stats),
                    len("--stats "),
                    "a field is missing after by",
                    "Valid: --stats duration by operation",
                )
            by, rest = rest[1], rest[2:]
        words += rest
    files, query = _files_and_query(words)
    return Asked(files or _usual_files(words), parse(query), measure, by)


def _files_and_query(words: Iterable[str]) -> tuple[list[str], str]:
    """What exists, or could only be a file, is one; the rest is the query."""
    files, query = [], []
    for word in words:
        if word == STDIN or os.path.exists(word):
            files.append(word)
        elif found := sorted(glob.glob(word)) if _looks_like_a_file(word) else []:
            files += found
        elif _looks_like_a_file(word):
            raise FileNotFoundError(
                f"there is no file {word!r}; a query with / in it needs an operator or quotes"
            )
        else:
            query.append(word)
    return files, " ".join(query)


def _looks_like_a_file(word: str) -> bool:
    if any(sign in word for sign in "=<>~\"'() "):
        return False
    return "/" in word or word.endswith((".log", ".jsonl", ".gz", ".json"))


def _usual_files(words: Iterable[str]) -> list[str]:
    directory = resolve(None, {}).files
    if directory is not None and os.path.isdir(directory):
        return [directory]
    bare = [word for word in words if word.isidentifier() and word not in ("and", "or", "not")]
    if bare:
        raise FileNotFoundError(f"there is no file or directory {bare[0]!r}, and {_why_none(directory)}")
    raise FileNotFoundError(f"name a file or a directory: {_why_none(directory)}")


def _why_none(directory: str | None) -> str:
    return "the setting files names no directory" if directory is None else f"{directory} is no directory"


def _search(options: argparse.Namespace, asked: Asked) -> int:
    with tempfile.TemporaryFile() as copy:
        found = sources([_copied(copy) if each == STDIN else each for each in asked.files])
        _say_what_plain_text_cannot(found, asked)
        output = Output(options.json)
        try:
            some = _print(options, asked, found, output)
            output.flush()
        finally:
            close(found)
        return 0 if some else 1


def _copied(copy: Any) -> str:
    """Standard input as a file, because its parts are read by several processes."""
    while read := sys.stdin.buffer.read(1 << 20):
        copy.write(read)
    copy.flush()
    return f"/dev/fd/{copy.fileno()}"


def _say_what_plain_text_cannot(found: Sequence[Source], asked: Asked) -> None:
    fields = [*asked.condition.fields, *filter(None, (asked.measure, asked.by))]
    plain = [source.path.name for source in found if source.looks_plain] if fields else []
    if plain:
        print(
            f"otel-kit logs: {', '.join(plain[:3])}{' …' if len(plain) > 3 else ''}: plain text, in which words and times "
            f"can be searched; fields, such as {fields[0]}, are in files of JSON lines, such as app.jsonl",
            file=sys.stderr,
        )


def _print(options: argparse.Namespace, asked: Asked, found: list[Source], output: Output) -> bool:
    parts, condition = parts_of(found), asked.condition
    if options.count_by:
        return _print_counts(parts, condition, options.count_by)
    if asked.measure:
        return _print_statistics(parts, asked)
    if options.around:
        return _print_around(parts, condition, options, output)
    return _print_lines(found, parts, condition, output)


def _print_counts(parts: list[Part], condition: Condition, name: str) -> bool:
    total = Counter[str]()
    for each in Work(parts, lambda part: counted(part, condition, name)):
        total.update(each)
    if not total.keys() - {NONE}:
        found = f"none of the {total.total():,} records that fit" if total else "no record fits; none"
        print(f"otel-kit logs: {found} has the field {name}", file=sys.stderr)
        return False
    print("\n".join(figures.counts(total, name)))
    return True


def _print_statistics(parts: list[Part], asked: Asked) -> bool:
    total = Groups()
    for each in Work(parts, lambda part: measured(part, asked.condition, asked.measure, asked.by)):
        for group, numbers in each.items():
            total.setdefault(group, numbers[:0]).extend(numbers)
    print("\n".join(figures.statistics(total, asked.measure, asked.by)))
    return bool(total)


def _print_around(
    parts: list[Part], condition: Condition, options: argparse.Namespace, output: Output
) -> bool:
    text, sought, context = options.around.encode(), whole_id(options.around), max(0, options.context)
    before: deque[bytes] = deque(maxlen=context)
    after, some, gap = 0, False, False
    for lines in Work(parts, lambda part: around(part, condition, text, sought, context)):
        expected = 0
        for number, line, hit in lines:
            if number != expected:
                before.clear()
                gap = True
            expected = number + 1
            if hit:
                if gap and some:
                    output.between()
                for each in before:
                    output.line(each)
                before.clear()
                after, some, gap = context + 1, True, False
            if after:
                output.line(line)
                after -= 1
            else:
                gap = gap or len(before) == context
                before.append(line)
    return some


def _print_lines(found: list[Source], parts: list[Part], condition: Condition, output: Output) -> bool:
    some = False
    for line in settled(_matches(found, parts, condition)):
        output.line(line)
        some = True
    return some


def _matches(found: list[Source], parts: list[Part], condition: Condition) -> Iterator[Match]:
    numbers = {source: [n for n, part in enumerate(parts) if part.source is source] for source in found}
    if condition is ANYTHING:  # all lines: nothing to be computed ahead
        return by_time(found, lambda n: (m for i in numbers[found[n]] for m in stream(parts[i], condition)))
    work = Work(parts, lambda part: matches(part, condition))
    return _closing(work, by_time(found, lambda n: (m for i in numbers[found[n]] for m in work.result(i))))


def _closing(work: Work, found: Iterator[Match]) -> Iterator[Match]:
    try:
        yield from found
    finally:
        work.close()


def _follow(options: argparse.Namespace, asked: Asked) -> int:
    """The last lines that fit, and then those that come."""
    output, condition = Output(options.json), asked.condition
    tails = tails_of(asked.files)
    found = sources([each for each in asked.files if Path(each).exists()])
    last: deque[bytes] = deque(maxlen=LAST)
    try:
        earlier = list(_earlier(found, tails.values()))
        last.extend(line for _, line in _matches(earlier, parts_of(earlier), condition))
    finally:
        close(found)
    for line in last:
        output.line(line)

    def show(line: bytes) -> None:
        if condition is ANYTHING or condition.holds(Line(line)):
            output.line(line)

    follow(asked.files, tails, show, output.flush)
    return 130


def _earlier(found: Iterable[Source], tails: Collection[Tail]) -> Iterator[Source]:
    """What was there before it is followed, no more, so that no line is shown twice."""
    for source in found:
        if any(tail.knows(source) for tail in tails):
            yield source
        else:
            yield from filter(None, (tail.before(source) for tail in tails))
