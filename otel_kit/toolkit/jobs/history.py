"""What the runs of a directory say together: lists, two side by side, a trend, and which ones may go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import combinations
from math import comb
from statistics import median
from typing import Any, NamedTuple

from otel_kit.errors import ArgumentError
from otel_kit.toolkit.jobs.config import difference
from otel_kit.toolkit.jobs.index import RUNNING, STATE, SUMMARY, Index
from otel_kit.toolkit.jobs.places import read_json, runs_directory
from otel_kit.toolkit.jobs.resources import used
from otel_kit.toolkit.jobs.settling import settle

RECENT = 3
FEWEST_EARLIER = 4
MOST_EARLIER = 40
CHANCE = 0.05
THRESHOLD = 0.1
# What a trend may be of, and whether more of it is worse.
MEASURES = {
    "duration_seconds": True,
    "rows_per_second": False,
    "peak_memory_bytes": True,
    "errors": True,
    "warnings": True,
}


def opened(directory: str | None = None) -> Index:
    """The index of a directory, in which runs that died are known as such.

    Raises:
        OSError: it cannot be read.
    """
    index = Index(runs_directory(directory))
    try:
        settle(index)
    except OSError:
        if not os.access(index.path, os.R_OK):
            raise  # else it can be read only: somebody else's
    return index


def summary_of(index: Index, text: str) -> dict[str, Any]:
    """The summary of the run that a text means.

    Raises:
        ArgumentError: there is none, or there are several.
    """
    found = index.find(text)
    if len(found) != 1:
        valid = "an id, its beginning or its end, or the name of a run"
        known = {row["name"] for row in index.runs(limit=1000)}
        several = f"; it may be any of {', '.join(row['id'] for row in found)}" if found else ""
        raise ArgumentError("run", text, valid + several, known)
    folder = os.path.join(index.directory, found[0]["id"])
    return read_json(os.path.join(folder, SUMMARY)) or read_json(os.path.join(folder, STATE)) or found[0]


# -- two runs


def compared(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    """What is different in the second of two runs: figures, stages, operations, failures, configuration."""
    return {
        "before": before["id"],
        "after": after["id"],
        "outcome": [before.get("outcome"), after.get("outcome")],
        "figures": _pairs(_figures(before), _figures(after)),
        "stages": _pairs(_seconds(before, "stages", "path"), _seconds(after, "stages", "path")),
        "operations": _pairs(_means(before), _means(after)),
        "new_problems": _new(before, after, "problems", _problem),
        "gone_problems": _new(after, before, "problems", _problem),
        "new_failed_checks": _new(before, after, "checks", _failed_check),
        "config": difference(before.get("config") or {}, after.get("config") or {}),
        "environment": difference(_surroundings(before), _surroundings(after)),
    }


def _figures(summary: Mapping[str, Any]) -> dict[str, float | None]:
    peak, cpu, _ = used(summary)
    names = ("duration_seconds", "rows", "rows_per_second", "errors", "warnings")
    return {
        **{name: summary.get(name) for name in names},
        "cpu_seconds": cpu,
        "peak_memory_bytes": peak,
    }


def _seconds(summary: Mapping[str, Any], part: str, key: str) -> dict[str, float]:
    return {each[key]: each["seconds"] for each in summary.get(part) or []}


def _means(summary: Mapping[str, Any]) -> dict[str, float]:
    return {
        each["name"]: each["seconds"] / each["count"]
        for each in summary.get("operations") or []
        if each["count"]
    }


def _pairs(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, list[Any]]:
    names = dict.fromkeys([*before, *after])
    found = {name: [before.get(name), after.get(name)] for name in names}
    return {name: pair for name, pair in found.items() if pair[0] or pair[1]}


def _new(before: Mapping[str, Any], after: Mapping[str, Any], part: str, key: Any) -> list[Any]:
    known = {key(each) for each in before.get(part) or []}
    return [each for each in after.get(part) or [] if key(each) is not None and key(each) not in known]


def _problem(each: Mapping[str, Any]) -> Any:
    # Not the line: it moves with each change of the program.
    return (each["severity"], each["type"], each["place"].rpartition(":")[0] or each["message"])


def _failed_check(each: Mapping[str, Any]) -> Any:
    return each["name"] if each["failed"] else None


def _surroundings(summary: Mapping[str, Any]) -> dict[str, Any]:
    found = summary.get("environment") or {}
    git = found.get("git") or {}
    packages = {f"packages.{name}": version for name, version in (found.get("packages") or {}).items()}
    return {
        "python": found.get("python"),
        "host": found.get("host"),
        "revision": git.get("revision"),
        **packages,
    }


# -- a trend


class Trend(NamedTuple):
    """How a figure of a run has gone.

    Attributes:
        measure: which figure.
        points: of each run, the earliest first: id, value, outcome.
        usual: the median of the earlier ones; None where there are too few.
        now: the median of the latest.
        chance: how likely it is that the latest come out like this though nothing changed.
        degraded: it is worse by more than the threshold, and that is no chance.
    """

    measure: str
    points: list[tuple[str, float, str]]
    usual: float | None
    now: float | None
    chance: float | None
    degraded: bool

    @property
    def ratio(self) -> float | None:
        """The latest to the earlier ones."""
        return self.now / self.usual if self.now is not None and self.usual else None


def trend_of(
    index: Index, name: str, measure: str = "duration_seconds", threshold: float = THRESHOLD
) -> Trend:
    """How a figure of the runs of a name has gone.

    The median of the latest three is held against the median of the earlier ones, 40 at most; a single slow run moves neither.
    Besides, it must be unlikely (1 in 20) that ranks fall like this by chance: an exact test of their sums.

    Args:
        index: where the runs are.
        name: of the runs.
        measure: one of ``MEASURES``.
        threshold: how much worse counts: 0.1 is a tenth.

    Raises:
        ArgumentError: there is no such measure, or no run of that name.
    """
    if measure not in MEASURES:
        raise ArgumentError("trend(measure)", measure, ", ".join(MEASURES), MEASURES)
    rows = index.runs(name, limit=500)[::-1]
    if not rows:
        raise ArgumentError(
            "trend(name)", name, "the name of a run", {row["name"] for row in index.runs(limit=1000)}
        )
    points = [(row["id"], float(row[measure]), row["outcome"]) for row in rows if row[measure] is not None]
    # How long a run took that failed or was stopped says nothing of those that did not.
    values = [value for _, value, outcome in points if outcome == "finished"]
    earlier, recent = values[:-RECENT][-MOST_EARLIER:], values[-RECENT:]
    if len(earlier) < FEWEST_EARLIER:
        return Trend(measure, points, None, None, None, False)
    usual, now = median(earlier), median(recent)
    sign = 1 if MEASURES[measure] else -1
    chance = chance_of([sign * value for value in earlier], [sign * value for value in recent])
    worse = now > usual * (1 + threshold) if sign > 0 else now < usual * (1 - threshold)
    return Trend(measure, points, usual, now, chance, worse and chance <= CHANCE)


def chance_of(earlier: Sequence[float], recent: Sequence[float]) -> float:
    """How likely it is, nothing having changed, that the recent ones rank at least as high (one-sided, exact)."""
    ranks = _ranks([*earlier, *recent])
    seen = sum(ranks[len(earlier) :])
    as_high = sum(sum(chosen) >= seen - 1e-9 for chosen in combinations(ranks, len(recent)))
    return as_high / comb(len(ranks), len(recent))


def _ranks(values: Sequence[float]) -> list[float]:
    ordered = sorted(values)
    first = {value: ordered.index(value) for value in set(values)}
    return [first[value] + (ordered.count(value) + 1) / 2 for value in values]


# -- clean-up


def prunable(
    index: Index, *, days: float | None, megabytes: float | None, keep: int
) -> Iterator[tuple[dict[str, Any], int]]:
    """Runs that may go, with their bytes: those that are too old, then the oldest until what is left fits.

    Args:
        index: where the runs are.
        days: how old one may be.
        megabytes: how much all may take.
        keep: the latest so many of each name stay in any case.
    """
    latest: dict[str, int] = {}
    candidates, total = [], 0
    for row in index.runs():
        size = _bytes_of(os.path.join(index.directory, row["id"]))
        total += size
        latest[row["name"]] = latest.get(row["name"], 0) + 1
        if row["outcome"] != RUNNING and latest[row["name"]] > keep:
            candidates.append((row, size))
    for row, size in reversed(candidates):
        too_old = days is not None and _days_since(row["ended"] or row["started"]) > days
        too_much = megabytes is not None and total > megabytes * 1_000_000
        if too_old or too_much:
            total -= size
            yield row, size


def _bytes_of(folder: str) -> int:
    total = 0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:
                continue
    return total


def _days_since(when: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(when)).total_seconds() / 86_400


def remove(index: Index, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remove runs, their folders first.

    Raises:
        OSError: one cannot be removed.
    """
    for row in rows:
        folder = os.path.join(index.directory, row["id"])
        if os.path.isdir(folder):
            shutil.rmtree(folder)
        index.remove([row["id"]])
