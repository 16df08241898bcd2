"""A whole command as a run: started, watched, told to stop; in the foreground, or detached in a session of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

from otel_kit.context.redacted import redact_with
from otel_kit.errors import JobError
from otel_kit.toolkit.jobs import stopping
from otel_kit.toolkit.jobs.alive import identity
from otel_kit.toolkit.jobs.output import STDERR, STDOUT, keep
from otel_kit.toolkit.jobs.places import runs_directory
from otel_kit.toolkit.jobs.runs import Run
from otel_kit.toolkit.jobs.surroundings import shown_arguments

AT_ONCE = 2.0  # seconds that a command has after the second signal
OUTPUT_PATIENCE = 2.0  # and that its output has after its end: a grandchild may hold it open

__all__ = ["detach", "redact_with", "run_command"]


class _Child:
    """The command's process, which is told of signals."""

    graceful = True

    def __init__(self, process: subprocess.Popen[bytes], *, background: bool) -> None:
        self.process, self._background = process, background

    def stop(self, number: int) -> None:
        """Tell it, too. In the foreground the terminal has told it of SIGINT already."""
        if self._background or number != signal.SIGINT:
            self._send(number)

    def cut(self, number: int) -> None:
        """It has a moment, and then none."""
        self.stop(number)
        deadline = time.monotonic() + AT_ONCE
        while self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        if self.process.returncode is None:
            self._send(signal.SIGKILL)

    def _send(self, number: int) -> None:
        try:
            if self._background:
                os.killpg(self.process.pid, number)
            else:
                self.process.send_signal(number)
        except (ProcessLookupError, PermissionError):  # it is over
            return


def run_command(
    command: Sequence[str],
    *,
    name: str,
    tags: Mapping[str, Any],
    directory: str | None,
    background: bool = False,
    started: Any = None,
) -> int:
    """Run a command as a run, and wait for its end.

    Args:
        command: the program and its arguments.
        name: of the run.
        tags: of the run.
        directory: where runs are kept.
        background: its output goes to files of the run.
        started: called with the run's id once the command runs.

    Returns:
        Its exit status; 128 and the number of the signal that ended it.

    Raises:
        JobError: there is no such program.
    """
    if shutil.which(command[0]) is None:
        raise JobError(f"there is no program {command[0]!r} to run")
    run = Run(name, None, tags, directory)
    run.about(command=shown_arguments(list(command)), background=background)
    try:
        with run:
            status = _watched(run, command, background=background, started=started)
            if status:
                raise _ending(status)
    except SystemExit as ending:
        return ending.code if isinstance(ending.code, int) else 1
    return 0


def _ending(status: int) -> SystemExit:
    number = -status if status < 0 else status - 128
    if number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        return stopping.stopped(number)
    return SystemExit(128 + number if status < 0 else status)


def _watched(run: Run, command: Sequence[str], *, background: bool, started: Any) -> int:
    pipe = subprocess.PIPE if background else None
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL if background else None,
        stdout=pipe,
        stderr=pipe,
        # A group of its own can be ended as a whole; in the foreground the terminal's keys must reach it.
        process_group=0 if background else None,
    )
    child = _Child(process, background=background)
    stopping.watch(child, interrupts=True)
    try:
        outputs = []
        if process.stdout is not None and process.stderr is not None:
            outputs.append(keep(process.stdout, os.path.join(run.folder, STDOUT)))
            outputs.append(keep(process.stderr, os.path.join(run.folder, STDERR)))
        run.about(child=identity(process.pid))
        if started is not None:
            started(run.id)
        status = process.wait()
        for output in outputs:
            output.join(OUTPUT_PATIENCE)
        return status
    finally:
        stopping.unwatch(child)


def detach(command: Sequence[str], *, name: str, tags: Mapping[str, Any], directory: str | None) -> str:
    """Run a command in the background, in a session of its own, watched by a process of ours.

    Returns:
        The run's id, once the command runs.

    Raises:
        JobError: it could not be started; or its state and output have no place.
    """
    directory = runs_directory(directory)
    _can_be_written(directory)
    reader, writer = os.pipe()
    first = os.fork()
    if first == 0:
        os.close(reader)
        _detached(
            writer,
            lambda started: run_command(
                command, name=name, tags=tags, directory=directory, background=True, started=started
            ),
        )
    os.close(writer)
    os.waitpid(first, 0)
    with open(reader, encoding="utf-8") as stream:
        said = stream.read()
    found = json.loads(said) if said else {"error": "its process ended before the command was started"}
    if "error" in found:
        raise JobError(found["error"])
    return str(found["id"])


def _can_be_written(directory: str) -> None:
    """In the foreground a run goes on without its files; in the background nobody would ever hear of it."""
    try:
        os.makedirs(directory, exist_ok=True)
        with tempfile.TemporaryFile(dir=directory):
            pass
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise JobError(f"the runs directory cannot be written: {directory}: {reason}") from None


def _detached(writer: int, work: Any) -> None:
    """Twice a child: the second one leads no session, and so can never come by a terminal. Does not return."""
    status = 1
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _leave_terminal()

        def started(run_id: str) -> None:
            os.write(writer, json.dumps({"id": run_id}).encode())
            os.close(writer)

        status = work(started)
    except JobError as error:
        os.write(writer, json.dumps({"error": str(error)}).encode())
    except Exception as error:
        os.write(writer, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())
    finally:
        os._exit(status)


def _leave_terminal() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    null = os.open(os.devnull, os.O_RDWR)
    for fd in (0, 1, 2):
        os.dup2(null, fd)
    os.close(null)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
