"""The index of a runs directory: one row for each run, in SQLite, for as many processes as there are.

It only repeats what the runs' own files say: where it is damaged it is set aside, and made anew from them.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from otel_kit import _guard
from otel_kit.toolkit.jobs.places import read_json
from otel_kit.toolkit.jobs.resources import used

FILE = "index.db"
SUMMARY, STATE = "summary.json", "state.json"
RUNNING = "running"
PATIENCE = 10.0  # seconds that another process may take

_COLUMNS = {
    "id": "TEXT NOT NULL UNIQUE",
    "name": "TEXT NOT NULL",
    "parent": "TEXT",
    "outcome": "TEXT NOT NULL",
    "started": "TEXT NOT NULL",
    "ended": "TEXT",
    "duration_seconds": "REAL",
    "rows": "INTEGER",
    "rows_per_second": "REAL",
    "errors": "INTEGER",
    "warnings": "INTEGER",
    "peak_memory_bytes": "INTEGER",
    "background": "INTEGER",
    "process": "TEXT",
}
_TABLE = (
    "CREATE TABLE IF NOT EXISTS runs (number INTEGER PRIMARY KEY AUTOINCREMENT, "
    + ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
    + ")"
)


class Index:
    """All runs of a directory.

    Args:
        directory: the runs directory.

    Every method raises OSError where the file cannot be read or written.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.path = os.path.join(directory, FILE)

    def put(self, summary: Mapping[str, Any]) -> None:
        """Add a run, or replace what is known of it."""
        row = row_of(summary)
        names = ", ".join(row)
        marks = ", ".join("?" for _ in row)
        changes = ", ".join(f"{name} = excluded.{name}" for name in row if name != "id")
        statement = f"INSERT INTO runs ({names}) VALUES ({marks}) ON CONFLICT (id) DO UPDATE SET {changes}"
        os.makedirs(self.directory, exist_ok=True)
        with self._connected() as connection:
            connection.execute(statement, list(row.values()))

    def runs(self, name: str | None = None, limit: int | None = None) -> list[dict[str, Any]]:
        """The runs, the latest first.

        Args:
            name: only those of this name.
            limit: at most so many.
        """
        where, values = ("WHERE name = ?", [name]) if name is not None else ("", [])
        return self._rows(f"{where} ORDER BY number DESC LIMIT ?", [*values, -1 if limit is None else limit])

    def running(self) -> list[dict[str, Any]]:
        """Those that have not said that they ended."""
        return self._rows("WHERE outcome = ? ORDER BY number", [RUNNING])

    def find(self, text: str) -> list[dict[str, Any]]:
        """The runs that a text may mean: an id, the beginning or end of one, or the latest of a name."""
        found = self._rows("WHERE id = ?", [text.upper()])
        found = found or self._rows("WHERE name = ? ORDER BY number DESC LIMIT 1", [text])
        if not found and len(text) >= 4 and text.isalnum():
            found = self._rows("WHERE id LIKE ? OR id LIKE ?", [f"{text.upper()}%", f"%{text.upper()}"])
        return found

    def before(self, name: str, run_id: str) -> dict[str, Any] | None:
        """The latest run of a name that was there before this one, and is over."""
        found = self._rows(
            "WHERE name = ? AND id != ? AND outcome != ? "
            "AND number < coalesce((SELECT number FROM runs WHERE id = ?), 9e18) ORDER BY number DESC LIMIT 1",
            [name, run_id, RUNNING, run_id],
        )
        return found[0] if found else None

    def remove(self, run_ids: Sequence[str]) -> None:
        """Forget runs."""
        with self._connected() as connection:
            connection.executemany("DELETE FROM runs WHERE id = ?", [(each,) for each in run_ids])

    def _rows(self, rest: str, values: Sequence[Any]) -> list[dict[str, Any]]:
        if not os.path.exists(self.path) and not self._has_runs():
            return []
        with self._connected() as connection:
            connection.row_factory = sqlite3.Row
            found = [dict(row) for row in connection.execute(f"SELECT * FROM runs {rest}", values)]
        for row in found:
            row["process"] = _loaded(row["process"])
        return found

    def _has_runs(self) -> bool:
        return os.path.isdir(self.directory) and any(True for _ in self._kept())

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._opened() as connection:
                yield connection
        except sqlite3.DatabaseError as error:
            raise OSError(None, f"{error}") from error

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        is_new = not os.path.exists(self.path)
        connection = self._connection()
        try:
            connection.execute("BEGIN IMMEDIATE" if os.access(self.path, os.W_OK) else "BEGIN")
            if is_new or _is_empty(connection):
                self._fill(connection)
            yield connection
            connection.commit()
        finally:
            connection.close()

    def _connection(self) -> sqlite3.Connection:
        try:
            return self._prepared()
        except sqlite3.OperationalError:  # locked, read-only, no room: not damaged
            raise
        except sqlite3.DatabaseError as error:
            aside = f"{self.path}.damaged-{time.time_ns()}"
            _guard.say(
                f"the index of runs {self.path} is damaged ({error}); it is set aside as {aside}, and made anew"
            )
            with contextlib.suppress(FileNotFoundError):  # another process was first
                os.replace(self.path, aside)
            return self._prepared()

    def _prepared(self) -> sqlite3.Connection:
        # No WAL: it needs memory that is shared, which directories over a network have not.
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None)
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            if not _is_there(connection):
                connection.execute(_TABLE)
        except BaseException:
            connection.close()
            raise
        return connection

    def _fill(self, connection: sqlite3.Connection) -> None:
        for summary in self._kept():
            row = row_of(summary)
            names, marks = ", ".join(row), ", ".join("?" for _ in row)
            connection.execute(f"INSERT OR IGNORE INTO runs ({names}) VALUES ({marks})", list(row.values()))

    def _kept(self) -> Iterator[dict[str, Any]]:
        for name in sorted(os.listdir(self.directory)):
            folder = os.path.join(self.directory, name)
            found = read_json(os.path.join(folder, SUMMARY)) or read_json(os.path.join(folder, STATE))
            if found is not None and found.get("id") == name:
                yield found


def _is_there(connection: sqlite3.Connection) -> bool:
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchone())


def _is_empty(connection: sqlite3.Connection) -> bool:
    return not connection.execute("SELECT 1 FROM runs LIMIT 1").fetchone()


def _loaded(text: str | None) -> dict[str, Any]:
    try:
        found = json.loads(text or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def row_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a run."""
    return {
        "id": summary["id"],
        "name": summary["name"],
        "parent": summary.get("parent"),
        "outcome": summary.get("outcome") or RUNNING,
        "started": summary["started"],
        "ended": summary.get("ended"),
        "duration_seconds": summary.get("duration_seconds"),
        "rows": summary.get("rows"),
        "rows_per_second": summary.get("rows_per_second"),
        "errors": summary.get("errors"),
        "warnings": summary.get("warnings"),
        "peak_memory_bytes": used(summary).peak,
        "background": int(bool(summary.get("background"))),
        "process": json.dumps(summary.get("process")),
    }
