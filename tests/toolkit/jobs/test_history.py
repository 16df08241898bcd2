"""The history of runs, by the command line: lists, comparisons, trends, clean-up."""

from __future__ import annotations

import json
import random
import threading
from pathlib import Path
from typing import Any

import pytest

import otel_kit
from otel_kit.cli import main
from otel_kit.toolkit.jobs.history import chance_of
from otel_kit.toolkit.jobs.index import Index
from otel_kit.toolkit.jobs.places import write_json
from otel_kit.toolkit.jobs.runid import new_id


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def kept(here: Path, seconds: float, **facts: Any) -> str:
    """A run of which only the files are made."""
    index = Index(str(here / "artifacts/runs"))
    summary = {
        "schema": 1,
        "id": new_id(),
        "name": "simulation",
        "outcome": "finished",
        "started": "2026-01-02T03:04:05+00:00",
        "ended": "2026-01-02T03:05:05+00:00",
        "duration_seconds": seconds,
        **facts,
    }
    write_json(str(here / "artifacts/runs" / summary["id"] / "summary.json"), summary)
    index.put(summary)
    return str(summary["id"])


def test_runs_are_listed_and_shown(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A run is not in the list, cannot be shown by name, id or the end of its id, or --json is no JSON."""
    with otel_kit.run("simulation") as run:
        run.rows(5)
    kept(here, 3.0, name="other")
    capsys.readouterr()
    assert main(["runs"]) == 0
    shown = capsys.readouterr().out
    assert run.id in shown
    assert "other" in shown
    for which in ("simulation", run.id, run.id[-6:].lower()):
        assert main(["runs", "show", which]) == 0
        assert run.id in capsys.readouterr().out
    assert main(["runs", "--json", "--name", "simulation"]) == 0
    assert [row["id"] for row in json.loads(capsys.readouterr().out)] == [run.id]
    assert main(["runs", "show", "simulatoin"]) == 2
    assert "did you mean 'simulation'" in capsys.readouterr().err


def test_two_runs_are_compared(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What became slower, failed anew or was changed in the configuration is not told."""
    problem = {"severity": "error", "type": "KeyError", "message": "'city'", "place": "a.py:3", "count": 2}
    stage = {"path": "load", "name": "load", "rows": 0}
    first = kept(here, 10.0, config={"year": 2024}, stages=[{**stage, "seconds": 1.0}], problems=[])
    second = kept(here, 20.0, config={"year": 2025}, stages=[{**stage, "seconds": 4.0}], problems=[problem])
    assert main(["runs", "compare", first, second]) == 0
    shown = capsys.readouterr().out
    assert "+100%" in shown
    assert "+300%" in shown
    assert "+ 2× error KeyError 'city'" in shown
    assert "config year: 2024 → 2025" in shown


@pytest.mark.parametrize(
    ("recent", "status"),
    [((10.2, 9.9, 10.1), 0), ((10.1, 40.0, 9.9), 0), ((13.0, 12.8, 13.4), 1), ((8.0, 8.1, 7.9), 0)],
    ids=["as ever", "one slow run", "slower", "faster"],
)
def test_a_trend_is_not_fooled_by_one_run(
    here: Path, recent: tuple[float, ...], status: int, capsys: pytest.CaptureFixture[str]
) -> None:
    """One slow run counts as a degradation, or three slow ones do not; or the exit status does not tell."""
    chance = random.Random(7)
    for seconds in (*(chance.uniform(9.5, 10.5) for _ in range(12)), *recent):
        kept(here, seconds)
    kept(here, 99.0, outcome="failed")
    assert main(["runs", "trend", "simulation"]) == status
    shown = capsys.readouterr().out
    assert ("WORSE" in shown) == bool(status)
    assert "×" in shown


def test_a_trend_needs_some_runs(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Two runs are taken for a trend."""
    for seconds in (1.0, 5.0):
        kept(here, seconds)
    assert main(["runs", "trend", "simulation"]) == 0
    assert "too few" in capsys.readouterr().out


def test_the_chance_is_exact() -> None:
    """The chance that ranks fall like this is not what counting all ways gives."""
    assert chance_of([1, 2, 3, 4], [5, 6, 7]) == pytest.approx(1 / 35)
    assert chance_of([1, 1, 1, 1], [1, 1, 1]) == 1.0


def test_old_runs_go(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Pruning removes what is to stay, keeps what is to go, or leaves rows of what it removed."""
    old = [kept(here, 1.0, ended="2001-01-01T00:00:00+00:00") for _ in range(5)]
    new = kept(here, 1.0, ended="2999-01-01T00:00:00+00:00")
    assert main(["runs", "prune", "--days", "30", "--keep", "2", "--dry-run"]) == 0
    assert "would remove 4 runs" in capsys.readouterr().out
    assert main(["runs", "prune", "--days", "30", "--keep", "2"]) == 0
    index = Index(str(here / "artifacts/runs"))
    assert [row["id"] for row in index.runs()] == [new, old[-1]]
    assert main(["runs", "prune", "--megabytes", "0", "--keep", "0"]) == 0
    assert index.runs() == []
    assert not [path for path in (here / "artifacts/runs").iterdir() if path.is_dir()]


def test_threads_write_the_index_at_once(here: Path) -> None:
    """Two runs that end at the same moment lose a row, or raise."""
    threads = [threading.Thread(target=kept, args=(here, 1.0)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(Index(str(here / "artifacts/runs")).runs()) == 8
