"""``run``: one run of a job, as a block, a decorator or a whole command."""

from __future__ import annotations

import inspect
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, ParamSpec, Self, TypeVar

from opentelemetry.context import attach, detach
from opentelemetry.trace import Span, StatusCode, set_span_in_context

from otel_kit import _guard, semconv
from otel_kit.context import bind, current_context
from otel_kit.context.place import place_of
from otel_kit.context.redacted import WITHHELD, redacted
from otel_kit.context.wrapped import Around, name_of, wrap
from otel_kit.errors import ArgumentError
from otel_kit.signals import get_tracer
from otel_kit.toolkit.jobs import figures, running, stopping
from otel_kit.toolkit.jobs.alive import identity
from otel_kit.toolkit.jobs.config import difference, mapping_of, shown_config
from otel_kit.toolkit.jobs.heard import Heard
from otel_kit.toolkit.jobs.heard import place_of as place_in
from otel_kit.toolkit.jobs.index import RUNNING, STATE, SUMMARY, Index
from otel_kit.toolkit.jobs.page import page, paint_for
from otel_kit.toolkit.jobs.places import attempt, read_json, runs_directory, write_json
from otel_kit.toolkit.jobs.resources import since, taken
from otel_kit.toolkit.jobs.runid import new_id
from otel_kit.toolkit.jobs.settling import SCHEMA, settle
from otel_kit.toolkit.jobs.stage import Stage, Stages, jobs, note_error, stage_of
from otel_kit.toolkit.jobs.surroundings import Surroundings

P = ParamSpec("P")
R = TypeVar("R")

LONGEST_NAME = 200
LONGEST_MESSAGE = 1000
MOST_ARTIFACTS = 1000
SCOPE = "otel_kit.toolkit.jobs"

_current: ContextVar[Run | None] = ContextVar("otel_kit_run", default=None)


def current_run() -> Run | None:
    """The innermost run that is open here."""
    found = _current.get()
    return found if found is not None and found.is_open else None


