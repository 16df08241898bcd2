"""Which records go into which file of a log directory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

DAY = "{day}"
INFO, ERROR = 9, 17  # OpenTelemetry's severity numbers

# Beginnings of logger names and of event names, with a dot at the end or as a whole.
CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "performance": (
        "otel_kit.operation",
        "otel_kit.code.slow",
        "otel_kit.asyncio.blocked",
        "otel_kit.db.slow_query",
        "otel_kit.db.n_plus_one",
    ),
    "security": ("authn_", "authz_", "privilege_", "sensitive_", "session_", "otel_kit.security"),
    "database": (
        "otel_kit.db",
        "otel_kit.change",
        "sqlalchemy",
        "django.db",
        "psycopg",
        "asyncpg",
        "alembic",
    ),
    "request": ("otel_kit.http", "uvicorn.access", "gunicorn.access", "werkzeug", "django.server"),
    "business": ("otel_kit.business", "otel_kit.workflow", "otel_kit.cost"),
    "audit": ("otel_kit.audit",),
}
MOST_NAMES = 4096  # whose files are remembered


class LogFile(NamedTuple):
    """One file of a layout.

    Attributes:
        path: within the directory; ``{day}`` stands for the date.
        json: a line is JSON, else for people.
        lowest: the lowest severity number that it takes.
        category: the only category that it takes; empty for all.
    """

    path: str
    json: bool = False
    lowest: int = 0
    category: str = ""


class Takers(NamedTuple):
    """The files that a record goes into, by their numbers: those for people, and those of JSON."""

    text: tuple[int, ...]
    json: tuple[int, ...]


class Layout:
    """The files of a directory, and which of them a record goes into.

    Args:
        files: the files.
        categories: beginnings of logger and event names, by category.

    Attributes:
        takers: gives the :class:`Takers` of a record by its severity number, logger and event name.
    """

    def __init__(self, files: Sequence[LogFile], categories: Mapping[str, Sequence[str]]) -> None:
        self.files = tuple(files)
        self._categories = {name: tuple(beginnings) for name, beginnings in categories.items()}
        self.takers = lru_cache(MOST_NAMES)(self._takers)

    def patterns(self) -> list[re.Pattern[str]]:
        """For each file: names, within the directory, of what becomes of it, with its ``day`` if it has one."""
        return [_old_names(file.path) for file in self.files]

    def _takers(self, severity: int, logger: str, event: str | None) -> Takers:
        mine = self._category_of(logger, event or "")
        found = [
            (number, file.json)
            for number, file in enumerate(self.files)
            if severity >= file.lowest and (not file.category or file.category in mine)
        ]
        return Takers(
            tuple(number for number, is_json in found if not is_json),
            tuple(number for number, is_json in found if is_json),
        )

    def _category_of(self, logger: str, event: str) -> frozenset[str]:
        return frozenset(
            name
            for name, beginnings in self._categories.items()
            if any(_begins(each, logger) or (event and _begins(each, event)) for each in beginnings)
        )


def _old_names(path: str) -> re.Pattern[str]:
    stem, dot, suffix = path.rpartition(".")
    stem = re.escape(stem).replace(re.escape(DAY), r"(?P<day>\d{4}-\d\d-\d\d)")
    return re.compile(
        rf"{stem}(?P<rotated>\.\d{{8}}-\d{{6}}-\d{{4,}})?{re.escape(dot + suffix)}(?P<packed>\.gz)?"
    )


def _begins(beginning: str, name: str) -> bool:
    if beginning.endswith(("_", ".", "*")):
        return name.startswith(beginning.rstrip("*"))
    return name == beginning or name.startswith(f"{beginning}.")


def tiered(categories: Sequence[str]) -> list[LogFile]:
    """``app.log`` and its like, and one file for each category."""
    return [
        LogFile("app.log", lowest=INFO),
        LogFile("app.jsonl", json=True),
        LogFile("error.log", lowest=ERROR),
        LogFile("debug.log"),
        *(LogFile(f"{name}.log", category=name) for name in categories),
    ]


def dated(categories: Sequence[str]) -> list[LogFile]:
    """A file for each day and purpose, for development and for production; own categories get a file too."""
    own = [name for name in categories if name not in CATEGORIES]
    return [
        LogFile(f"debug/debug-{DAY}.log"),
        LogFile(f"production/operations-{DAY}.log", lowest=INFO),
        LogFile(f"production/operations-{DAY}.jsonl", json=True, lowest=INFO),
        LogFile(f"production/errors-{DAY}.log", lowest=ERROR),
        LogFile(f"production/metrics-{DAY}.log", category="performance"),
        *(LogFile(f"production/{name}-{DAY}.log", category=name) for name in own),
    ]


LAYOUTS = {"tiered": tiered, "dated": dated}


def layout_of(name: str, own: Mapping[str, Sequence[str]]) -> Layout:
    """A preset with the user's own categories; one of the same name replaces ours.

    Args:
        name: one of ``LAYOUTS``.
        own: beginnings of logger and event names, by category.
    """
    categories = {**CATEGORIES, **own}
    return Layout(LAYOUTS[name](list(categories)), categories)
