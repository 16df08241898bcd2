"""Runs that ended without saying so: killed, crashed, the power gone. Whoever comes next says it for them: ``died``."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

from otel_kit.toolkit.jobs.alive import is_alive
from otel_kit.toolkit.jobs.index import RUNNING, STATE, SUMMARY, Index
from otel_kit.toolkit.jobs.places import read_json, write_json

SCHEMA = 1


def settle(index: Index) -> list[dict[str, Any]]:
    """Look at all runs that seem to run.

    Returns:
        The summaries of those that are found to have died.

    Raises:
        OSError: the index cannot be read or written.
    """
    found = []
    for row in index.running():
        folder = os.path.join(index.directory, row["id"])
        summary = read_json(os.path.join(folder, SUMMARY))
        if summary is not None and summary.get("outcome") != RUNNING:
            index.put(summary)  # it ended, and could not say so to the index
        elif is_alive(row["process"]) is False:
            died = _died(folder, row)
            index.put(died)
            found.append(died)
    return found


def _died(folder: str, row: dict[str, Any]) -> dict[str, Any]:
    state = read_json(os.path.join(folder, STATE)) or {}
    ended = _last_sign(folder, state)
    started = datetime.fromisoformat(row["started"])
    summary = {
        "schema": SCHEMA,
        **{key: row[key] for key in ("id", "name", "parent", "started", "process")},
        **state,
        "outcome": "died",
        "error": {
            "type": "died",
            "message": "its process ended without saying so: killed, crashed, os._exit, or the power was gone",
            "place": "",
        },
        # No later than this it was seen to be alive; a clock that jumped back makes no time negative.
        "ended": max(ended, started).isoformat(),
        "duration_seconds": max(0.0, (ended - started).total_seconds()),
    }
    try:
        write_json(os.path.join(folder, SUMMARY), summary)
    except OSError:  # somebody else's directory: the index says it nevertheless
        return summary
    return summary


def _last_sign(folder: str, state: dict[str, Any]) -> datetime:
    times = [0.0]
    for path in (os.path.join(folder, STATE), *state.get("progress", ())):
        try:
            times.append(os.stat(path).st_mtime)
        except OSError:
            continue
    return datetime.fromtimestamp(max(times), UTC)