class Run:
    """One run. A context manager, sync and async; a decorator, for which each call is a run of its own.

    Attributes:
        id: sorts by the time of the beginning; empty before.
        name: as given.
        folder: where its files are.
        summary: what ``summary.json`` holds, once the run is over.
    """

    graceful = False

    def __init__(
        self, name: str, config: Any, tags: Mapping[str, Any] | None, directory: str | os.PathLike[str] | None
    ) -> None:
        self.name, self.id, self.folder = name, "", ""
        self.summary: dict[str, Any] = {}
        self._arguments = (name, config, tags, directory)
        self._config = mapping_of(config)
        self._tags = {str(key): shown_if_possible(str(key), value) for key, value in (tags or {}).items()}
        self._given = directory
        self._pid = 0
        self._rows = 0
        self._artifacts: list[dict[str, Any]] = []
        self._progress: list[str] = []
        self._batches: list[dict[str, Any]] = []
        self._facts: dict[str, Any] = {}
        self._span: Span | None = None
        self.is_open = False
        self._ended = False

    # -- what the program says of it

    def stage(self, name: str) -> Stage:
        """A part of the run: ``with run.stage("year 2025"):``. Stages of one name count as one; they may nest.

        Emits a span of that name.

        Raises:
            ArgumentError: ``name`` is no text.
        """
        return Stage(self._stages, _name("stage(name)", name), self)

    def rows(self, count: int = 1) -> None:
        """So many rows were dealt with, in the innermost stage that is open here and in the run.

        Raises:
            ArgumentError: ``count`` is no whole number.
        """
        if type(count) is not int:
            try:
                count = int(count.__index__())  # numpy's
            except (AttributeError, TypeError):
                raise ArgumentError("rows(count)", count, "a whole number") from None
        self._rows += count
        stage = stage_of(self)
        if stage is not None:
            stage.rows(count)

    def artifact(self, path: str | os.PathLike[str], kind: str = "artifact") -> None:
        """The run made this file. Its size is looked up at the end of the run.

        Args:
            path: of a file or directory.
            kind: what it is, such as ``artifact``, ``backup`` or ``report``.
        """
        if len(self._artifacts) < MOST_ARTIFACTS:
            found = os.path.abspath(os.fspath(path))
            self._artifacts.append(
                {"path": str(shown_if_possible("path", found)), "kind": str(kind), "_": found}
            )

    def backup(self, path: str | os.PathLike[str]) -> None:
        """The run made this copy of something, to go back to."""
        self.artifact(path, "backup")

    # -- beginning and end

    def __enter__(self) -> Self:
        if self.is_open:
            raise ArgumentError(
                "run", self.name, "a run that is not open yet; call otel_kit.run() for another one"
            )
        self._began, self._before = perf_counter(), taken()
        self._started = datetime.now(UTC)
        self.id, self._pid = new_id(), os.getpid()
        self._stages, self._heard = Stages(), Heard()
        self._ended, self.is_open = False, True
        directory = runs_directory(self._given)
        self._index = Index(directory)
        self.folder = os.path.join(directory, self.id)
        self._parent = current_context().get("run_id") or running.surrounding()
        self._shown_config = shown_config(self._config)
        self._surroundings = Surroundings()
        self._state = {
            "schema": SCHEMA,
            "id": self.id,
            "name": self.name,
            "parent": self._parent,
            "tags": self._tags,
            "outcome": RUNNING,
            "started": self._started.isoformat(),
            "process": identity(),
            "config": self._shown_config,
            "progress": self._progress,
            **self._facts,
        }
        attempt(f"run {self.name}: the runs directory", directory, self._announce)
        self._open_here()
        return self

    def _announce(self) -> None:
        write_json(os.path.join(self.folder, STATE), self._state)
        try:
            for died in settle(self._index):
                _guard.say(f"run {died['name']} {died['id']} has died: {died['error']['message']}")
        finally:
            self._index.put(self._state)

    def _open_here(self) -> None:
        running.opened(self.id)
        self._binding = bind(run_id=self.id)
        self._binding.__enter__()
        self._token: Token[Run | None] = _current.set(self)
        self._counting = self._heard.begin_step()
        if jobs.on:
            self._begin_span()
        stopping.watch(self)

    def _begin_span(self) -> None:
        attributes = {semconv.RUN_ID: self.id, semconv.RUN_NAME: self.name}
        if self._parent:
            attributes[semconv.RUN_PARENT_ID] = str(self._parent)
        self._span = get_tracer(SCOPE).start_span(f"run {self.name}", attributes=attributes)
        self._attached = attach(set_span_in_context(self._span))
        figures.tell(semconv.EVENT_RUN_STARTED, f"run {self.name} started", attributes)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if os.getpid() != self._pid:
            return  # a forked child that leaves its parent's block
        outcome = outcome_of(error, stopping.asked())
        stopping.unwatch(self)
        self.is_open = False
        try:
            self._close(outcome, error)
        except Exception as failure:
            _guard.contained("jobs.run", failure)

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)

    def _close(self, outcome: str, error: BaseException | None) -> None:
        try:
            if self._span is not None:
                note_error(self._span, error)
            self._end(outcome, error)
        finally:
            self._heard.end_step(self._counting)
            self._heard.close()
            if self._span is not None:
                detach(self._attached)
                self._span.end()
            try:
                _current.reset(self._token)
            except ValueError:  # left in another context than it was entered
                _current.set(None)
            self._binding.__exit__(None, None, None)
            running.closed(self.id)

    def _end(self, outcome: str, error: BaseException | None = None, number: int = 0) -> None:
        if self._ended:
            return
        self._ended = True
        self.summary = summary = self._summed(outcome, error, number)
        path = os.path.join(self.folder, SUMMARY)
        written = attempt(f"run {self.name}: the summary", path, lambda: write_json(path, summary))
        attempt(f"run {self.name}: the index", self._index.path, lambda: self._index.put(summary))
        if written:
            state = Path(self.folder, STATE)  # missing where somebody removed the directory meanwhile
            attempt(f"run {self.name}: the state", str(state), lambda: state.unlink(missing_ok=True))
        if jobs.on:
            self._tell(summary)
        show(page(summary, paint_for(sys.stderr), path if written else ""))

    # -- signals

    def stop(self, number: int) -> None:
        """Runs are left by an exception."""

    def cut(self, number: int) -> None:
        """The process ends at once."""
        if os.getpid() == self._pid:
            self._end(_SIGNALLED.get(number, "stopped"), None, number)

    def about(self, **facts: Any) -> None:
        """More to be kept of a command's run: in its state while it runs, and in its summary."""
        self._facts.update(facts)
        if self.is_open:
            self._state.update(facts)
            self._keep_state()

    def _keep_state(self) -> None:
        state = os.path.join(self.folder, STATE)
        attempt(f"run {self.name}: the state", state, lambda: write_json(state, self._state))

    # -- what batches tell

    def has_progress(self, path: str) -> None:
        """A batch in this run tells its progress in that file."""
        if os.getpid() != self._pid or path in self._progress:
            return
        self._progress.append(path)
        self._keep_state()

    def had_batch(self, facts: dict[str, Any]) -> None:
        """A batch in this run is over."""
        if len(self._batches) < MOST_ARTIFACTS:
            self._batches.append(facts)

    def had_problem(self, error: BaseException) -> None:
        """An item failed; of no use where telemetry is on, and a record tells of it."""
        self._heard.problem("error", type(error).__name__, _message(error), _place(error))

    # -- the summary

    def _summed(self, outcome: str, error: BaseException | None, number: int) -> dict[str, Any]:
        seconds = perf_counter() - self._began
        counts = self._heard.counts
        problems = self._heard.problems()
        status = exit_status_of(error, number)
        summary: dict[str, Any] = {
            **self._state,
            "outcome": outcome,
            "exit_status": status,
            "error": error_of(error),
            "ended": (self._started + timedelta(seconds=seconds)).isoformat(),
            "duration_seconds": seconds,
            "config_changes": self._changes(),
            "environment": self._surroundings.found() if not number else {},
            "resources": since(self._before, self._surroundings.cpu),
            "stages": self._stages.sums(),
            "rows": self._rows,
            "rows_per_second": self._rows / seconds if self._rows and seconds else None,
            "batches": self._batches,
            "counts": counts,
            "errors": _count(counts, problems, "error", ("log.error", "log.critical", "log.fatal")),
            "warnings": _count(counts, problems, "warning", ("log.warning", "log.warn")),
            "problems": problems,
            "operations": self._heard.operations(),
            "slowest": self._heard.slowest(),
            "checks": self._heard.checks(),
            "costs": self._heard.costs(),
            "artifacts": [_measured(each) for each in self._artifacts],
        }
        return summary

    def _changes(self) -> dict[str, Any] | None:
        """Against the configuration of the last run of this name that is over."""
        try:
            last = self._index.before(self.name, self.id)
        except OSError:
            return None
        known = read_json(os.path.join(self._index.directory, last["id"], SUMMARY)) if last else None
        if last is None or known is None:
            return None
        return {"since": last["id"], **difference(known.get("config") or {}, self._shown_config)}

    def _tell(self, summary: Mapping[str, Any]) -> None:
        outcome = str(summary["outcome"])
        attributes: dict[str, Any] = {
            semconv.RUN_ID: self.id,
            semconv.RUN_NAME: self.name,
            semconv.RUN_OUTCOME: outcome,
        }
        if self._rows:
            attributes[semconv.RUN_ROWS] = self._rows
        if self._span is not None:
            self._span.set_attributes(attributes)
            if outcome in ("failed", "stopped", "interrupted"):
                self._span.set_status(StatusCode.ERROR, outcome)
        named = {semconv.RUN_NAME: self.name, semconv.RUN_OUTCOME: outcome}
        seconds = summary["duration_seconds"]
        figures.duration(semconv.METRIC_RUN_DURATION, "Duration of runs.").record(seconds, named)
        if self._rows:
            figures.counter(semconv.METRIC_RUN_ROWS, "{row}", "Rows that runs dealt with.").add(
                self._rows, {semconv.RUN_NAME: self.name}
            )
        facts = {**attributes, semconv.RUN_DURATION: seconds}
        well = outcome == "finished"
        figures.tell(semconv.EVENT_RUN_ENDED, f"run {self.name} {outcome}", facts, well=well)

    # -- as a decorator

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """Have each call of a function, sync or async, be a run of its own."""
        return self._around(function)  # type: ignore[no-any-return]

    def _around(self, function: Any) -> Any:
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise ArgumentError("run", name_of(function), "a function or a coroutine function, no generator")
        return wrap(function, self._begin, self._around, by="run")

    def _begin(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], *, steps: bool) -> Around:
        return Around(Run(*self._arguments))


