"""What runs, how far it is, and whether it still moves; and how it is told to stop."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from otel_kit.errors import JobError
from otel_kit.toolkit.jobs.alive import is_alive
from otel_kit.toolkit.jobs.index import RUNNING, STATE, SUMMARY, Index
from otel_kit.toolkit.jobs.places import progress_directory, read_json, write_json

STOP = "stop.json"
NOW = 5.0  # seconds between the second request and the end by force
POLL = 0.1


def states(index: Index, *, stuck_after: float, ended_within: float) -> list[dict[str, Any]]:
    """All that runs, and background runs that ended lately, the latest first.

    Args:
        index: where the runs are.
        stuck_after: seconds without progress after which one counts as ``stuck``.
        ended_within: seconds.

    Returns:
        For each run its row in the index, ``status`` (its outcome, ``running`` or ``stuck``) and ``progress``, a list.
    """
    found, told = [], set()
    for row in index.runs(limit=500):
        running = row["outcome"] == RUNNING
        if not running and not (row["background"] and _seconds_since(row["ended"]) < ended_within):
            continue
        folder = os.path.join(index.directory, row["id"])
        state = read_json(os.path.join(folder, STATE if running else SUMMARY)) or {}
        paths = [str(path) for path in state.get("progress", ())]
        told.update(paths)
        progress = [each for path in paths if (each := read_json(path)) is not None]
        found.append({**row, "status": _status(row, progress, stuck_after), "progress": progress})
    return [*found, *_without_run(told, stuck_after)]


def _without_run(told: set[str], stuck_after: float) -> list[dict[str, Any]]:
    """Batches that belong to no run of the index."""
    found = []
    folder = progress_directory()
    for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        path = os.path.join(folder, name)
        progress = read_json(path) if name.endswith(".json") and path not in told else None
        if (
            progress is None
            or progress.get("status") != RUNNING
            or not is_alive(progress.get("process") or {})
        ):
            continue
        row = {"id": "", "name": progress["operation"], "outcome": RUNNING, "process": progress["process"]}
        found.append({**row, "status": _status(row, [progress], stuck_after), "progress": [progress]})
    return found


def _status(row: Mapping[str, Any], progress: list[dict[str, Any]], stuck_after: float) -> str:
    open_ = [each for each in progress if each.get("status") == RUNNING]
    if row["outcome"] != RUNNING or not open_:
        return str(row["outcome"])
    return "stuck" if min(map(idle_seconds, open_)) > stuck_after else RUNNING


def idle_seconds(progress: Mapping[str, Any]) -> float:
    """How long nothing has moved; a process that was stopped does not say so itself."""
    silent = _seconds_since(progress.get("timestamp"))
    return float(progress.get("idle_seconds") or 0) + max(0.0, silent - 2.0)


def _seconds_since(when: object) -> float:
    try:
        return (datetime.now(UTC) - datetime.fromisoformat(str(when))).total_seconds()
    except ValueError:
        return float("inf")


def running_run(index: Index, text: str) -> dict[str, Any]:
    """The run that runs and that a text means.

    Raises:
        JobError: there is none, or there are several.
    """
    rows = [row for row in index.running() if text == row["name"]]
    rows = rows or [row for row in index.running() if len(text) >= 4 and text.upper() in row["id"]]
    if len(rows) > 1:  # a command, and the run of the same name that is its own
        ids = {row["id"] for row in rows}
        rows = [row for row in rows if row["parent"] not in ids] or rows
    if not rows:
        names = ", ".join(sorted({row["name"] for row in index.running()})) or "nothing"
        raise JobError(f"no run {text!r} is running; what runs: {names}")
    if len(rows) > 1:
        raise JobError(f"{len(rows)} runs are meant by {text!r}: {', '.join(row['id'] for row in rows)}")
    return rows[0]


def stop(index: Index, row: Mapping[str, Any]) -> str:
    """Ask a run to end; asked again, it ends now, by force if need be.

    Returns:
        What was done, as words.

    Raises:
        JobError: it runs on another machine.
        OSError: it may not be sent signals.
    """
    path = os.path.join(index.directory, row["id"], STOP)
    again = read_json(path) is not None
    process = row["process"]
    if is_alive(process) is None:
        raise JobError(f"run {row['name']} runs on {process.get('host')}; stop it there")
    write_json(path, {"asked": datetime.now(UTC).isoformat()})
    if not _send(process, signal.SIGTERM):
        return "it is over already"
    if not again:
        return "it was asked to end; ask again to end it now"
    return "it ended" if ended(process, NOW) else _by_force(index, row)


def _by_force(index: Index, row: Mapping[str, Any]) -> str:
    state = read_json(os.path.join(index.directory, row["id"], STATE)) or {}
    for process in (state.get("child"), row["process"]):
        if process:
            _send(process, signal.SIGKILL)
    return "it was killed" if ended(row["process"], NOW) else "it was sent SIGKILL, and is there still"


def _send(process: Mapping[str, Any], number: int) -> bool:
    """Send a signal to that process and to no other that got its pid."""
    pid = int(process["pid"])
    try:
        if not hasattr(os, "pidfd_open"):
            if is_alive(process):
                os.kill(pid, number)
                return True
            return False
        fd = os.pidfd_open(pid)
        try:
            if not is_alive(process):
                return False
            signal.pidfd_send_signal(fd, number)
        finally:
            os.close(fd)
    except ProcessLookupError:
        return False
    return True


def ended(process: Mapping[str, Any], seconds: float | None) -> bool:
    """Wait for a process to end; whether it did."""
    deadline = None if seconds is None else time.monotonic() + seconds
    while is_alive(process) is not False:
        if deadline is not None and time.monotonic() >= deadline:
            return False
        time.sleep(POLL)
    return True
