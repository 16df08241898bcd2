"""``otel-kit config``: the settings in effect, the source of each, and what is wrong. Secrets are masked."""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from otel_kit.setup.config import Settings

Row = tuple[str, Any, str, str]
WIDEST = 60


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "config",
        help="print the settings in effect and the source of each",
        description="Print the settings that a program started here would have, and the source of each; secrets are "
        "masked. The exit status is 1 if a variable or an entry of pyproject.toml is wrong.",
    )
    as_argparse_has_it = parser.format_help
    parser.add_argument("--service", metavar="NAME", help="the service's name as the program gives it")
    parser.add_argument("--json", action="store_true", help="print JSON, with every setting")
    parser.set_defaults(run=run)
    parser.format_help = lambda: f"{as_argparse_has_it()}\n{every_setting()}"  # type: ignore[method-assign]


def run(options: argparse.Namespace) -> int:
    """Print the settings.

    Returns:
        1 if something is wrong, else 0.
    """
    from otel_kit.errors import OtelKitError
    from otel_kit.setup.config import read

    try:
        settings = read(options.service, {})
    except OtelKitError as error:
        print(f"otel-kit config: {error}", file=sys.stderr)
        return 2
    print(as_json(settings) if options.json else as_text(settings))
    return 1 if settings.problems else 0


def every_setting() -> str:
    """The table for ``--help``: what each setting means, and its variable."""
    from otel_kit.setup.table import GROUPS, ONE_SIGNAL

    rows = [
        f"  {row.name}\n      {row.doc}" + (f"\n      {row.variable}" if row.variable else "")
        for title, group in GROUPS.items()
        if title != ONE_SIGNAL
        for row in group
    ]
    return "\n".join(["settings (each OTLP setting also per signal, such as traces_endpoint):", *rows]) + "\n"


def as_json(settings: Settings) -> str:
    """Everything, for programs."""
    libraries = settings.libraries()
    answer = {
        "service_name": settings.service_name,
        "file": settings.file,
        "settings": {
            name: {"value": value, "source": source, "doc": doc}
            for name, value, source, doc in settings.rows()
        },
        "targets": {signal: addresses(settings, signal) for signal in ("traces", "metrics", "logs")},
        "libraries": {
            "waiting": list(libraries.waiting),
            "impossible": dict(libraries.impossible),
            "left": dict(libraries.left),
        },
        "problems": [str(problem) for problem in settings.problems],
        "notes": notes_on(settings),
    }
    return json.dumps(answer, indent=2)


def as_text(settings: Settings) -> str:
    """Aligned lines: what is wrong, where the signals go, what somebody set, the defaults."""
    rows = settings.rows()
    given = [row for row in rows if not is_default(row)]
    default = [row for row in rows if row[2] == "default"]
    following = [name for name, _, source, _ in rows if source.startswith("as ")]
    sections = (
        section(
            "Wrong, and raised: strict is true" if settings.strict else "Wrong, and not used",
            [f"  {escaped(str(problem))}" for problem in settings.problems],
        ),
        section("Worth knowing", [f"  {note}" for note in notes_on(settings)]),
        section("Where the signals go", [*where(settings)]),
        section("Libraries", [*instrumented(settings)]),
        section("Set", [*lines(given)]),
        section("Defaults", [*lines(default)]),
        f"{len(following)} more follow a general setting: timeout is also traces_timeout, and so on.",
    )
    file = f"\n{settings.file}" if settings.file else ""
    return f"Settings of {escaped(settings.service_name)}{file}\n\n" + "\n".join(filter(None, sections))


def notes_on(settings: Settings) -> list[str]:
    notes = [*settings.notes]
    if os.environ.get("OTEL_LOG_LEVEL"):
        notes.append(
            "OTEL_LOG_LEVEL sets the SDK's own log level and has no effect here; see OTEL_KIT_LOG_LEVEL"
        )
    return notes


def is_default(row: Row) -> bool:
    return row[2] == "default" or row[2].startswith("as ")


def section(title: str, content: Iterable[str]) -> str:
    body = "\n".join(content)
    return f"{title}\n{body}\n" if body else ""


def where(settings: Settings) -> Iterable[str]:
    """Each signal's exporters and addresses."""
    if settings.disabled:
        yield "  nowhere: disabled is true"
        return
    for signal in ("traces", "metrics", "logs"):
        for exporter in getattr(settings, f"{signal}_exporter"):
            found = addresses(settings, signal) if exporter == "otlp" else [exporter]
            yield from (f"  {signal:<8} {escaped(address)}" for address in found)


def instrumented(settings: Settings) -> Iterable[str]:
    """What of the libraries that are installed here emits when a program imports it, and what does not, and why."""
    found = settings.libraries()
    if found.waiting:
        yield from textwrap.wrap(", ".join(found.waiting), 100, initial_indent="  ", subsequent_indent="  ")
    for title, names in (("left off", found.left), ("impossible", found.impossible)):
        yield from (f"  {title}: {escaped(f'{name}: {reason}')}" for name, reason in names.items())


def addresses(settings: Settings, signal: Any) -> list[str]:
    from otel_kit.setup.urls import masked_url

    return [f"{masked_url(target.url)} ({target.protocol})" for target in settings.targets(signal)]


def lines(rows: list[Row]) -> Iterable[str]:
    cells = [(name, escaped(in_words(name, value)), source) for name, value, source, _ in rows]
    names = max((len(name) for name, _, _ in cells), default=0)
    values = min(WIDEST, max((len(value) for _, value, _ in cells), default=0))
    for name, value, source in cells:
        shown_source = "" if source == "default" else source
        yield f"  {name:<{names}}  {value:<{values}}  {shown_source}".rstrip()


def in_words(name: str, value: Any) -> str:
    """A value as a person reads it."""
    from otel_kit.setup.shown import in_unit
    from otel_kit.setup.table import BY_NAME

    if value is None or value == () or value == {}:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return ", ".join(f"{key}={item}" for key, item in value.items())
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return in_unit(BY_NAME[name].kind, value)


def escaped(text: str) -> str:
    """One line, whatever is in it: a value of the environment must not drive the terminal."""
    return "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