def run(
    name: str,
    *,
    config: Any = None,
    tags: Mapping[str, Any] | None = None,
    directory: str | os.PathLike[str] | None = None,
) -> Run:
    """One run of a job: ``with otel_kit.run("simulation", config=settings) as run:``, or ``@otel_kit.run("nightly")``.

    A sortable id is bound as ``run_id`` on every span and log record inside, and is in the environment of the processes that
    it starts. At the end, however it comes, ``<runs>/<id>/summary.json`` holds what there is to know of it, and a page on
    stderr shows it. Works without ``init_telemetry``, too; then what is written is redacted as the environment and
    pyproject.toml say.

    Emits a span, the records ``otel_kit.run.started`` and ``otel_kit.run.ended``, and the metrics
    ``otel_kit.run.duration`` and ``otel_kit.run.rows``.

    Args:
        name: of the job, the same each time: histories and trends go by it.
        config: its settings: a mapping, a dataclass, a pydantic model, an object with attributes. Written down redacted.
        tags: short facts about this run.
        directory: where runs are kept; ``OTEL_KIT_RUNS_DIRECTORY``, else ``artifacts/runs``.

    Raises:
        ArgumentError: ``name`` is no text, ``config`` has no keys and values, or ``tags`` is no mapping.
    """
    if tags is not None and not isinstance(tags, Mapping):
        raise ArgumentError("run(tags)", tags, "a mapping")
    return Run(_name("run(name)", name), config, tags, directory)


def _name(argument: str, name: Any) -> str:
    if not isinstance(name, str) or not name:
        raise ArgumentError(argument, name, "a text")
    return name[:LONGEST_NAME]


_SIGNALLED = {int(signal.SIGINT): "interrupted"}


def outcome_of(error: BaseException | None, number: int = 0) -> str:
    """``finished``, ``failed``, ``interrupted`` by SIGINT, ``stopped`` by SIGTERM or SIGHUP, or ``cancelled``, as a task."""
    if error is None or isinstance(error, GeneratorExit):
        return "finished"
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, stopping.Stopped):
        return "stopped"
    if type(error).__name__ == "CancelledError":  # asyncio's way to pass a signal on, too
        return "cancelled" if not number else _SIGNALLED.get(number, "stopped")
    if isinstance(error, SystemExit):
        return "finished" if error.code in (None, 0) else "failed"
    return "failed"


def exit_status_of(error: BaseException | None, number: int = 0) -> int | None:
    """What the process would end with, where that is known."""
    if number:
        return 128 + number
    if isinstance(error, SystemExit):
        return _status(error.code)
    return 128 + int(signal.SIGINT) if isinstance(error, KeyboardInterrupt) else None


def _status(code: object) -> int:
    return code if isinstance(code, int) else 0 if code is None else 1


def error_of(error: BaseException | None) -> dict[str, Any] | None:
    """Type, message and place."""
    if error is None or isinstance(error, SystemExit | GeneratorExit):
        return None
    return {"type": type(error).__name__, "message": _message(error), "place": _place(error)}


def _message(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        return "<its message cannot be shown>"
    return str(redacted("message", text[:LONGEST_MESSAGE]))


def _place(error: BaseException) -> str:
    try:
        return place_in(place_of(error))
    except Exception:
        last = traceback.extract_tb(error.__traceback__)[-1:]
        return f"{last[0].filename}:{last[0].lineno}" if last else ""


def shown_if_possible(key: str, value: Any) -> Any:
    """A name that the program gives: without secrets where rules are known, else as it is."""
    text = value if isinstance(value, bool | int | float) else str(value)[:LONGEST_MESSAGE]
    shown = redacted(key, text)
    return text if shown == WITHHELD else shown


def _measured(artifact: Mapping[str, Any]) -> dict[str, Any]:
    try:
        size: int | None = os.stat(artifact["_"]).st_size
    except OSError:
        size = None
    return {"path": artifact["path"], "kind": artifact["kind"], "bytes": size}


def _count(
    counts: Mapping[str, int], problems: list[dict[str, Any]], severity: str, kinds: tuple[str, ...]
) -> int:
    told = sum(counts.get(kind, 0) for kind in kinds)
    found: int = sum(each["count"] for each in problems if each["severity"] == severity)
    return max(told, found)


def show(text: str) -> None:
    """Write a page to stderr, whatever it can take."""
    stream = sys.stderr
    try:
        try:
            stream.write(f"{text}\n")
        except UnicodeEncodeError:
            encoding = getattr(stream, "encoding", None) or "ascii"
            stream.write(f"{text.encode(encoding, 'replace').decode(encoding)}\n")
        stream.flush()
    except Exception:  # closed, full, or none: there is no other place to say it
        return
